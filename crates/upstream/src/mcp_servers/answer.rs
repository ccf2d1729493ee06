//! What the gateway answers itself.

use super::ask::Failure;
use super::server::Server;
use std::sync::Arc;
use trilithon_flow::{Exchange, Known, Response};
use trilithon_mcp::error::{
    self as code, HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND,
    NO_SESSION, PARSE_ERROR, UNSUPPORTED_VERSION,
};
use trilithon_mcp::{Era, Invalid};
use trilithon_wire::json as wire;

/// A message of JSON-RPC.
pub fn json(status: u16, body: impl Into<bytes::Bytes>) -> Response {
    let mut res = Response::bare(status, body);
    res.headers.set_known(Known::ContentType, "application/json");
    res
}

/// Nothing: the client has cancelled what it asked, and waits for no answer.
pub fn cancelled() -> Response {
    let mut res = Response::bare(200, "");
    res.headers.set_known(Known::ContentType, "text/event-stream");
    res
}

/// An error of JSON-RPC.
pub fn failed(status: u16, id: Option<&str>, code: i64, message: &str) -> Response {
    json(status, code::body(id, code, message))
}

/// The answer to what is no message.
pub fn invalid(invalid: &Invalid) -> Response {
    failed(400, invalid.id.as_deref(), invalid.code, &invalid.message)
}

/// Nothing but that it was taken.
pub fn accepted() -> Response {
    Response::new(202)
}

pub fn method_not_allowed(allowed: &str) -> Response {
    let mut res = Response::error(405, "the protocol has no such method");
    res.headers.append("Allow", allowed);
    res
}

/// An error that answers a message.
pub fn error(era: Era, id: Option<&str>, code: i64, message: &str) -> Response {
    failed(status(era, code), id, code, message)
}

/// The status of an answer that is an error: the second era tells some of them by it too.
pub fn status(era: Era, code: i64) -> u16 {
    match (era, code) {
        (Era::Legacy, _) => 200,
        (_, METHOD_NOT_FOUND) => 404,
        (_, PARSE_ERROR | INVALID_REQUEST | INVALID_PARAMS | UNSUPPORTED_VERSION..=HEADER_MISMATCH) => 400,
        _ => 200,
    }
}

/// The status of a message as the answer to one of the second era.
pub fn modern_status(doc: &[u8]) -> u16 {
    let root = wire::parse(doc).ok();
    let code = root.and_then(|root| root.get("error")?.get("code")?.raw().parse().ok());
    status(Era::Modern, code.unwrap_or_default())
}

/// No server has such a method.
pub fn method_not_found(era: Era, id: Option<&str>, method: &str) -> Response {
    error(era, id, METHOD_NOT_FOUND, &format!("Method not found: {method}"))
}

/// No server has answered what all were asked: what they agree on, or what the client can do about it; else that none did, with
/// the status `otherwise`.
pub fn all_failed(
    era: Era,
    id: Option<&str>,
    failures: &[(&Arc<Server>, Failure)],
    what: &str,
    otherwise: u16,
) -> Response {
    if let [(_, Failure::Error(code, message)), rest @ ..] = failures
        && rest
            .iter()
            .all(|(_, f)| matches!(f, Failure::Error(other, _) if other == code))
    {
        return error(era, id, *code, message);
    }
    let refusal = failures.iter().find_map(|(server, failure)| {
        let body = server_failed_body(server, id, failure);
        refusal(server, failure, body)
    });
    refusal.unwrap_or_else(|| match failures {
        [(server, failure)] => json(otherwise, server_failed_body(server, id, failure)),
        _ => failed(otherwise, id, INTERNAL_ERROR, what),
    })
}

/// That a server does not let the client in, for a client whose own credentials it was shown: it can get others. Whoever shows a
/// server the gateway's can do nothing, and is not told to.
fn refusal(server: &Server, failure: &Failure, body: Vec<u8>) -> Option<Response> {
    let Failure::Refused(status, challenge) = failure else {
        return None;
    };
    server.passes_authorization().then(|| {
        let mut res = json(*status, body);
        if let Some(challenge) = challenge {
            res.headers.append("WWW-Authenticate", &**challenge);
        }
        res
    })
}

/// The client is to open another session.
pub fn no_session(id: Option<&str>) -> Response {
    failed(404, id, NO_SESSION, "Session not found")
}

/// An answer that broke off, or was told while its client was away, and that nobody has any more.
pub fn lost_body(id: &str) -> Vec<u8> {
    let message = "the answer is lost: its stream cannot be taken up again";
    code::body(Some(id), INTERNAL_ERROR, message)
}

/// A server gave no answer. The client's transport is well, so that the status is that of an answer.
pub fn server_failed(server: &Server, id: Option<&str>, failure: &Failure, cx: &Exchange) -> Response {
    tracing::warn!(server = &*server.name, %failure, "a server of tools gave no answer");
    if let Some(call) = &cx.mcp_call {
        call.borrow_mut().error = Some(INTERNAL_ERROR.to_string().as_str().into());
    }
    if *failure == Failure::Ended {
        return no_session(id);
    }
    let body = server_failed_body(server, id, failure);
    refusal(server, failure, body.clone()).unwrap_or_else(|| json(200, body))
}

/// The same as a message. What exactly failed is for the log: it may name addresses.
pub fn server_failed_body(server: &Server, id: Option<&str>, failure: &Failure) -> Vec<u8> {
    let why = match failure {
        Failure::Broken(_) => "it cannot be reached, or broke off".to_owned(),
        other => other.to_string(),
    };
    code::body(
        id,
        INTERNAL_ERROR,
        &format!("server `{}` gave no answer: {why}", server.name),
    )
}
