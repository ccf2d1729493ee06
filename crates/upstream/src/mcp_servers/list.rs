//! Lists of all servers as one.

use super::all::all;
use super::ask::{self, Failure};
use super::post::Call;
use super::server::Server;
use super::told::Outcome;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Method, Request, Response};
use trilithon_mcp::error::{INVALID_PARAMS, METHOD_NOT_FOUND};
use trilithon_mcp::merge::Lists;
use trilithon_mcp::{Cursor, List, Session, inward};

/// What each server that was asked answered.
type Answers<'f> = Vec<(&'f Arc<Server>, Result<Bytes, Failure>)>;

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
        let body = |server: &Server| match &cursor {
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
                tracing::warn!(server = &*server.name, method, %failure, "a server's part of a list is left out");
                failures.push(failure);
            }
        }
        if asked > 0 && failures.len() == asked {
            return answer::all_failed(call.era, Some(id), &failures, "no server gave its list");
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

    /// Asks all servers at once that `body` has something for.
    pub async fn ask_all<'f>(
        &'f self,
        call: &Call<'_>,
        session: Option<&Session>,
        body: impl Fn(&Server) -> Option<Bytes>,
        cx: &mut Exchange,
    ) -> Answers<'f> {
        let asked = self.servers.iter().filter_map(|server| {
            let body = body(server)?;
            let mut side = cx.side();
            Some(async move {
                let asking = self.ask(server, session, call.head, body, &mut side);
                let answer = tokio::time::timeout(self.timeout, asking).await;
                let answer = answer.unwrap_or(Err(Failure::TooLate));
                let well = matches!(answer, Ok(_) | Err(Failure::Error(..)));
                server
                    .told
                    .count(if well { Outcome::Answered } else { Outcome::Failed });
                (server, answer)
            })
        });
        all(asked.collect::<Vec<_>>()).await
    }

    /// Asks one server, and reads its answer.
    ///
    /// # Errors
    /// It gives none.
    pub async fn ask(
        &self,
        server: &Server,
        session: Option<&Session>,
        head: &Request,
        body: Bytes,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        let bridge = match session {
            Some(_) => None,
            None => self.bridge(server, head, cx).await?,
        };
        let mut res = match (session, &bridge) {
            (Some(session), _) => self.deliver(session, server, head, body, cx).await?.1,
            (None, Some(bridge)) => {
                let body = bridge.renumbered(&body).into();
                self.deliver(&bridge.session, server, head, body, cx).await?.1
            }
            (None, None) => {
                server
                    .backend
                    .call(server.request(head, Method::Post, body), cx)
                    .await
            }
        };
        ask::answer(&mut res).await
    }
}
