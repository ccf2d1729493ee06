//! Clients of one era and servers of the other.
//!
//! A client of the second era has no session, and a server of the first wants one: the gateway has one with it for each caller
//! ([`Bridge`]), for what that client can be asked; messages get numbers of their own in it, and a call that must wait for what the client
//! is asked is parked ([`super::parked`]). The other way round there is nothing to open, and what such a server wants to know before it
//! answers is asked of the client in the stream that will hold the answer ([`super::converse`]).

use super::Federation;
use super::ask::{self, Failure};
use super::resume::{now, principal};
use super::server::Server;
use aws_lc_rs::digest;
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Method, Request};
use trilithon_mcp::{Abilities, Era, Leg, Level, Message, Session, bridge, header};

/// A session of the gateway's own with a server of the first era, for one caller.
pub struct Bridge {
    pub session: Session,
    /// The number of the message in it.
    pub number: u64,
    /// Whether its client can be asked something.
    pub can_be_asked: bool,
}

impl Bridge {
    /// The same in a session of its own, the `place`th of this caller.
    pub fn apart(mut self, place: usize) -> Bridge {
        let place = (place as u64).to_be_bytes();
        self.session.number = hash([b"apart", &self.session.number, &place, b""]);
        self
    }

    /// A message under its number.
    pub fn renumbered(&self, body: &[u8]) -> Vec<u8> {
        match Message::read(body) {
            Ok(message) => bridge::renumbered(&message, body, self.number),
            Err(_) => body.to_vec(),
        }
    }
}

impl Federation {
    /// How a client of the second era reaches a server with the message `body`; `None` for one that speaks that era itself.
    ///
    /// # Errors
    /// Nobody knows what it speaks, and it does not say.
    pub async fn bridge(
        &self,
        server: &Server,
        head: &Request,
        body: &[u8],
        cx: &Exchange,
    ) -> Result<Option<Bridge>, Failure> {
        if self.is_modern(server, head, &mut cx.side()).await? {
            return Ok(None);
        }
        let abilities = Abilities::of(body);
        let capabilities = abilities.json();
        let client = format!(
            r#"{{"name":"trilithon","version":"{}"}}"#,
            env!("CARGO_PKG_VERSION")
        );
        let version = Era::LEGACY.last().copied().unwrap_or_default();
        let session = Session {
            number: number(cx, &capabilities),
            principal: principal(cx),
            created: now(),
            hello: format!(
                r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{client}}}"#
            )
            .into(),
            legs: Vec::new(),
        };
        Ok(Some(Bridge {
            session,
            can_be_asked: abilities != Abilities::default(),
            // As large as all readers of numbers take them.
            number: fastrand::u64(1..1 << 53),
        }))
    }

    /// Lets a server tell from `level` on in a session; nothing changes when it tells that much already. What it tells more than one
    /// client wants is left out on the way.
    pub async fn tell_from(
        &self,
        level: Level,
        server: &Server,
        bridge: &Bridge,
        leg: &Leg,
        head: &Request,
        cx: &Exchange,
    ) {
        let slot = self.table.entry(&bridge.session.number).slot(&server.name);
        if !slot.lowers(level) {
            return;
        }
        let (id, level) = (fastrand::u64(1..1 << 53), level.as_str());
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"logging/setLevel","params":{{"level":"{level}"}}}}"#
        );
        let req = server.request_in(leg, head, Method::Post, body);
        let mut side = cx.side();
        let asking = async { ask::answer(&mut server.backend.call(req, &mut side).await).await };
        // One that does not log does not take it.
        if let Ok(Err(failure)) = tokio::time::timeout(self.timeout, asking).await {
            tracing::debug!(server = &*server.name, %failure, "a server of tools takes no level");
        }
    }

    async fn is_modern(&self, server: &Server, head: &Request, cx: &mut Exchange) -> Result<bool, Failure> {
        if let Some(known) = server.is_modern() {
            return Ok(known);
        }
        let asking = self.ask_what_it_can(server, r#"{}"#, head, cx);
        let found = match tokio::time::timeout(self.timeout, asking).await {
            Ok(Ok(_)) => true,
            Ok(Err(failure)) if failure.is_a_no() => false,
            Ok(Err(failure)) => return Err(failure),
            Err(_) => return Err(Failure::TooLate),
        };
        server.said.learn(found);
        Ok(found)
    }

    /// Asks `server/discover`, as a client that said `hello`.
    ///
    /// # Errors
    /// The server does not answer, or does not speak the second era.
    pub async fn ask_what_it_can(
        &self,
        server: &Server,
        hello: &str,
        head: &Request,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        let body = br#"{"jsonrpc":"2.0","id":0,"method":"server/discover"}"#;
        let body = bridge::modern_request(body, hello, None).map_err(Failure::Unreadable)?;
        let mut req = server.probe(head, body);
        req.headers.set(header::PROTOCOL_VERSION, Era::FIRST_MODERN);
        req.headers.set(header::METHOD, "server/discover");
        ask::answer(&mut server.backend.call(req, cx).await).await
    }
}

/// A message of a client of the first era to a server of the second.
///
/// # Errors
/// It cannot be written as that era wants it.
pub fn upward(
    server: &Server,
    session: &Session,
    level: Option<&str>,
    head: &Request,
    body: &[u8],
) -> Result<Request, Failure> {
    let body = bridge::modern_request(body, &session.hello, level).map_err(Failure::Unreadable)?;
    let mut req = server.request(head, Method::Post, body.clone());
    let message = Message::read(&body).map_err(|invalid| Failure::Unreadable(invalid.message))?;
    req.headers.set(header::PROTOCOL_VERSION, Era::FIRST_MODERN);
    req.headers.set(header::METHOD, message.method());
    req.headers.remove(header::NAME);
    if let Some(name) = message.name() {
        req.headers.set(header::NAME, &*header::encode(name));
    }
    Ok(req)
}

/// Whether a server is spoken with in the second era.
pub fn is_modern(leg: &Leg) -> bool {
    Era::of(&leg.version) == Era::Modern
}

/// The session that the gateway has with servers for a caller: the same for all messages of clients that can be asked the same, and
/// nobody else's.
fn number(cx: &Exchange, capabilities: &str) -> [u8; 16] {
    hash([b"bridge", &principal(cx), cx.caller(), capabilities.as_bytes()])
}

/// Tells callers apart, also where nobody knows who they are.
pub fn caller(cx: &Exchange) -> [u8; 16] {
    hash([b"caller", &principal(cx), cx.caller(), b""])
}

fn hash(parts: [&[u8]; 4]) -> [u8; 16] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finish().as_ref()[..16]);
    half
}

/// Tells a server of the first era that its answer is wanted no more, unless it was given: clients of the second cancel by leaving.
pub struct Cancel {
    server: Arc<Server>,
    leg: Leg,
    head: Request,
    number: u64,
    exchange: Option<Exchange>,
}

impl Cancel {
    pub fn new(server: &Arc<Server>, leg: Leg, head: &Request, number: u64, cx: &Exchange) -> Cancel {
        Cancel {
            server: server.clone(),
            leg,
            head: head.clone_head(),
            number,
            exchange: Some(cx.side()),
        }
    }

    /// The session that the call is made in.
    pub fn leg(&self) -> &Leg {
        &self.leg
    }

    /// It was made in another one.
    pub fn in_session(&mut self, leg: Leg) {
        self.leg = leg;
    }

    /// The answer was given.
    pub fn answered(&mut self) {
        self.exchange = None;
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let Some(mut exchange) = self.exchange.take() else {
            return;
        };
        // The worker itself may be at its end.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let number = self.number;
        let body = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#
        );
        let req = self.server.request_in(&self.leg, &self.head, Method::Post, body);
        let server = self.server.clone();
        tokio::task::spawn_local(async move {
            server.backend.call(req, &mut exchange).await.body.take();
        });
    }
}
