//! What servers say by themselves: one stream for the client, into which those of all servers go. One server that is down does not
//! end it, and is come back to.

use super::ask::{Failure, is_stream};
use super::cross::is_modern;
use super::legs::is_lost;
use super::server::Server;
use super::stream::{self, Channel, Out, Teller, Telling, relay};
use super::{Federation, answer};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::merge::Hello;
use trilithon_mcp::{Era, EventId, Leg, Session, Stream, header};

/// How long the first of the servers may take until the client is told that there is a stream, or none.
const BEGINNING: Duration = Duration::from_secs(1);
/// No server is come back to sooner, whatever it says, nor later.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

impl Federation {
    /// `GET`: the stream to listen to, or one that broke off.
    pub async fn get(self: &Arc<Federation>, head: &Request, cx: &mut Exchange) -> Response {
        let version = head.headers.get_str(header::PROTOCOL_VERSION);
        if Era::of(version.unwrap_or_default()) == Era::Modern {
            return answer::method_not_allowed("POST");
        }
        let session = match self.session(head, None, cx) {
            Ok(session) => session,
            Err(refusal) => return refusal,
        };
        let last = head.headers.get_str("Last-Event-ID").and_then(EventId::read);
        let from = last.unwrap_or_else(|| EventId::new(Stream::Listening));
        let Some(place) = self.places.take() else {
            return stream::no_place(None);
        };
        let shared = Rc::new(head.clone_head());
        if let Some(reader) = self.reader(&from, &session) {
            return self.replay(reader, &from, session, shared, cx, place);
        }
        let from = EventId { kept: None, ..from };
        match &from.stream {
            Stream::Answer(id) if from.seen.is_empty() => return self.lost(id, place),
            Stream::Answer(_) => {}
            // A server may have one such stream for each session.
            Stream::Listening => self.tapes.listens_anew(&session.number),
        }
        let out = Out::new(from.clone()).kept_by(self.keeper(&session, head, cx));
        let tellers = self.tellers(&from, &session, &shared, &out, cx);
        let mut channel = Channel::new(out, tellers, self.keep_alive, place);
        match channel.begins(BEGINNING).await {
            true => channel.response(),
            false => answer::method_not_allowed("POST, DELETE"),
        }
    }

    /// Who tells what comes after `from`: all servers, or, in an answer that is taken up again, the one that gives it.
    pub fn tellers(
        self: &Arc<Federation>,
        from: &EventId,
        session: &Arc<Session>,
        head: &Rc<Request>,
        out: &Out,
        cx: &Exchange,
    ) -> Vec<Teller> {
        let asked = match &from.stream {
            Stream::Answer(id) => Some(&**id),
            Stream::Listening => None,
        };
        let listens = |server: &&Arc<Server>| asked.is_none() || from.seen.contains_key(&*server.name);
        let tellers = self.servers.iter().filter(listens).map(|server| {
            let mut telling = Telling::new(server.clone(), asked, Era::Legacy);
            telling.last = from.seen.get(&*server.name).map(|id| id.as_bytes().into());
            let listener = Listener {
                federation: self.clone(),
                server: server.clone(),
                session: session.clone(),
                head: head.clone(),
                telling,
                out: out.clone(),
                exchange: cx.side(),
                missed: false,
            };
            Box::pin(listener.run()) as Teller
        });
        tellers.collect()
    }
}

/// Who listens to one server.
pub struct Listener {
    pub federation: Arc<Federation>,
    pub server: Arc<Server>,
    pub session: Arc<Session>,
    pub head: Rc<Request>,
    pub telling: Telling,
    pub out: Out,
    pub exchange: Exchange,
    /// The server could not be listened to for a while.
    pub missed: bool,
}

/// What came of listening once.
pub enum Heard {
    /// The server has no such stream, or the session has ended.
    Nothing,
    /// It could not be listened to now.
    Failed,
    /// It was listened to, until the stream ended.
    Ended,
}

impl Listener {
    async fn run(mut self) {
        let mut pauses = Pauses::default();
        let mut lost = None;
        loop {
            match self.listen(&mut lost).await {
                Heard::Nothing => return,
                Heard::Ended if self.telling.is_over() => return,
                Heard::Ended => pauses = Pauses::default(),
                Heard::Failed => self.missed = true,
            }
            self.out.begin();
            pauses.wait(self.telling.retry).await;
        }
    }

    /// The server is listened to. What it may have told while it was not is that lists have changed: its client was given them without
    /// its part, or it is another one since it restarted.
    pub fn begin(&mut self) {
        self.out.begin();
        self.server.presence.answered();
        if !std::mem::take(&mut self.missed) || self.telling.id().is_some() {
            return;
        }
        let said = self.server.said.get();
        let hello = said.and_then(|doc| Hello::read(&self.server.name, &doc));
        for list in hello.iter().flat_map(Hello::changing_lists) {
            let changed = format!(r#"{{"jsonrpc":"2.0","method":"notifications/{list}/list_changed"}}"#);
            self.out.event(None, changed.as_bytes());
        }
    }

    async fn listen(&mut self, lost: &mut Option<Leg>) -> Heard {
        let federation = self.federation.clone();
        let opening = federation.leg(
            &self.session,
            &self.server,
            lost.as_ref(),
            &self.head,
            &self.exchange,
        );
        let leg = match opening.await {
            Ok(leg) => leg,
            Err(Failure::Ended) => return Heard::Nothing,
            Err(failure) => {
                tracing::debug!(server = &*self.server.name, %failure, "a server of tools cannot be listened to");
                return Heard::Failed;
            }
        };
        if is_modern(&leg) {
            return match self.telling.id() {
                None => self.listen_up().await,
                // It gives nothing to come back to.
                Some(_) => Heard::Nothing,
            };
        }
        let mut req = self.server.listening_in(&leg, &self.head);
        if let Some(last) = &self.telling.last {
            req.headers.set("Last-Event-ID", last);
        }
        let mut res = self.server.backend.call(req, &mut self.exchange).await;
        if is_lost(&leg, &res) {
            if self.telling.give_up(&self.out) {
                return Heard::Nothing;
            }
            // What it told in that session is not told again in another one.
            (*lost, self.telling.last) = (Some(leg), None);
            return Heard::Failed;
        }
        match res.status {
            200..300 if is_stream(&res) => {
                self.begin();
                // How it ended does not matter: it is come back to.
                drop(relay(&mut res.body, &mut self.telling, &self.out).await);
                Heard::Ended
            }
            400 | 403 | 404 | 405 | 406 | 501 => {
                self.telling.give_up(&self.out);
                Heard::Nothing
            }
            _ => Heard::Failed,
        }
    }
}

/// Waits before a server is come back to: each is twice the one before.
pub struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses(Duration::from_secs(1))
    }
}

impl Pauses {
    /// Waits as long as the server `says`, or else as is due.
    pub async fn wait(&mut self, says: Option<Duration>) {
        let (shortest, longest) = WAITS;
        tokio::time::sleep(says.unwrap_or(self.0).clamp(shortest, longest)).await;
        self.0 = (self.0 * 2).min(longest);
    }
}
