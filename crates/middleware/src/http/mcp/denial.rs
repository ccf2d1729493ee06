//! What those are told who may not.

use super::open::Opened;
use std::sync::Arc;
use trilithon_flow::mcp_call::Subject;
use trilithon_flow::{BuildError, Exchange, Known, McpCall, Response, status};
use trilithon_mcp::metadata::Resource;
use trilithon_mcp::{Era, challenge, error as code};
use trilithon_model::dynamic::http::Mcp as Config;

/// How refusals are answered.
pub struct Denial {
    /// `statusCodeOnDeny`.
    status: u16,
    /// `gracefulErrors`.
    graceful: bool,
    /// The challenge for those of whom nobody knows who they are, where there is somebody to get a token from.
    challenge: Option<Box<str>>,
}

impl Denial {
    /// # Errors
    /// A status that no refusal has; a resource that is none.
    pub fn build(config: &Config) -> Result<Denial, BuildError> {
        let written = config.status_code_on_deny;
        let status = u16::try_from(written)
            .ok()
            .filter(|s| *s == 200 || (400..600).contains(s));
        let status = status.filter(|s| !status::text(*s).is_empty()).ok_or_else(|| {
            BuildError::new(format!("`statusCodeOnDeny` {written} is no status of a refusal"))
                .help("write 403, or 200 for clients that read no other")
        })?;
        let resource = config.resource_metadata.as_ref();
        let resource = resource.and_then(|m| Resource::parse(&m.resource).ok());
        Ok(Denial {
            status,
            graceful: config.graceful_errors,
            challenge: resource.map(|r| challenge::bare(&r.url()).into()),
        })
    }

    /// Whether refusals are results that say so.
    pub fn is_graceful(&self) -> bool {
        self.graceful
    }

    /// The answer to a message that does not pass.
    pub fn answer(&self, opened: &Opened, name: &Arc<str>, cx: &Exchange) -> Response {
        opened.call.borrow_mut().denied_by = Some(name.clone());
        let call = &*opened.call.borrow();
        let forbidden = code::forbidden(era(call));
        if let (Some(challenge), None) = (&self.challenge, cx.identity()) {
            let mut res = error(401, call.answering.id.as_deref(), forbidden, "Unauthorized");
            res.headers.append(Known::WwwAuthenticate.name(), &**challenge);
            return res;
        }
        let told = Told {
            status: self.status,
            code: forbidden,
            message: "Forbidden",
            result: "Forbidden: the gateway does not allow this call.",
        };
        told.answer(call, call.answering.graceful)
    }

    /// The answer to a call whose arguments do not fit: it says `why`, for the model to do better.
    pub fn misfit(&self, opened: &Opened, name: &Arc<str>, why: &str) -> Response {
        opened.call.borrow_mut().denied_by = Some(name.clone());
        let call = &*opened.call.borrow();
        let message = format!("the arguments do not fit the tool's schema: {why}");
        let told = Told {
            status: if self.status == 200 { 200 } else { 400 },
            code: code::INVALID_PARAMS,
            message: &message,
            result: &message,
        };
        told.answer(call, call.answering.graceful)
    }
}

/// What a client is told of a message that does not pass.
pub struct Told<'a> {
    /// Of an error.
    pub status: u16,
    /// JSON-RPC's.
    pub code: i64,
    /// In an error.
    pub message: &'a str,
    /// In a result, for a model to read.
    pub result: &'a str,
}

impl Told<'_> {
    /// The answer: an error, or, where that is wanted of the call of a tool, a result that says so.
    pub fn answer(&self, call: &McpCall, graceful: bool) -> Response {
        let id = call.answering.id.as_deref();
        match self.result(call, id, graceful) {
            Some(result) => json(200, result),
            None => error(self.status, id, self.code, self.message),
        }
    }

    /// What stands in an answer's place in a stream.
    pub fn instead(&self, call: &McpCall, id: &str, graceful: bool) -> Vec<u8> {
        self.result(call, Some(id), graceful)
            .unwrap_or_else(|| code::body(Some(id), self.code, self.message))
    }

    /// Only the answer to the call of a tool can be a result.
    fn result(&self, call: &McpCall, id: Option<&str>, graceful: bool) -> Option<Vec<u8>> {
        let asked = call.answering.id.as_deref();
        let is_call = graceful && matches!(call.subject, Subject::Tool(_)) && asked == id;
        id.filter(|_| is_call)
            .map(|id| code::tool_result(id, era(call), self.result))
    }
}

/// The era of a call.
pub fn era(call: &McpCall) -> Era {
    match call.answering.modern {
        true => Era::Modern,
        false => Era::Legacy,
    }
}

/// An error of JSON-RPC.
pub fn error(status: u16, id: Option<&str>, code: i64, message: &str) -> Response {
    json(status, code::body(id, code, message))
}

fn json(status: u16, body: Vec<u8>) -> Response {
    let mut res = Response::bare(status, body);
    res.headers.set_known(Known::ContentType, "application/json");
    res
}
