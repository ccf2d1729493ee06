//! Lists of all servers as one.

use super::ask::Failure;
use super::ask_all::Answers;
use super::post::Call;
use super::server::Server;
use super::{Federation, answer};
use std::sync::Arc;
use trilithon_flow::{Exchange, Response};
use trilithon_mcp::error::{INVALID_PARAMS, METHOD_NOT_FOUND};
use trilithon_mcp::merge::Lists;
use trilithon_mcp::{Cursor, List, Session, inward};

impl Federation {
    /// One page of a list: the next one of each server that has more. Servers that do not answer are left out, and the log says so.
    pub async fn list(
        self: &Arc<Federation>,
        call: &Call<'_>,
        id: &str,
        list: List,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Response {
        if self.only().is_some_and(|server| server.naming.is_plain()) {
            return self.route(call, session, cx).await;
        }
        let given = call.message.params().and_then(|params| params.get("cursor"));
        let given = given.and_then(|cursor| cursor.text());
        let cursor = match given.map(|text| Cursor::open(&self.seal, &self.name, list, &text.to_str())) {
            None => None,
            Some(Some(cursor)) => Some(cursor),
            Some(None) => {
                return answer::error(
                    call.era,
                    Some(id),
                    INVALID_PARAMS,
                    "`cursor` is none of this list",
                );
            }
        };
        let body = |server: &Arc<Server>| match &cursor {
            None => Some(call.body.clone()),
            Some(cursor) => {
                let own = cursor.of(&server.name)?;
                Some(inward::with_cursor(&call.message, call.body, own).into())
            }
        };
        let answers = self.ask_all(call, session, body, cx).await;
        self.merged(list, answers, call, id)
    }

    fn merged(&self, list: List, answers: Answers<'_>, call: &Call<'_>, id: &str) -> Response {
        let mut lists = Lists::new(list);
        let (mut asked, mut failures) = (0, Vec::new());
        for (server, answer) in answers {
            asked += 1;
            let is_others = |name: &str| {
                self.find(list.named_by() == "name", name)
                    .is_none_or(|(s, _)| !Arc::ptr_eq(s, server))
            };
            let added = match answer {
                Ok(doc) => {
                    let added = lists.add(&doc, &server.name, &server.naming, is_others);
                    added.map_err(Failure::Unreadable)
                }
                // It has no such lists.
                Err(Failure::Error(METHOD_NOT_FOUND, _)) => Ok(()),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = added {
                lists.lacks_a_part();
                let method = list.method();
                // Of a server that is away it was told once.
                match failure {
                    Failure::Away => tracing::debug!(
                        server = &*server.name,
                        method,
                        "a server's part of a list is left out: it is away"
                    ),
                    _ => {
                        tracing::warn!(server = &*server.name, method, %failure, "a server's part of a list is left out")
                    }
                }
                failures.push((server, failure));
            }
        }
        if asked > 0 && failures.len() == asked {
            return answer::all_failed(call.era, Some(id), &failures, "no server gave its list", 200);
        }
        if lists.left_out > 0 {
            let (items, method) = (lists.left_out, list.method());
            tracing::debug!(
                items,
                method,
                "items of a list are left out: their names are none, too long, or another server's"
            );
        }
        let cursor = lists.cursor.seal(&self.seal, &self.name, list);
        answer::json(200, lists.finish(id, call.era, cursor.as_deref()))
    }
}
