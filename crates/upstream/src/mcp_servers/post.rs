//! A message of a client: read, and brought to who it is for.

use super::parked::{Client, Said};
use super::{Federation, answer};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use trilithon_flow::{Exchange, FaultKind, Known, Request, Response};
use trilithon_mcp::error::{HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, unsupported_version};
use trilithon_mcp::message::{CAPABILITIES, VERSION};
use trilithon_mcp::{Abilities, Era, Invalid, Level, List, Message, header, part};
use trilithon_wire::json::Kind;

/// A message that was read.
pub struct Call<'m> {
    /// The request without its body.
    pub head: &'m Request,
    pub body: &'m Bytes,
    pub message: Message<'m>,
    pub era: Era,
}

impl Call<'_> {
    /// The message's `id`, as it is written; `None` for a notification.
    pub fn id(&self) -> Option<&str> {
        self.message.id.as_ref().map(|id| id.raw())
    }

    /// What the client says it can be asked, in the second era.
    pub fn abilities(&self) -> Abilities {
        Abilities::read(self.message.value(part::CAPABILITIES).as_ref())
    }

    /// What the client wants to be told of what servers log, in the second era.
    pub fn level(&self) -> Option<Level> {
        Level::read(self.message.value(part::LOG_LEVEL).as_ref())
    }

    /// The client, for a call that is heard by whoever repeats it.
    pub fn client(&self) -> (Client, Receiver<Said>) {
        Client::new(self.id().unwrap_or("null"), self.abilities(), self.level())
    }
}

impl Federation {
    pub async fn post(self: &Arc<Federation>, mut req: Request, cx: &mut Exchange) -> Response {
        let coding = req.headers.known(Known::ContentEncoding);
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return answer::failed(415, None, INVALID_REQUEST, "the body must not be compressed");
        }
        let limit = self.max_body;
        let body = match req.body.collect(limit).await {
            Ok(body) => body,
            Err(fault) if fault.kind == FaultKind::TooLarge => {
                let message = format!("the message is larger than {limit} bytes");
                return answer::failed(413, None, INVALID_REQUEST, &message);
            }
            Err(fault) => return Response::from(fault),
        };
        // Who holds the client's body holds its connection, and does not notice that it has left.
        drop(req.body.take());
        let layout = cx.mcp_layout.take();
        let message = match Message::known(&body, layout.as_ref()) {
            Ok(message) => message,
            Err(invalid) => return answer::invalid(&invalid),
        };
        if let Err(header::Mismatch(name)) = header::verify(&req.headers, &message) {
            return answer::invalid(&Invalid {
                code: HEADER_MISMATCH,
                message: format!("header mismatch: `{name}` does not say what the message says"),
                id: message.id.as_ref().map(|id| id.raw().to_owned()),
            });
        }
        // Without the middleware `mcp` nobody has told the record yet.
        cx.mcp_call.get_or_insert_with(|| message.call().shared());
        // Who names a revision in each message speaks the second era, whichever revision that is.
        let era = match message.value(part::VERSION) {
            Some(_) => Era::Modern,
            None => message.era(req.headers.known_str(Known::McpProtocolVersion)),
        };
        let call = Call {
            era,
            head: &req,
            body: &body,
            message,
        };
        match call.era {
            Era::Legacy => self.legacy(&call, cx).await,
            Era::Modern => Box::pin(self.modern(&call, cx)).await,
        }
    }

    // What is rare is boxed: a future is as large as the largest thing that it may wait for, and is copied when it begins.
    async fn legacy(self: &Arc<Federation>, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let method = call.message.method();
        if method == "initialize" {
            return Box::pin(self.initialize(call, cx)).await;
        }
        let session = match self.session(call.head, call.id(), cx) {
            Ok(session) => session,
            Err(refusal) => return refusal,
        };
        match (method, call.id()) {
            ("" | "notifications/progress", _) => Box::pin(self.give_back(call, &session, cx)).await,
            // Servers were told when their sessions were opened.
            ("notifications/initialized", None) => answer::accepted(),
            (_, None) => Box::pin(self.tell_all(call, &session, cx)).await,
            ("ping", Some(id)) => {
                answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#))
            }
            ("logging/setLevel", Some(id)) => Box::pin(self.set_level(call, id, &session, cx)).await,
            (method, Some(id)) => match List::of(method) {
                Some(list) => Box::pin(self.list(call, id, list, Some(&session), cx)).await,
                None => self.route(call, Some(&session), cx).await,
            },
        }
    }

    async fn modern(self: &Arc<Federation>, call: &Call<'_>, cx: &mut Exchange) -> Response {
        let Some(id) = call.id() else {
            // The client has nothing to tell but by its requests.
            return answer::accepted();
        };
        if let Err(refusal) = check_modern(call, id) {
            return refusal;
        }
        match call.message.method() {
            "" => answer::failed(400, Some(id), INVALID_REQUEST, "nothing was asked of the client"),
            "server/discover" => Box::pin(self.discover(call, cx)).await,
            "subscriptions/listen" => Box::pin(self.subscribe(call, id, cx)).await,
            method => match List::of(method) {
                Some(list) => Box::pin(self.list(call, id, list, None, cx)).await,
                None => self.route(call, None, cx).await,
            },
        }
    }
}

/// What a request of the second era must say of itself.
fn check_modern(call: &Call<'_>, id: &str) -> Result<(), Response> {
    let message = &call.message;
    let version = message.value(part::VERSION).and_then(|v| v.text());
    let Some(version) = version.map(|v| v.to_str()) else {
        let why = format!("`params._meta` does not say in `{VERSION}` which revision the request follows");
        return Err(answer::error(call.era, Some(id), INVALID_PARAMS, &why));
    };
    if !Era::MODERN.contains(&&*version) {
        let body = unsupported_version(Some(id), &version, &Era::MODERN);
        return Err(answer::json(400, body));
    }
    if message
        .value(part::CAPABILITIES)
        .is_none_or(|c| c.kind() != Kind::Object)
    {
        let why = format!("`params._meta` does not say in `{CAPABILITIES}` what the client can do");
        return Err(answer::error(call.era, Some(id), INVALID_PARAMS, &why));
    }
    match header::missing(&call.head.headers, message) {
        Some(name) => {
            let why = format!("header mismatch: `{name}` is missing");
            Err(answer::error(call.era, Some(id), HEADER_MISMATCH, &why))
        }
        None => Ok(()),
    }
}
