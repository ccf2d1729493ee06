//! Reading a message: whole, within its limit, and where rules decide by it strictly.

use super::denial::error;
use bytes::Bytes;
use std::rc::Rc;
use trilithon_flow::mcp_call::{Asked, Layout};
use trilithon_flow::{Body, Exchange, FaultKind, Known, McpCall, Method, Request, Response, SharedMcpCall};
use trilithon_mcp::{Era, Invalid, Message, error as code, header};
use trilithon_wire::Headers;

/// A message that was read.
pub struct Opened {
    pub asked: Rc<Asked>,
    /// The record of it; where it was read before, the same, with what guards in front saw.
    pub call: SharedMcpCall,
}

/// Reads the message that a request carries, and tells the exchange of it; `None` for a request without one. Its bytes stay as they
/// are.
///
/// `strict`: what cannot be read does not pass, whatever the content type says. Otherwise it passes unread.
///
/// # Errors
/// The answer: 413 for more than `limit` bytes; where it is strict, 400 for what is no message, or one that its headers contradict,
/// 405 for a method that the protocol does not have, 415 for a coded body, 501 for leaving HTTP.
pub async fn open(
    req: &mut Request,
    cx: &mut Exchange,
    limit: u64,
    strict: bool,
) -> Result<Option<Opened>, Response> {
    if req.upgrade.is_some() || req.method != Method::Post {
        return if strict {
            bodiless(req).map(|()| None)
        } else {
            Ok(None)
        };
    }
    let coding = req.headers.known(Known::ContentEncoding);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return match strict {
            true => Err(refused(415, "the body must not be compressed")),
            false => Ok(None),
        };
    }
    let body = whole(req, limit).await?;
    match read(&body, &req.headers, strict) {
        Ok((asked, read, layout)) => {
            let (asked, call) = (Rc::new(asked), shared(cx));
            cx.mcp = Some(asked.clone());
            cx.mcp_layout = Some(layout);
            note(&mut call.borrow_mut(), read);
            Ok(Some(Opened { asked, call }))
        }
        Err(invalid) if strict => {
            tracing::debug!(%invalid, "no message of the Model Context Protocol");
            Err(error(400, invalid.id.as_deref(), invalid.code, &invalid.message))
        }
        Err(_) => Ok(None),
    }
}

/// Reads the body of a request, which stays in it.
///
/// # Errors
/// The answer: 413 for more than `limit` bytes.
pub async fn whole(req: &mut Request, limit: u64) -> Result<Bytes, Response> {
    match req.body.collect(limit).await {
        Ok(body) => {
            req.body = Body::from(body.clone());
            Ok(body)
        }
        Err(fault) if fault.kind == FaultKind::TooLarge => {
            Err(refused(413, &format!("the message is larger than {limit} bytes")))
        }
        Err(fault) => Err(Response::from(fault)),
    }
}

/// A request without a message, of a method that the protocol has.
fn bodiless(req: &Request) -> Result<(), Response> {
    if req.upgrade.is_some() {
        return Err(refused(501, "calls of tools are not governed after an upgrade"));
    }
    match req.method {
        Method::Get | Method::Head | Method::Delete | Method::Options if req.body.is_empty() => Ok(()),
        Method::Get | Method::Head | Method::Delete | Method::Options => {
            Err(refused(400, "only a POST carries a message"))
        }
        _ => {
            let mut res = refused(405, "the protocol has GET, POST and DELETE");
            res.headers.append("Allow", "GET, POST, DELETE");
            Err(res)
        }
    }
}

/// The record of this exchange's messages.
pub fn shared(cx: &mut Exchange) -> SharedMcpCall {
    cx.mcp_call
        .get_or_insert_with(|| McpCall::default().shared())
        .clone()
}

/// What was read is told; what others noted of the same message stays.
fn note(call: &mut McpCall, read: McpCall) {
    call.method = read.method;
    call.subject = read.subject;
    call.id = read.id;
    call.version = read.version;
    call.answering.id = read.answering.id;
    call.answering.modern = read.answering.modern;
}

fn read(body: &Bytes, headers: &Headers, strict: bool) -> Result<(Asked, McpCall, Layout), Invalid> {
    let message = Message::read(body)?;
    let id = message.id.as_ref().map(|id| id.raw());
    if strict && let Err(header::Mismatch(name)) = header::verify(headers, &message) {
        return Err(Invalid {
            code: code::HEADER_MISMATCH,
            message: format!("header mismatch: `{name}` does not say what the message says"),
            id: id.map(str::to_owned),
        });
    }
    let era = message.era(headers.known_str(Known::McpProtocolVersion));
    let mut call = message.call();
    call.answering.id = id.map(Into::into);
    call.answering.modern = era == Era::Modern;
    let asked = message.asked(body, &call);
    Ok((asked, call, message.layout(body.clone())))
}

fn refused(status: u16, message: &str) -> Response {
    error(status, None, code::INVALID_REQUEST, message)
}
