//! Reading a server's answer whole, where it is part of another answer.

use bytes::Bytes;
use std::fmt;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Fault, FaultKind, Known, Response};
use trilithon_wire::json;
use trilithon_wire::sse::Frames;

/// Why a server gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It answered with this status, and no message.
    Status(u16),
    /// It does not let the caller in: the status, and what it says of how to get in (`WWW-Authenticate`).
    Refused(u16, Option<Box<str>>),
    /// It could not be reached, or broke off.
    Broken(String),
    /// What it said is no answer.
    Unreadable(String),
    /// It answered with an error: code and message.
    Error(i64, String),
    TooLate,
    /// It was not asked, since it has not answered lately.
    Away,
    /// The session has ended.
    Ended,
    /// The client has cancelled it.
    Cancelled,
    /// Its user did not look at a page that the server needs to have been looked at. The server was not asked again.
    Declined,
}

impl Failure {
    /// Whether it says that the server does not know what it was asked, and not that it could not say.
    pub fn is_a_no(&self) -> bool {
        match self {
            Failure::Error(..) => true,
            Failure::Status(status) => matches!(status, 400 | 405 | 406 | 501),
            Failure::Refused(..)
            | Failure::Unreadable(_)
            | Failure::Broken(_)
            | Failure::TooLate
            | Failure::Away
            | Failure::Ended
            | Failure::Cancelled
            | Failure::Declined => false,
        }
    }

    /// Whether it says that the server is not there, and nothing of what it was asked.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Failure::Broken(_) | Failure::TooLate | Failure::Status(502..=504)
        )
    }

    /// Why the exchange with a server failed.
    pub fn of(fault: &Fault) -> Failure {
        match fault.kind {
            FaultKind::TooLarge => Failure::Unreadable(fault.to_string()),
            _ => Failure::Broken(fault.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Status(status) | Failure::Refused(status, _) => {
                write!(f, "it answered with status {status}")
            }
            Failure::Broken(why) => f.write_str(why),
            Failure::Unreadable(why) => write!(f, "its answer cannot be read: {why}"),
            Failure::Error(code, message) => write!(f, "it answered with error {code}: {message}"),
            Failure::TooLate => f.write_str("it did not answer in time"),
            Failure::Away => f.write_str("it has not answered lately, and was not asked"),
            Failure::Ended => f.write_str("the session has ended"),
            Failure::Cancelled => f.write_str("the client has cancelled it"),
            Failure::Declined => f.write_str("the user did not look at the page that it needs"),
        }
    }
}

/// The message that answers a request, in a body or in a stream of events; what a stream says besides is not passed on.
///
/// # Errors
/// There is none, or it is an error.
pub async fn answer(res: &mut Response) -> Result<Bytes, Failure> {
    if let Some(fault) = &res.fault {
        return Err(Failure::of(fault));
    }
    let doc = if is_stream(res) {
        from_stream(&mut res.body).await?
    } else {
        let collected = res.body.collect(MAX_MCP_ANSWER as u64).await;
        collected.map_err(|fault| Failure::of(&fault))?
    };
    // Who may not ask learns nothing of what the server can.
    if let Some(refused) = refused(res) {
        return Err(refused);
    }
    match json::parse(&doc) {
        Ok(root) if root.get("result").is_some() => Ok(doc),
        Ok(root) => match root.get("error") {
            Some(error) => {
                let code = error.get("code").and_then(|c| c.raw().parse().ok());
                let message = error.get("message").and_then(|m| m.text());
                let message = message.map(|m| m.to_str().into_owned());
                Err(Failure::Error(
                    code.unwrap_or_default(),
                    message.unwrap_or_default(),
                ))
            }
            None => Err(status_or(res.status, "it is no answer")),
        },
        Err(error) => Err(status_or(res.status, &error.to_string())),
    }
}

/// That a server does not let the caller in, or not now, if it does not.
pub fn refused(res: &Response) -> Option<Failure> {
    match res.status {
        401 | 403 => {
            let challenge = res.headers.get_str("WWW-Authenticate").map(Into::into);
            Some(Failure::Refused(res.status, challenge))
        }
        407 | 421 | 429 => Some(Failure::Status(res.status)),
        _ => None,
    }
}

/// What a status says of a body that is no message.
pub fn status_or(status: u16, why: &str) -> Failure {
    match status {
        200..300 => Failure::Unreadable(why.to_owned()),
        status => Failure::Status(status),
    }
}

async fn from_stream(body: &mut Body) -> Result<Bytes, Failure> {
    let mut cut = Frames::new(MAX_MCP_ANSWER);
    let mut held: Vec<u8> = Vec::new();
    loop {
        let chunk = body.chunk().await.transpose();
        let chunk = chunk.map_err(|fault| Failure::of(&fault))?;
        let ended = chunk.is_none();
        held.extend_from_slice(&chunk.unwrap_or_default());
        loop {
            let next = cut.next_or_rest(&held, ended);
            let next = next.map_err(|_| Failure::Unreadable("an event is too large".to_owned()))?;
            let Some(frame) = next else { break };
            let data = frame.data(&held).into_owned();
            held.drain(..frame.len);
            if is_answer(&data) {
                return Ok(data.into());
            }
        }
        if ended {
            return Err(Failure::Unreadable(
                "the stream ended without an answer".to_owned(),
            ));
        }
    }
}

/// Whether a message answers a request.
pub fn is_answer(data: &[u8]) -> bool {
    let Ok(root) = json::parse(data) else {
        return false;
    };
    root.get("method").is_none() && (root.get("result").is_some() || root.get("error").is_some())
}

/// Whether an answer is a stream of events.
pub fn is_stream(res: &Response) -> bool {
    has_type(res, b"text/event-stream")
}

/// Whether an answer is one message.
pub fn is_json(res: &Response) -> bool {
    has_type(res, b"application/json")
}

fn has_type(res: &Response, wanted: &[u8]) -> bool {
    let kind = res.headers.known(Known::ContentType).unwrap_or_default();
    let (kind, rest) = kind.split_at(kind.len().min(wanted.len()));
    kind.eq_ignore_ascii_case(wanted) && rest.trim_ascii_start().first().is_none_or(|b| *b == b';')
}
