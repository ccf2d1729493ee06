//! What is for one server: it is found by what the message names, and its answer passes on.

use super::ask::{self, Failure, is_json, is_stream};
use super::post::Call;
use super::server::Server;
use super::stream::{self, Telling};
use super::told::Outcome;
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Exchange, Known, Method, Response};
use trilithon_mcp::error::INVALID_PARAMS;
use trilithon_mcp::inward::Named;
use trilithon_mcp::{Era, Session, header, outward};
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
            Ok(res) => self.pass_on(server, res, call, cx).await,
            Err(failure) => {
                server.told.count(Outcome::Failed);
                answer::server_failed(server, call.id(), &failure, cx)
            }
        }
    }

    async fn send(
        &self,
        server: &Server,
        renamed: Option<&str>,
        body: Bytes,
        call: &Call<'_>,
        session: Option<&Session>,
        cx: &mut Exchange,
    ) -> Result<Response, Failure> {
        if let Some(session) = session {
            return self.deliver(session, server, call.head, body, cx).await;
        }
        let mut req = server.request(call.head, Method::Post, body);
        if let Some(name) = renamed
            && req.headers.contains(header::NAME)
        {
            req.headers.set(header::NAME, &*header::encode(name));
        }
        Ok(server.backend.call(req, cx).await)
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
            res.headers.remove_known(Known::ContentLength);
            res.body = stream::passed(res.body.take(), telling, self.keep_alive, place);
            return res;
        }
        if call.era == Era::Legacy && res.status == 404 {
            // It would tell the client that its session with all of them is gone.
            return answer::server_failed(server, call.id(), &Failure::Status(404), cx);
        }
        if well && (res.body.is_empty() || (server.naming.is_plain() && is_json(&res))) {
            return res;
        }
        match read(&mut res, server).await {
            Ok(body) => {
                res.headers.remove_known(Known::ContentLength);
                res.body = Body::from(body);
                res
            }
            Err(failure) => answer::server_failed(server, call.id(), &failure, cx),
        }
    }
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
