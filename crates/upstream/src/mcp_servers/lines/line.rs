//! The one stream of a session with a server, heard for all clients that listen in that session; and what the server is told of what
//! they want to hear of. It ends with the last of them.

use super::super::Federation;
use super::super::ask::{self, Failure, is_stream};
use super::super::legs::is_lost;
use super::super::listen::Pauses;
use super::super::parked::Heard;
use super::super::server::Server;
use super::super::stream::Events;
use super::Of;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Notify;
use trilithon_flow::{Exchange, Method, Request, Response};
use trilithon_mcp::{Leg, Session};
use trilithon_wire::json::quote;

/// Who hears a server for all clients.
pub struct Line {
    pub federation: Arc<Federation>,
    pub server: Arc<Server>,
    pub session: Session,
    pub of: Of,
    pub head: Request,
    pub exchange: Exchange,
    /// Told when clients come and go.
    pub changed: Arc<Notify>,
    /// What the server tells of, in the session that it was told in.
    pub subscribed: HashSet<Box<str>>,
}

/// Nobody listens any more.
struct Over;

impl Line {
    pub async fn run(mut self) {
        let mut pauses = Pauses::default();
        let mut known: Option<Leg> = None;
        let mut lost = None;
        loop {
            let federation = self.federation.clone();
            let opening = federation.leg(
                &self.session,
                &self.server,
                lost.as_ref(),
                &self.head,
                &self.exchange,
            );
            match opening.await {
                Ok(leg) => {
                    if known.as_ref() != Some(&leg) {
                        self.subscribed.clear();
                    }
                    known = Some(leg.clone());
                    match self.listen(&leg).await {
                        Err(Over) => return self.end(&leg).await,
                        Ok(Ended::Lost) => lost = Some(leg),
                        Ok(Ended::Well) => pauses = Pauses::default(),
                        Ok(Ended::Failed) => {}
                    }
                }
                Err(failure) => {
                    tracing::debug!(server = &*self.server.name, %failure, "a server of tools cannot be listened to");
                }
            }
            if federation.lines.wanted(&self.of, &self.changed).is_none() {
                return;
            }
            pauses.wait(None).await;
        }
    }

    /// Listens in a session with the server, until its stream ends.
    async fn listen(&mut self, leg: &Leg) -> Result<Ended, Over> {
        self.tell(leg).await?;
        let mut res = self.open(leg).await?;
        if is_lost(leg, &res) {
            return Ok(Ended::Lost);
        }
        match res.status {
            200..300 if is_stream(&res) => self.hear(leg, &mut res).await,
            // There is no stream; what is told in the answers to calls is heard all the same.
            400 | 403 | 404 | 405 | 406 | 501 => loop {
                self.changed.notified().await;
                self.tell(leg).await?;
            },
            _ => Ok(Ended::Failed),
        }
    }

    /// The head of the stream, which some servers send with the first event only.
    async fn open(&mut self, leg: &Leg) -> Result<Response, Over> {
        let req = self.server.listening_in(leg, &self.head);
        let (backend, mut exchange) = (self.server.backend.clone(), self.exchange.side());
        let mut opening = backend.call(req, &mut exchange);
        let changed = self.changed.clone();
        loop {
            tokio::select! {
                res = &mut opening => return Ok(res),
                () = changed.notified() => self.tell(leg).await?,
            }
        }
    }

    async fn hear(&mut self, leg: &Leg, res: &mut Response) -> Result<Ended, Over> {
        let mut events = Events::new(res.body.take());
        let mut heard = Heard::new(self.server.clone());
        let changed = self.changed.clone();
        loop {
            let ended = tokio::select! {
                () = changed.notified() => {
                    self.tell(leg).await?;
                    continue;
                }
                more = events.more(|raw, frame| heard.event(raw, frame)) => more.unwrap_or(true),
            };
            for doc in heard.take_news() {
                self.federation.lines.tell(&self.of, &doc);
            }
            for doc in std::mem::take(&mut heard.replies) {
                let saying = self.say(leg, doc);
                drop(saying.await);
            }
            // What is no news is nobody's here.
            while heard.next().is_some() {}
            if ended {
                return Ok(Ended::Well);
            }
        }
    }

    /// Tells the server what clients want to hear of, as far as it does not know.
    async fn tell(&mut self, leg: &Leg) -> Result<(), Over> {
        let (turn, wanted) = self
            .federation
            .lines
            .wanted(&self.of, &self.changed)
            .ok_or(Over)?;
        let mut refused = Vec::new();
        let fresh: Vec<Box<str>> = wanted.difference(&self.subscribed).cloned().collect();
        for uri in fresh {
            match self.ask(leg, "resources/subscribe", &uri).await {
                Ok(_) => drop(self.subscribed.insert(uri)),
                Err(failure) => {
                    tracing::debug!(server = &*self.server.name, %failure, "a resource cannot be subscribed to");
                    refused.push(uri);
                }
            }
        }
        let unwanted: Vec<Box<str>> = self.subscribed.difference(&wanted).cloned().collect();
        self.unsubscribe(leg, unwanted).await;
        self.federation.lines.settle(&self.of, turn, refused);
        Ok(())
    }

    async fn unsubscribe(&mut self, leg: &Leg, uris: Vec<Box<str>>) {
        for uri in uris {
            drop(self.ask(leg, "resources/unsubscribe", &uri).await);
            self.subscribed.remove(&uri);
        }
    }

    async fn end(&mut self, leg: &Leg) {
        let all = self.subscribed.iter().cloned().collect();
        self.unsubscribe(leg, all).await;
    }

    async fn ask(&mut self, leg: &Leg, method: &str, uri: &str) -> Result<bytes::Bytes, Failure> {
        let (id, uri) = (
            fastrand::u64(1..1 << 53),
            String::from_utf8(quote(uri)).unwrap_or_default(),
        );
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"uri":{uri}}}}}"#);
        let mut res = self.say(leg, body.into_bytes()).await?;
        let answering = tokio::time::timeout(self.federation.timeout, ask::answer(&mut res));
        answering.await.unwrap_or(Err(Failure::TooLate))
    }

    async fn say(&mut self, leg: &Leg, body: Vec<u8>) -> Result<Response, Failure> {
        let req = self.server.request_in(leg, &self.head, Method::Post, body);
        let saying = self.server.backend.call(req, &mut self.exchange);
        let saying = tokio::time::timeout(self.federation.timeout, saying);
        saying.await.map_err(|_| Failure::TooLate)
    }
}

/// How listening once ended.
enum Ended {
    Well,
    Failed,
    /// The server does not know the session any more.
    Lost,
}
