//! The first message of a client of the first era: sessions with all servers are opened at once, and what they say of themselves is
//! made one.

use super::all::all;
use super::post::Call;
use super::resume::{now, principal};
use super::{Federation, answer};
use aws_lc_rs::rand;
use trilithon_flow::{Exchange, Response};
use trilithon_mcp::error::{INTERNAL_ERROR, INVALID_PARAMS};
use trilithon_mcp::merge::{self, Hello};
use trilithon_mcp::{Era, Message, Session, header};

/// Bytes of the client's parameters that an id has room for.
const MAX_HELLO: usize = 1536;

impl Federation {
    /// `initialize`. A server that does not answer is opened when it is first needed; until then what it said last counts.
    pub async fn initialize(&self, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let Some(id) = call.id() else {
            return answer::accepted();
        };
        let Some(hello) = hello(&call.message) else {
            let message = "`params` of `initialize` are missing or too large";
            return answer::failed(200, Some(id), INVALID_PARAMS, message);
        };
        let opening = self.servers.iter().map(|server| {
            let mut side = cx.side();
            let hello = &hello;
            async move { self.open(server, hello, call.head, &mut side).await }
        });
        let opened = all(opening.collect::<Vec<_>>()).await;
        let (mut legs, mut said, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for (server, opened) in self.servers.iter().zip(opened) {
            match opened {
                Ok((leg, doc)) => {
                    legs.push(leg);
                    server.said.set(doc.clone());
                    said.extend(Hello::read(&server.name, &doc));
                }
                Err(failure) => {
                    tracing::warn!(server = &*server.name, %failure, "a server of tools opens no session");
                    said.extend(server.said.get().and_then(|doc| Hello::read(&server.name, &doc)));
                    failures.push((server, failure));
                }
            }
        }
        if legs.is_empty() {
            return match &failures[..] {
                [(server, failure)] => answer::server_failed(server, Some(id), failure, cx),
                _ => answer::failed(200, Some(id), INTERNAL_ERROR, "no server opens a session"),
            };
        }
        let mut session = Session {
            number: number(),
            principal: principal(cx),
            created: now(),
            hello,
            legs: legs.clone(),
        };
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
