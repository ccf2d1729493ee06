//! `openApi`: an API as a server of tools. What a message means and what a call asks of the API is `trilithon_mcp::openapi`; here the
//! document is read, and calls go to the service that is the API and come back.

mod ask;
mod document;
mod kept;

use crate::service::{Backend, Child};
use kept::{Kept, Tools};
use std::hash::Hash;
use std::sync::Arc;
use trilithon_flow::limits::MAX_MCP_BODY;
use trilithon_flow::{
    BuildError, Exchange, FaultKind, Keep, Known, Method, Reply, Request, Response, Service, SharedMcpCall,
};
use trilithon_mcp::openapi;
use trilithon_mcp::{Message, error};
use trilithon_model::Secret;
use trilithon_model::dynamic::http::OpenApi as Config;
use trilithon_wire::headers::is_token;

pub use document::{file, is_text};

/// An `openApi` service.
pub struct OpenApi {
    tools: Tools,
    /// Held so that the next snapshot finds it.
    _kept: Arc<Kept>,
    child: Child,
    /// Sent with each call.
    headers: Vec<(String, Secret)>,
    /// Of the caller, sent on.
    pass: Vec<String>,
    /// Bytes of the largest answer.
    max_answer: u64,
}

impl OpenApi {
    /// The service with the qualified name `name`; `child` is the API.
    ///
    /// # Errors
    /// The document cannot be read, is too large, or is none; a header that is none; sizes that are none.
    pub fn build(name: &str, config: &Config, child: Child, keep: &Keep) -> Result<OpenApi, BuildError> {
        let names = config.headers.keys().chain(&config.pass_headers);
        for header in names {
            if header.is_empty() || !header.bytes().all(is_token) {
                return Err(BuildError::new(format!("`{header}` is no name of a header")).at(header, 0));
            }
        }
        for (header, value) in &config.headers {
            if value.expose().contains(['\r', '\n', '\0']) {
                return Err(BuildError::new(format!(
                    "the value of header `{header}` holds a line break"
                )));
            }
        }
        let is_path = |base: &str| {
            base.starts_with('/') && base.bytes().all(|b| b.is_ascii_graphic() && !b"{?#".contains(&b))
        };
        let base = config.base_path.as_deref().filter(|base| !base.is_empty());
        if let Some(base) = base.filter(|base| !is_path(base)) {
            return Err(BuildError::new(format!("`basePath` `{base}` is no path"))
                .at(base, 0)
                .help("write `/v1`"));
        }
        let kept = keep.get(name, &identity(config), Kept::default);
        let tools = kept.tools(name, config)?;
        Ok(OpenApi {
            tools,
            _kept: kept,
            child,
            headers: config.headers.clone().into_iter().collect(),
            pass: config.pass_headers.clone(),
            max_answer: size("maxAnswerSize", config.max_answer_size)?,
        })
    }

    async fn serve(&self, mut req: Request, cx: &mut Exchange) -> Response {
        let api = &*self.tools.api;
        if req.method != Method::Post || req.upgrade.is_some() {
            let mut res = refused(
                405,
                "only POST carries a message: there are no sessions, and no stream to listen to",
            );
            res.headers.append("Allow", "POST");
            return res;
        }
        let body = match req.body.collect(MAX_MCP_BODY).await {
            Ok(body) => body,
            Err(fault) if fault.kind == FaultKind::TooLarge => {
                return refused(413, &format!("the message is larger than {MAX_MCP_BODY} bytes"));
            }
            Err(fault) => return Response::from(fault),
        };
        let layout = cx.mcp_layout.take();
        let message = match Message::known(&body, layout.as_ref()) {
            Ok(message) => message,
            Err(invalid) => {
                return json(
                    400,
                    error::body(invalid.id.as_deref(), invalid.code, &invalid.message),
                );
            }
        };
        let told = cx.mcp_call.get_or_insert_with(|| message.call().shared()).clone();
        match openapi::reply(api, &message, &req.headers) {
            openapi::Reply::Taken => Response::bare(202, ""),
            openapi::Reply::Message(status, body) => json(status, body),
            openapi::Reply::Call(call) => {
                let answer = self.ask(&call, &req, cx).await;
                if answer.failed {
                    tell(&told);
                }
                json(200, answer.message)
            }
        }
    }
}

/// Tells the record that the tool failed.
fn tell(call: &SharedMcpCall) {
    call.borrow_mut().error = Some("tool_error".into());
}

/// What has to stay the same for tools of an earlier document to be those of this service.
fn identity(config: &Config) -> impl Hash {
    let headers: Vec<String> = config.headers.keys().cloned().collect();
    (
        config.document.clone(),
        config.operations.clone(),
        config.base_path.clone(),
        headers,
    )
}

/// A number of bytes.
fn size(option: &str, written: i64) -> Result<u64, BuildError> {
    u64::try_from(written).ok().filter(|n| *n > 0).ok_or_else(|| {
        BuildError::new(format!("`{option}` {written} is no size"))
            .help("write a number of bytes, such as 1048576")
    })
}

fn refused(status: u16, message: &str) -> Response {
    json(status, error::body(None, error::INVALID_REQUEST, message))
}

fn json(status: u16, body: Vec<u8>) -> Response {
    let mut res = Response::bare(status, body);
    res.headers.set_known(Known::ContentType, "application/json");
    res
}

impl Service for OpenApi {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(self.serve(req, cx))
    }
}

impl Backend for OpenApi {
    fn status(&self) -> Option<Arc<crate::Status>> {
        self.child.backend.status()
    }

    fn status_refusal(&self) -> String {
        self.child.backend.status_refusal()
    }

    fn warnings(&self) -> Vec<BuildError> {
        self.tools.stale.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
