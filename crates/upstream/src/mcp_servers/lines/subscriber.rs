//! One client that listens, and what it hears of one server of the first era.

use super::super::Federation;
use super::super::cross::Bridge;
use super::super::listen::Pauses;
use super::super::server::Server;
use super::super::subscribe::News;
use super::line::Line;
use super::{Joined, Of, Wants};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use trilithon_flow::{Exchange, Request};
use trilithon_mcp::merge::in_subscription;
use trilithon_mcp::outward;

/// A client's part in the stream of a session.
pub struct Subscriber {
    pub federation: Arc<Federation>,
    pub server: Arc<Server>,
    pub bridge: Bridge,
    pub head: Rc<Request>,
    pub wants: Wants,
    /// The `id` of the client's message, as it is written.
    pub id: Box<str>,
    pub news: Rc<News>,
    pub exchange: Exchange,
}

/// Leaves when the client does.
struct Seat<'f> {
    federation: &'f Federation,
    of: Of,
    number: u64,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.federation.lines.leave(&self.of, self.number);
    }
}

impl Subscriber {
    pub async fn run(self) {
        let wants = self.able().await;
        if wants.are_none() {
            self.news.settle(&self.server.name);
        } else {
            self.listen(wants).await;
        }
        self.news.leave();
    }

    /// What the server can tell of that is wanted; it is come back to while it is down.
    async fn able(&self) -> Wants {
        let mut pauses = Pauses::default();
        loop {
            let session = &self.bridge.session;
            let opening = self
                .federation
                .leg(session, &self.server, None, &self.head, &self.exchange);
            match opening.await {
                Ok(_) => {
                    let hello = self.server.said.get().unwrap_or_default();
                    return self.wants.clone().told_by(&hello);
                }
                Err(failure) => {
                    tracing::debug!(server = &*self.server.name, %failure, "a server of tools cannot be listened to");
                }
            }
            // Nobody waits for one that is down; that is told as soon as it can be.
            self.news.settle(&self.server.name);
            pauses.wait(None).await;
        }
    }

    async fn listen(&self, mut wants: Wants) {
        let federation = &*self.federation;
        let of: Of = (self.bridge.session.number, (&*self.server.name).into());
        let Joined {
            number,
            mut news,
            first,
            mut told,
        } = federation.lines.join(&of, wants.clone());
        let seat = Seat {
            federation,
            of,
            number,
        };
        if let Some(changed) = first {
            let line = Line {
                federation: self.federation.clone(),
                server: self.server.clone(),
                session: self.bridge.session.clone(),
                of: seat.of.clone(),
                head: self.head.clone_head(),
                exchange: self.exchange.side(),
                changed,
                subscribed: HashSet::new(),
            };
            tokio::task::spawn_local(line.run());
        }
        // One that takes its time is taken at its word.
        let telling = told.wait_for(|turn| *turn >= number);
        drop(tokio::time::timeout(federation.timeout, telling).await);
        let refused = federation.lines.refused(&seat.of);
        wants.uris.retain(|uri| !refused.contains(uri));
        self.news.told(&self.server, &wants.acknowledged());
        while let Some(doc) = news.recv().await {
            let outer = outward::message(&doc, &self.server.name, &self.server.naming);
            let outer = outer.ok().and_then(|passed| passed.doc);
            let outer = outer.as_deref().unwrap_or(&doc);
            if let Some(doc) = in_subscription(&self.id, outer) {
                self.news.told(&self.server, &doc);
            }
        }
    }
}
