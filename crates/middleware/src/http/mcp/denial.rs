//! What those are told who may not.

use super::open::Opened;
use std::sync::Arc;
use trilithon_flow::{BuildError, Exchange, Known, Response, status};
use trilithon_mcp::metadata::Resource;
use trilithon_mcp::{challenge, error as code};
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

    /// The answer to a message that does not pass.
    pub fn answer(&self, opened: &Opened, name: &Arc<str>, cx: &Exchange) -> Response {
        opened.call.borrow_mut().denied_by = Some(name.clone());
        let id = opened.id.as_deref();
        let forbidden = code::forbidden(opened.era);
        if let (Some(challenge), None) = (&self.challenge, cx.identity()) {
            let mut res = error(401, id, forbidden, "Unauthorized");
            res.headers.append(Known::WwwAuthenticate.name(), &**challenge);
            return res;
        }
        match id {
            Some(id)
                if self.graceful
                    && opened.asked.tool().is_some()
                    && &*opened.asked.method == "tools/call" =>
            {
                let said = "Forbidden: the gateway does not allow this call.";
                json(200, code::tool_result(id, opened.era, said))
            }
            _ => error(self.status, id, forbidden, "Forbidden"),
        }
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
