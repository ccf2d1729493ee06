//! Reading a request to a model: whole, within its limit, checked, with the call that the record will tell of.

use super::answer;
use bytes::Bytes;
use trilithon_ai::dialect::{self, Dialect};
use trilithon_flow::model_call::{BodyLimit, Operation, name};
use trilithon_flow::{
    Body, BuildError, Exchange, FaultKind, Format, Keep, Known, ModelCall, Request, Response, SharedCall,
};

/// A request to a model.
pub struct Opened {
    /// As the client sent it; [`Opened::put`] gives it, or another, back to the request.
    pub body: Bytes,
    /// What it says.
    pub request: dialect::Request,
    pub call: SharedCall,
}

/// Bytes of the largest request: what is written, or what holds for the process.
///
/// # Errors
/// What is written is no size.
pub fn body_limit(written: Option<i64>, keep: &Keep) -> Result<u64, BuildError> {
    let Some(written) = written else {
        return Ok(BodyLimit::of(keep).models);
    };
    let bytes = u64::try_from(written).ok().filter(|n| *n > 0);
    bytes.ok_or_else(|| {
        BuildError::new(format!("`maxRequestBodySize` {written} is no size"))
            .help("write a number of bytes, such as 1048576")
    })
}

/// Reads the request's body, up to `limit` bytes; `None` for a request without one, which asks nothing of a model.
///
/// A body that is there has to be of the dialect, whatever the path or the content type says: a guard that could be led
/// around by either would be none.
///
/// # Errors
/// The answer, in the dialect: 413 for more than `limit`, 415 for a coded body, 400 for one that is not of the dialect, 501
/// for leaving HTTP.
pub async fn open(
    dialect: Dialect,
    req: &mut Request,
    cx: &mut Exchange,
    limit: u64,
) -> Result<Option<Opened>, Response> {
    if req.upgrade.is_some() {
        return Err(answer::error(
            dialect,
            501,
            "calls of models are not governed after an upgrade",
        ));
    }
    if req.body.is_empty() {
        return Ok(None);
    }
    let call = find_or_make(dialect, req, cx);
    if let Some(coding) = req.headers.known(Known::ContentEncoding)
        && !coding.eq_ignore_ascii_case(b"identity")
    {
        return Err(answer::error(dialect, 415, "the body must not be compressed"));
    }
    let body = match req.body.collect(limit).await {
        Ok(body) => body,
        Err(fault) if fault.kind == FaultKind::TooLarge => {
            let message = format!("the body is larger than {limit} bytes");
            return Err(answer::error(dialect, 413, &message));
        }
        Err(fault) => return Err(Response::from(fault)),
    };
    if body.is_empty() {
        return Ok(None);
    }
    let request = dialect
        .request(&body)
        .map_err(|invalid| answer::json(400, dialect.invalid(&invalid)))?;
    note(&mut call.borrow_mut(), &request);
    req.body = Body::from(body.clone());
    Ok(Some(Opened { body, request, call }))
}

impl Opened {
    /// Sends `body` in place of the one that was read.
    pub fn put(req: &mut Request, body: Bytes) {
        if req.headers.has(Known::ContentLength) {
            let length = itoa::Buffer::new().format(body.len()).to_owned();
            req.headers.set_known(Known::ContentLength, length);
        }
        req.body = Body::from(body);
    }
}

/// The call for a request without a body, which asks nothing of a model: what is answered may be what one said before.
pub fn stored(format: Format, cx: &mut Exchange) -> SharedCall {
    let call = || ModelCall {
        operation: Operation::Retrieve,
        ..ModelCall::new(format)
    };
    cx.model_call.get_or_insert_with(|| call().shared()).clone()
}

/// The call of this exchange: the one that somebody in front made out, or a new one.
fn find_or_make(dialect: Dialect, req: &Request, cx: &mut Exchange) -> SharedCall {
    if let Some(call) = &cx.model_call {
        return call.clone();
    }
    let mut call = ModelCall::new(dialect.format());
    if req.target.path().ends_with("/count_tokens") {
        call.operation = Operation::CountTokens;
    }
    let call = call.shared();
    cx.model_call = Some(call.clone());
    call
}

/// What the client asked for is told by whoever reads it first.
fn note(call: &mut ModelCall, request: &dialect::Request) {
    let model = || request.model.as_deref().map(name);
    if call.asked.is_none() && call.sent.is_none() {
        call.asked = model();
        call.sent = model();
        call.max_output = request.max_output;
    }
    call.stream = request.stream;
}
