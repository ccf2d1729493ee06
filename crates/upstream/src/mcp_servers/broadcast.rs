//! What is for all servers, and what goes back to the one that asked.

use super::all::all;
use super::ask::Failure;
use super::cross::is_modern;
use super::post::Call;
use super::server::Server;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::{Session, inward};
use trilithon_wire::json;

impl Federation {
    /// An answer to what a server asked, or progress of what it wanted progress of: it goes to that one.
    pub async fn give_back(&self, call: &Call<'_>, session: &Session, cx: &mut Exchange) -> Response {
        let Some((name, body)) = inward::returned(&call.message, call.body) else {
            // Nobody waits for it.
            return answer::accepted();
        };
        let server = self.servers.iter().find(|server| *server.name == *name);
        // A server whose session is gone does not wait any more either.
        let leg = server.and_then(|server| Some((server, self.leg_at_hand(session, server)?)));
        match leg {
            Some((_, leg)) if is_modern(&leg) => self.answered(&body, session),
            Some((server, _)) => self.say(server, body.into(), call.head, session, cx).await,
            None => {}
        }
        answer::accepted()
    }

    /// An answer to what was asked in a server's place.
    fn answered(&self, body: &[u8], session: &Session) {
        let number = json::parse(body).ok().and_then(|root| root.get("id")?.as_u64());
        let entry = self.table.find(&session.number);
        if let (Some(number), Some(entry)) = (number, entry)
            && let Some(waiting) = entry.asked(number)
        {
            // Who left does not wait any more.
            drop(waiting.send(Bytes::copy_from_slice(body)));
        }
    }

    /// A notification: it is for all servers that the session was opened with.
    pub async fn tell_all(
        self: &Arc<Federation>,
        call: &Call<'_>,
        session: &Session,
        cx: &mut Exchange,
    ) -> Response {
        let message = &call.message;
        if message.method() == "notifications/cancelled"
            && let Some(id) = message.params().and_then(|params| params.get("requestId"))
            && let Some(entry) = self.table.find(&session.number)
        {
            entry.underway.cancel(id.raw());
        }
        // Servers of the second era are told nothing but by requests.
        let is_told = |server: &&Arc<Server>| {
            let leg = self.leg_at_hand(session, server);
            leg.is_some_and(|leg| !is_modern(&leg))
        };
        let open = self.servers.iter().filter(is_told);
        let away = self.away();
        let told = open.map(|server| {
            let mut side = cx.side();
            // Nobody waits for one that is away.
            let is_beside = away.iter().any(|other| Arc::ptr_eq(other, server));
            async move {
                if is_beside {
                    return self.say_beside(server, call, session, side);
                }
                self.say(server, call.body.clone(), call.head, session, &mut side)
                    .await;
            }
        });
        all(told.collect::<Vec<_>>()).await;
        answer::accepted()
    }

    fn say_beside(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        call: &Call<'_>,
        session: &Session,
        mut cx: Exchange,
    ) {
        let (federation, server, session) = (self.clone(), server.clone(), session.clone());
        let (head, body) = (call.head.clone_head(), call.body.clone());
        tokio::task::spawn_local(async move {
            federation.say(&server, body, &head, &session, &mut cx).await;
        });
    }

    async fn say(&self, server: &Server, body: Bytes, head: &Request, session: &Session, cx: &mut Exchange) {
        let saying = self.deliver(session, server, head, body, cx);
        let failure = match tokio::time::timeout(self.timeout, saying).await {
            Ok(Ok((_, res))) if (200..300).contains(&res.status) => return,
            Ok(Ok((_, res))) => Failure::Status(res.status),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::TooLate,
        };
        tracing::warn!(server = &*server.name, %failure, "a server of tools did not take what the client said");
    }

    /// `logging/setLevel`: for all servers; those that do not log are not asked to.
    pub async fn set_level(
        self: &Arc<Federation>,
        call: &Call<'_>,
        id: &str,
        session: &Session,
        cx: &mut Exchange,
    ) -> Response {
        let level = call.message.params().and_then(|params| params.get("level"));
        let is_modern = |server: &Server| {
            let leg = self.leg_at_hand(session, server);
            leg.is_some_and(|leg| is_modern(&leg))
        };
        // Nobody waits for one that is away: it is told beside, or in its next session.
        let beside = self.away();
        for server in beside.iter().filter(|server| !is_modern(server)) {
            self.ask_beside(
                None,
                server,
                Some(session),
                call.head,
                call.body.clone(),
                cx.side(),
            );
        }
        let is_beside = |server: &Arc<Server>| beside.iter().any(|other| Arc::ptr_eq(other, server));
        let body = |server: &Arc<Server>| {
            let is_asked = !is_modern(server) && !is_beside(server);
            is_asked.then(|| call.body.clone())
        };
        let answers = self.ask_all(call, Some(session), body, cx).await;
        // Those of the second era are told with each message.
        let empty = || format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into();
        let mut taken: Option<Bytes> = (answers.len() < self.servers.len()).then(empty);
        let mut failures = Vec::new();
        for (server, answer) in answers {
            match answer {
                Ok(doc) => taken = Some(doc),
                Err(failure) => failures.push((server, failure)),
            }
        }
        if let Some(doc) = taken {
            if let Some(level) = level.filter(|level| level.text().is_some()) {
                self.table.entry(&session.number).set_level(level.raw());
            }
            return answer::json(200, doc);
        }
        answer::all_failed(call.era, Some(id), &failures, "no server took the level", 200)
    }
}
