//! The first message of a client: sessions with all servers are opened at once, and what they say of themselves is made one.

use super::all::all;
use super::ask::Failure;
use super::post::Call;
use super::resume::{now, principal};
use super::server::Server;
use super::{Federation, answer};
use aws_lc_rs::rand;
use bytes::Bytes;
use trilithon_flow::{Exchange, Response};
use trilithon_mcp::error::{INTERNAL_ERROR, INVALID_PARAMS};
use trilithon_mcp::merge::{self, Hello, Speaker};
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

impl Federation {
    /// `server/discover`: the same in the second era.
    pub async fn discover(&self, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let Some(id) = call.id() else {
            return answer::accepted();
        };
        let asked = self.servers.iter().map(|server| {
            let mut side = cx.side();
            async move {
                let asking = self.what_it_can(server, call, &mut side);
                let said = tokio::time::timeout(self.timeout, asking).await;
                (server, said.unwrap_or(Err(Failure::TooLate)))
            }
        });
        let answers = all(asked.collect::<Vec<_>>()).await;
        let mut said = Vec::new();
        let mut failures = Vec::new();
        for (server, answer) in answers {
            match answer {
                Ok(doc) => said.extend(Hello::read(&server.name, &doc).map(|h| h.of_era(Era::Modern))),
                Err(failure) => {
                    tracing::warn!(server = &*server.name, %failure, "a server of tools does not say what it can");
                    failures.push(failure);
                }
            }
        }
        if said.is_empty() {
            return answer::all_failed(call.era, Some(id), &failures, "no server says what it can");
        }
        let whole = failures.is_empty();
        let body = merge::discover(id, &said, &Era::MODERN, self.speaker(), whole);
        answer::json(200, body)
    }

    /// What a server says of itself to a client of the second era; one of the first says it when a session is opened.
    async fn what_it_can(
        &self,
        server: &Server,
        call: &Call<'_>,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        match self.bridge(server, call.head, cx).await? {
            None => self.ask(server, None, call.head, call.body.clone(), cx).await,
            Some(bridge) => {
                self.leg(&bridge.session, server, None, call.head, cx).await?;
                let unknown = || Failure::Unreadable("it said nothing of itself".to_owned());
                server.said.get().ok_or_else(unknown)
            }
        }
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker {
            name: self.name.split('@').next().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION"),
            only: self.only().is_some(),
        }
    }
}
