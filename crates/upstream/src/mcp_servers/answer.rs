//! What the gateway answers itself.

use super::ask::Failure;
use super::server::Server;
use trilithon_flow::{Exchange, Known, Response};
use trilithon_mcp::error::{self, INTERNAL_ERROR, METHOD_NOT_FOUND, NO_SESSION};
use trilithon_mcp::{Era, Invalid};

/// A message of JSON-RPC.
pub fn json(status: u16, body: impl Into<bytes::Bytes>) -> Response {
    let mut res = Response::bare(status, body);
    res.headers.set_known(Known::ContentType, "application/json");
    res
}

/// An error of JSON-RPC.
pub fn failed(status: u16, id: Option<&str>, code: i64, message: &str) -> Response {
    json(status, error::body(id, code, message))
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

/// No server has such a method. The second era says so in the status too.
pub fn method_not_found(era: Era, id: Option<&str>, method: &str) -> Response {
    let status = match era {
        Era::Legacy => 200,
        Era::Modern => 404,
    };
    failed(
        status,
        id,
        METHOD_NOT_FOUND,
        &format!("Method not found: {method}"),
    )
}

/// The client is to open another session.
pub fn no_session(id: Option<&str>) -> Response {
    failed(404, id, NO_SESSION, "Session not found")
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
    json(200, server_failed_body(server, id, failure))
}

/// The same as a message. What exactly failed is for the log: it may name addresses.
pub fn server_failed_body(server: &Server, id: Option<&str>, failure: &Failure) -> Vec<u8> {
    let why = match failure {
        Failure::Broken(_) => "it cannot be reached, or broke off".to_owned(),
        other => other.to_string(),
    };
    error::body(
        id,
        INTERNAL_ERROR,
        &format!("server `{}` gave no answer: {why}", server.name),
    )
}
