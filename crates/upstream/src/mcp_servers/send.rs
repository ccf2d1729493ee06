//! A message on its way to one server, which may speak another era than its client.

use super::Federation;
use super::ask::Failure;
use super::cross::{Bridge, Cancel, is_modern};
use super::parked::{Beside, Turn};
use super::post::Call;
use super::server::Server;
use super::table::Number;
use super::underway::Ongoing;
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use trilithon_flow::{Exchange, Method, Response};
use trilithon_mcp::error::METHOD_NOT_FOUND;
use trilithon_mcp::{Leg, List, Session, header, rounds, visit};

/// Which eras a message and its answer go between.
pub enum Crossing {
    /// Both are of one.
    None,
    /// The client is of the second, the server of the first.
    Down(Box<Down>),
    /// The client is of the first, the server of the second; the message may have to be sent again.
    Up(Session, Bytes, Option<Ongoing>),
}

/// A call over a bridge to a server of the first era.
pub struct Down {
    pub cancel: Cancel,
    /// What the server says in its session beside the answer.
    pub beside: Beside,
    /// The use of a session that no other call has, for one whose client can be asked.
    pub _turn: Option<Turn>,
    /// The session that all calls of the caller share.
    pub session: Number,
}

impl Federation {
    async fn beside(&self, asks: bool, server: &Server, leg: &Leg, call: &Call<'_>, cx: &Exchange) -> Beside {
        match asks {
            true => Beside::open(server, leg, call.head, cx.side()).await,
            false => Beside::None,
        }
    }

    /// Sends a message to a server, in which what it names is `renamed` if it is called otherwise there.
    ///
    /// # Errors
    /// It cannot be sent; [`Failure::Error`] for a method that the client's era does not have.
    pub async fn send(
        &self,
        server: &Arc<Server>,
        renamed: Option<&str>,
        body: Bytes,
        call: &Call<'_>,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Result<(Response, Crossing), Failure> {
        if let Some(session) = session {
            let ongoing = self.ongoing(session, server, call);
            let mut sending = pin!(self.deliver(session, server, call.head, body.clone(), cx));
            let (leg, res) = match &ongoing {
                Some(ongoing) => {
                    let sent = ongoing.unless_cancelled(&mut sending).await;
                    sent.ok_or(Failure::Cancelled)??
                }
                None => sending.await?,
            };
            return Ok(match is_modern(&leg) {
                true => (res, Crossing::Up(session.clone(), body, ongoing)),
                false => (res, Crossing::None),
            });
        }
        if let Some(bridge) = Box::pin(self.bridge(server, call.head, call.body, cx)).await? {
            let (res, down) = Box::pin(self.send_down(bridge, server, body, call, cx)).await?;
            return Ok((res, Crossing::Down(Box::new(down))));
        }
        let mut req = server.request(call.head, Method::Post, body);
        if let Some(name) = renamed
            && req.headers.contains(header::NAME)
        {
            req.headers.set(header::NAME, &*header::encode(name));
        }
        Ok((server.backend.call(req, cx).await, Crossing::None))
    }

    /// Sends a message over a bridge.
    async fn send_down(
        &self,
        bridge: Bridge,
        server: &Arc<Server>,
        body: Bytes,
        call: &Call<'_>,
        cx: &mut Exchange,
    ) -> Result<(Response, Down), Failure> {
        if !crosses(call.message.method()) {
            // The server may have it, but no client of the second era does.
            return Err(Failure::Error(METHOD_NOT_FOUND, String::new()));
        }
        if visit::is_declined(&call.message) {
            return Err(Failure::Declined);
        }
        let shared = bridge.session.number;
        let asks = bridge.can_be_asked && rounds::may_ask(call.message.method());
        let turn = asks.then(|| self.turns.take(shared));
        let bridge = match &turn {
            Some(turn) => bridge.apart(turn.place),
            None => bridge,
        };
        let leg = self.leg(&bridge.session, server, None, call.head, cx).await?;
        if let Some(level) = call.level() {
            self.tell_from(level, server, &bridge, &leg, call.head, cx).await;
        }
        let mut beside = self.beside(asks, server, &leg, call, cx).await;
        // The client may leave from now on.
        let mut cancel = Cancel::new(server, leg.clone(), call.head, bridge.number, cx);
        let body = bridge.renumbered(&body).into();
        let (used, res) = self.deliver(&bridge.session, server, call.head, body, cx).await?;
        if used != leg {
            beside = self.beside(asks, server, &used, call, cx).await;
            cancel.in_session(used);
        }
        let down = Down {
            cancel,
            beside,
            _turn: turn,
            session: shared,
        };
        Ok((res, down))
    }

    /// A call that a client can cancel here, since its server may be of the second era.
    fn ongoing(&self, session: &Session, server: &Server, call: &Call<'_>) -> Option<Ongoing> {
        // Most servers said what they are when the session was opened.
        if session.leg(&server.name).is_some_and(|leg| !is_modern(leg)) {
            return None;
        }
        let leg = self.leg_at_hand(session, server);
        let may_be = leg.map_or(server.is_modern() != Some(false), |leg| is_modern(&leg));
        let id = call.id().filter(|_| may_be)?;
        Some(Ongoing::new(&self.table.entry(&session.number), id))
    }
}

/// Whether both eras have a method.
fn crosses(method: &str) -> bool {
    let calls = [
        "tools/call",
        "prompts/get",
        "resources/read",
        "completion/complete",
    ];
    calls.contains(&method) || List::of(method).is_some()
}
