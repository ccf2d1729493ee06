//! The first message of a client of the first era: sessions with all servers are opened at once, and what they say of themselves is
//! made one.

use super::all::all;
use super::ask::Failure;
use super::post::Call;
use super::presence::{Look, Turn};
use super::resume::{now, principal};
use super::server::Server;
use super::{Federation, answer};
use aws_lc_rs::rand;
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::error::INVALID_PARAMS;
use trilithon_mcp::merge::{self, Hello};
use trilithon_mcp::{Era, Leg, Message, Session, header};

/// The session that a server gave, and what it said of itself.
type Opened = Result<(Leg, Bytes), Failure>;

/// Bytes of the client's parameters that an id has room for.
const MAX_HELLO: usize = 1536;

impl Federation {
    /// `initialize`. A server that does not answer is opened when it is first needed; until then what it said last counts.
    pub async fn initialize(self: &Arc<Federation>, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let Some(id) = call.id() else {
            return answer::accepted();
        };
        let Some(hello) = hello(&call.message) else {
            let message = "`params` of `initialize` are missing or too large";
            return answer::failed(200, Some(id), INVALID_PARAMS, message);
        };
        let mut session = Session {
            number: number(),
            principal: principal(cx),
            created: now(),
            hello,
            legs: Vec::new(),
        };
        let (mut legs, mut said, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for (server, opened) in self.open_all(&session, call.head, cx).await {
            match opened {
                Ok((leg, doc)) => {
                    legs.push(leg);
                    server.said.set(doc.clone());
                    said.extend(Hello::read(&server.name, &doc));
                }
                Err(failure) => {
                    said.extend(server.said.get().and_then(|doc| Hello::read(&server.name, &doc)));
                    failures.push((server, failure));
                }
            }
        }
        if legs.is_empty() {
            return answer::all_failed(call.era, Some(id), &failures, "no server opens a session", 502);
        }
        session.legs.clone_from(&legs);
        let sealed = session.seal(&self.seal, &self.name);
        if session.legs.is_empty() {
            let entry = self.table.entry(&session.number);
            legs.into_iter()
                .for_each(|leg| entry.slot(&leg.server.clone()).set(leg));
        }
        let said: Vec<Hello> = said.into_iter().map(|hello| hello.of_era(Era::Legacy)).collect();
        let mut res = answer::json(200, merge::initialize(id, &said, self.speaker()));
        res.headers.append(header::SESSION_ID, sealed);
        res
    }

    /// Opens sessions with all servers at once; with one that is away it is opened beside, if it is time to look after it.
    async fn open_all<'f>(
        self: &'f Arc<Federation>,
        session: &Session,
        head: &Request,
        cx: &mut Exchange,
    ) -> Vec<(&'f Arc<Server>, Opened)> {
        let opening = self.turns().into_iter().map(|(server, turn)| {
            let mut side = cx.side();
            async move {
                let opened = match turn {
                    Turn::Ask => self.open(server, &session.hello, head, &mut side).await,
                    Turn::Look(look) => {
                        self.open_beside(look, server, session, head, side);
                        Err(Failure::Away)
                    }
                    Turn::Leave => Err(Failure::Away),
                };
                match &opened {
                    // Of a server that is away it was told once.
                    Ok(_) | Err(Failure::Away) => {}
                    Err(failure) => {
                        tracing::warn!(server = &*server.name, %failure, "a server of tools opens no session");
                    }
                }
                (server, opened)
            }
        });
        all(opening.collect::<Vec<_>>()).await
    }

    fn open_beside(
        self: &Arc<Federation>,
        look: Look,
        server: &Arc<Server>,
        session: &Session,
        head: &Request,
        cx: Exchange,
    ) {
        let (federation, server) = (self.clone(), server.clone());
        let (session, head) = (session.clone(), head.clone_head());
        tokio::task::spawn_local(async move {
            let _look = look;
            drop(federation.leg(&session, &server, None, &head, &cx).await);
        });
    }
}

/// What servers are told of the client: all that it said, or, where that is much, what counts.
fn hello(message: &Message<'_>) -> Option<Box<str>> {
    let params = message.params()?;
    if params.raw().len() <= MAX_HELLO {
        return Some(params.raw().into());
    }
    let raw = |name| params.get(name).map(|value| value.raw());
    let version = raw("protocolVersion").unwrap_or("\"\"");
    let capabilities = raw("capabilities").unwrap_or("{}");
    let short = format!(
        r#"{{"protocolVersion":{version},"capabilities":{capabilities},"clientInfo":{{"name":"client","version":"0"}}}}"#
    );
    (short.len() <= MAX_HELLO).then(|| short.into())
}

fn number() -> [u8; 16] {
    let mut number = [0; 16];
    rand::fill(&mut number).expect("the system gives random bytes");
    number
}
