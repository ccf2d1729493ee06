//! What is for one server: it is found by what the message names, and its answer passes on.

use super::ask::{self, Failure, is_json, is_stream};
use super::converse::Conversation;
use super::cross::{Cancel, is_modern};
use super::post::Call;
use super::server::Server;
use super::stream::{self, Out, Telling};
use super::told::Outcome;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Exchange, Known, Method, Response};
use trilithon_mcp::bridge::{self, Questions};
use trilithon_mcp::error::{INVALID_PARAMS, METHOD_NOT_FOUND};
use trilithon_mcp::inward::Named;
use trilithon_mcp::{Era, EventId, List, Session, Stream, header, outward};
use trilithon_wire::json;

/// JSON-RPC's code for a resource that is not there, in the first era.
const NO_RESOURCE: i64 = -32002;

impl Federation {
    /// The server that a name or an address belongs to, and how that server calls it.
    pub fn find<'f, 'n>(&'f self, is_name: bool, outer: &'n str) -> Option<(&'f Arc<Server>, &'n str)> {
        let found = self.servers.iter().filter_map(|server| {
            let inner = match is_name {
                true => server.naming.name_in(outer)?,
                false => server.naming.uri_in(outer)?,
            };
            Some((server, inner))
        });
        // The longest prefix: one may begin with another.
        found.min_by_key(|(_, inner)| inner.len())
    }

    /// A message for one server.
    pub async fn route(
        self: &Arc<Federation>,
        call: &Call<'_>,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Response {
        let (server, inner) = match (Named::of(&call.message), self.only()) {
            (Some(named), _) => {
                let text = named.text();
                match self.find(matches!(named, Named::Name(_)), &text) {
                    Some((server, inner)) if *inner == *text => (server, None),
                    Some((server, inner)) => (server, Some((inner.to_owned(), named))),
                    None => return self.unknown(call, &named),
                }
            }
            (None, Some(only)) => (only, None),
            (None, None) => return answer::method_not_found(call.era, call.id(), call.message.method()),
        };
        if let Some(call) = &cx.mcp_call {
            call.borrow_mut().server = Some(server.name.clone());
        }
        let body = match &inner {
            Some((inner, named)) => named.replaced(call.body, inner).into(),
            None => call.body.clone(),
        };
        let sent = self
            .send(server, inner.as_ref().map(|(i, _)| &**i), body, call, session, cx)
            .await;
        match sent {
            Ok((res, crossing)) => self.pass_on(server, res, crossing, call, cx).await,
            Err(Failure::Error(METHOD_NOT_FOUND, _)) => {
                answer::method_not_found(call.era, call.id(), call.message.method())
            }
            Err(failure) => {
                server.told.count(Outcome::Failed);
                answer::server_failed(server, call.id(), &failure, cx)
            }
        }
    }

    async fn send(
        &self,
        server: &Arc<Server>,
        renamed: Option<&str>,
        body: Bytes,
        call: &Call<'_>,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Result<(Response, Crossing), Failure> {
        if let Some(session) = session {
            let (leg, res) = self.deliver(session, server, call.head, body.clone(), cx).await?;
            return Ok(match is_modern(&leg) {
                true => (res, Crossing::Up(session.clone(), body)),
                false => (res, Crossing::None),
            });
        }
        if let Some(bridge) = self.bridge(server, call.head, cx).await? {
            if !crosses(call.message.method()) {
                // The server may have it, but no client of the second era does.
                return Err(Failure::Error(METHOD_NOT_FOUND, String::new()));
            }
            let leg = self.leg(&bridge.session, server, None, call.head, cx).await?;
            // The client may leave from now on.
            let cancel = Box::new(Cancel::new(server, leg, call.head, bridge.number, cx));
            let body = bridge.renumbered(&body).into();
            let (_, res) = self.deliver(&bridge.session, server, call.head, body, cx).await?;
            return Ok((res, Crossing::Down(cancel)));
        }
        let mut req = server.request(call.head, Method::Post, body);
        if let Some(name) = renamed
            && req.headers.contains(header::NAME)
        {
            req.headers.set(header::NAME, &*header::encode(name));
        }
        Ok((server.backend.call(req, cx).await, Crossing::None))
    }

    fn unknown(&self, call: &Call<'_>, named: &Named<'_>) -> Response {
        let (code, what) = match (named, call.era) {
            (Named::Uri(_), Era::Legacy) => (NO_RESOURCE, "Resource not found"),
            (Named::Uri(_), Era::Modern) => (INVALID_PARAMS, "Resource not found"),
            (Named::Name(_), _) => (INVALID_PARAMS, "No server has this name"),
        };
        answer::error(call.era, call.id(), code, &format!("{what}: {}", named.text()))
    }

    /// The answer of a server, as the client is to see it.
    async fn pass_on(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        mut res: Response,
        crossing: Crossing,
        call: &Call<'_>,
        cx: &mut Exchange,
    ) -> Response {
        res.headers.remove(header::SESSION_ID);
        let well = (200..300).contains(&res.status) && res.fault.is_none();
        server
            .told
            .count(if well { Outcome::Answered } else { Outcome::Failed });
        if well && is_stream(&res) {
            let Some(place) = self.places.take() else {
                return stream::no_place(call.id());
            };
            let telling = Telling::new(server.clone(), call.id(), call.era);
            let telling = match crossing {
                Crossing::None => telling,
                Crossing::Down(cancel) => telling.bridged(call.message.method(), cancel),
                Crossing::Up(session, body) => {
                    let talk = self.conversation(server, session, body, call, cx);
                    return talk.answer(res, self.keep_alive, place);
                }
            };
            res.headers.remove_known(Known::ContentLength);
            res.body = stream::passed(res.body.take(), telling, self.keep_alive, place);
            return res;
        }
        let same = matches!(crossing, Crossing::None);
        if well && (res.body.is_empty() || (same && server.naming.is_plain() && is_json(&res))) {
            return res;
        }
        match read(&mut res, server).await {
            Ok(body) => {
                res.headers.remove_known(Known::ContentLength);
                // In the first era 404 would say that the session with all servers is gone, and what is told by a status of the
                // second one is told by the message.
                if call.era == Era::Legacy && (res.status == 404 || !same) {
                    res.status = 200;
                }
                self.crossed(server, res, body, crossing, call, cx)
            }
            Err(failure) => answer::server_failed(server, call.id(), &failure, cx),
        }
    }

    /// A whole answer, as a client of another era takes it.
    fn crossed(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        mut res: Response,
        body: Bytes,
        crossing: Crossing,
        call: &Call<'_>,
        cx: &Exchange,
    ) -> Response {
        res.body = Body::from(match crossing {
            Crossing::None => body,
            Crossing::Down(cancel) => {
                cancel.answered();
                let id = call.id().unwrap_or("null");
                match bridge::modern_answer(&body, id, call.message.method()) {
                    Ok(body) => {
                        let code = json::parse(&body)
                            .ok()
                            .and_then(|root| root.get("error")?.get("code")?.raw().parse().ok());
                        res.status = answer::status(Era::Modern, code.unwrap_or_default());
                        body.into()
                    }
                    Err(error) => {
                        let failure = Failure::Unreadable(error.to_string());
                        return answer::server_failed(server, call.id(), &failure, cx);
                    }
                }
            }
            Crossing::Up(session, asked) if Questions::read(&body).is_some() => {
                let Some(place) = self.places.take() else {
                    return stream::no_place(call.id());
                };
                res.body = Body::from(body);
                let talk = self.conversation(server, session, asked, call, cx);
                return talk.answer(res, self.keep_alive, place);
            }
            Crossing::Up(..) => body,
        });
        res
    }

    fn conversation(
        self: &Arc<Federation>,
        server: &Arc<Server>,
        session: Session,
        body: Bytes,
        call: &Call<'_>,
        cx: &Exchange,
    ) -> Conversation {
        let of = Stream::Answer(call.id().unwrap_or("0").into());
        Conversation {
            federation: self.clone(),
            server: server.clone(),
            session,
            head: call.head.clone_head(),
            body,
            telling: Telling::new(server.clone(), call.id(), call.era).conversing(),
            out: Out::new(EventId::new(of)),
            exchange: cx.side(),
        }
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

/// Which eras a message and its answer go between.
enum Crossing {
    /// Both are of one.
    None,
    /// The client is of the second, the server of the first.
    Down(Box<Cancel>),
    /// The client is of the first, the server of the second; the message may have to be sent again.
    Up(Session, Bytes),
}

/// The message in an answer that is none of a stream, whatever its status.
async fn read(res: &mut Response, server: &Server) -> Result<Bytes, Failure> {
    if let Some(fault) = &res.fault {
        return Err(Failure::Broken(fault.to_string()));
    }
    let body = res.body.collect(MAX_MCP_ANSWER as u64).await;
    let body = body.map_err(|fault| Failure::Broken(fault.to_string()))?;
    let is_message = json::parse(&body).is_ok_and(|root| root.get("jsonrpc").is_some());
    if !is_message {
        return Err(ask::status_or(res.status, "it is no message"));
    }
    let passed = outward::message(&body, &server.name, &server.naming);
    let passed = passed.map_err(|error| Failure::Unreadable(error.to_string()))?;
    Ok(passed.doc.map_or(body, Into::into))
}
