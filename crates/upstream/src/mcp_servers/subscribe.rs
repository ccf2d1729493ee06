//! `subscriptions/listen`, which is how clients of the second era listen: one subscription for the client, one with each server.
//! The client is told first what it will hear of. A server that is down does not end it, and is come back to.

use super::Federation;
use super::all::all;
use super::ask::is_stream;
use super::cross::Bridge;
use super::lines::{self, Wants};
use super::listen::{Heard, Pauses};
use super::post::Call;
use super::server::Server;
use super::stream::{self, Channel, Out, Teller, Telling, relay};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::record::Name;
use trilithon_flow::{Exchange, Method, Request, Response};
use trilithon_mcp::merge::Subscription;
use trilithon_mcp::{Era, EventId, Stream, inward};

/// Notifications that wait until the client may be told; they say that something changed, and more of them say no more.
const MOST_EARLY: usize = 64;

/// What the servers have said to one subscription.
pub struct News {
    subscription: RefCell<Subscription>,
    /// Servers that have not said yet what they will tell of.
    waiting: RefCell<Vec<Name>>,
    /// What others told before that.
    early: RefCell<Vec<Bytes>>,
    /// Servers that are listened to.
    open: Cell<usize>,
    out: Out,
}

impl News {
    /// A server tells something: what it will tell of, or what it was asked to tell of.
    pub fn told(&self, server: &Server, doc: &[u8]) {
        if self.subscription.borrow_mut().add(doc, &server.naming) {
            self.settle(&server.name);
        } else if self.waiting.borrow().is_empty() {
            self.out.event(None, doc);
        } else if self.early.borrow().len() < MOST_EARLY {
            self.early.borrow_mut().push(Bytes::copy_from_slice(doc));
        }
    }

    /// One server less is waited for; after the last one the client is told what it will hear of.
    pub fn settle(&self, server: &Name) {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        waiting.retain(|name| name != server);
        if waiting.is_empty() && before > 0 {
            self.out
                .event(None, &self.subscription.borrow().acknowledgement());
            self.early
                .borrow_mut()
                .drain(..)
                .for_each(|doc| self.out.event(None, &doc));
        }
    }

    /// One server less is listened to; after the last one nothing more will come.
    pub fn leave(&self) {
        let left = self.open.get().saturating_sub(1);
        self.open.set(left);
        if left == 0 {
            self.out.event(None, &self.subscription.borrow().end());
        }
    }
}

impl Federation {
    /// `subscriptions/listen`.
    pub async fn subscribe(self: &Arc<Federation>, call: &Call<'_>, id: &str, cx: &mut Exchange) -> Response {
        let bridges = self.bridges(call, cx).await;
        let crosses = bridges.iter().any(Option::is_some);
        if !crosses && self.only().is_some_and(|server| server.naming.is_plain()) {
            return self.route(call, None, cx).await;
        }
        let Some(place) = self.places.take() else {
            return stream::no_place(Some(id));
        };
        let out = Out::new(EventId::new(Stream::Listening));
        let news = Rc::new(News {
            subscription: RefCell::new(Subscription::new(id)),
            waiting: RefCell::new(self.servers.iter().map(|server| server.name.clone()).collect()),
            early: RefCell::default(),
            open: Cell::new(self.servers.len()),
            out: out.clone(),
        });
        let head = Rc::new(call.head.clone_head());
        let tellers = self.servers.iter().zip(bridges).map(|(server, bridge)| {
            let own = |uri: &str| {
                let (owner, inner) = self.find(false, uri)?;
                Arc::ptr_eq(owner, server).then(|| inner.to_owned())
            };
            if let Some(bridge) = bridge {
                let subscriber = lines::Subscriber {
                    federation: self.clone(),
                    server: server.clone(),
                    bridge,
                    head: head.clone(),
                    wants: Wants::read(&call.message, own),
                    id: id.into(),
                    news: news.clone(),
                    exchange: cx.side(),
                };
                return Box::pin(subscriber.run()) as Teller;
            }
            let subscriber = Subscriber {
                body: inward::with_subscriptions(&call.message, call.body, own).into(),
                telling: Telling::new(server.clone(), None, Era::Modern).for_subscriber(news.clone()),
                server: server.clone(),
                head: head.clone(),
                news: news.clone(),
                timeout: self.timeout,
                exchange: cx.side(),
            };
            Box::pin(subscriber.run()) as Teller
        });
        let tellers = tellers.collect();
        Channel::new(out, tellers, self.keep_alive, place).response()
    }
}

impl Federation {
    /// How each server is reached that speaks the first era; whoever does not say what it speaks is taken for one of the second.
    async fn bridges(&self, call: &Call<'_>, cx: &Exchange) -> Vec<Option<Bridge>> {
        let bridging = self
            .servers
            .iter()
            .map(|server| self.bridge(server, call.head, call.body, cx));
        let bridges = all(bridging.collect::<Vec<_>>()).await;
        bridges.into_iter().map(|bridge| bridge.ok().flatten()).collect()
    }
}

/// Who is subscribed with one server of the second era.
struct Subscriber {
    server: Arc<Server>,
    body: Bytes,
    head: Rc<Request>,
    telling: Telling,
    news: Rc<News>,
    timeout: Duration,
    exchange: Exchange,
}

impl Subscriber {
    async fn run(mut self) {
        let mut pauses = Pauses::default();
        loop {
            let heard = self.listen().await;
            self.news.settle(&self.server.name);
            match heard {
                Heard::Nothing => break,
                Heard::Ended if self.telling.is_over() => break,
                Heard::Ended => pauses = Pauses::default(),
                Heard::Failed => {}
            }
            pauses.wait(None).await;
        }
        self.news.leave();
    }

    async fn listen(&mut self) -> Heard {
        if self.server.is_modern() == Some(false) {
            return Heard::Nothing;
        }
        let req = self.server.request(&self.head, Method::Post, self.body.clone());
        let asking = self.server.backend.call(req, &mut self.exchange);
        let Ok(mut res) = tokio::time::timeout(self.timeout, asking).await else {
            return Heard::Failed;
        };
        match res.status {
            200..300 if is_stream(&res) => {}
            500..600 => return Heard::Failed,
            status => {
                tracing::debug!(
                    server = &*self.server.name,
                    status,
                    "a server of tools takes no subscription"
                );
                return Heard::Nothing;
            }
        }
        let mut relaying = pin!(relay(&mut res.body, &mut self.telling, &self.news.out));
        // How it ended does not matter: it is come back to.
        if tokio::time::timeout(self.timeout, &mut relaying).await.is_err() {
            self.news.settle(&self.server.name);
            drop(relaying.await);
        }
        Heard::Ended
    }
}
