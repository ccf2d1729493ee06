//! What a sampled exchange notes on its way: its spans, and the facts of the request that its own span tells.
//!
//! Text that the configuration already holds is shared, not copied. What the attributes are called is the exporter's
//! business.

use super::id::SpanId;
use crate::record::Name;
use crate::{Fault, Headers, Known, Request, Response, Version};
use std::sync::Arc;
use std::time::Instant;

/// Spans of one exchange beside its own; further ones are not recorded.
const MAX_SPANS: usize = 128;

/// How much of an exchange is told (`traceVerbosity`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The exchange, and what it asked of other servers.
    #[default]
    Minimal,
    /// Also routers, middlewares, retries and services.
    Detailed,
}

/// One step inside an exchange.
#[derive(Debug)]
pub struct Span {
    pub id: SpanId,
    pub parent: SpanId,
    pub start: Instant,
    /// `None`: it ended with the exchange.
    pub end: Option<Instant>,
    /// The span it is inside of, if that is not the exchange's own.
    outer: Option<u32>,
    pub what: What,
}

/// What a span is about.
#[derive(Debug)]
pub enum What {
    Router {
        name: Name,
        service: Option<Name>,
        rule: Name,
    },
    Middleware {
        /// Traefik's name for the kind.
        kind: &'static str,
        name: Name,
    },
    Retry {
        name: Name,
        /// 0 for the first attempt.
        resend: u32,
    },
    Service {
        name: Name,
    },
    /// An attempt at a call of a model.
    Attempt {
        /// The service that was asked.
        target: Name,
        /// What kind of failure came of it, if one did.
        failure: Option<&'static str>,
    },
    Call(Box<Call>),
    /// A call of a language model; what there is to tell of it is in the record at the end. `leg` is its attempt's place among
    /// those of the record: of two with the same, the first is around the second.
    ModelCall {
        leg: usize,
    },
    /// A message to a server of tools; likewise. `of` is its place where a request has several.
    McpCall {
        of: Option<usize>,
    },
}

impl What {
    fn verbosity(&self) -> Verbosity {
        match self {
            What::Call(_) | What::ModelCall { .. } | What::McpCall { .. } => Verbosity::Minimal,
            _ => Verbosity::Detailed,
        }
    }
}

/// A request to another server.
#[derive(Debug, Default)]
pub struct Call {
    /// `ReverseProxy` or `AuthRequest`.
    pub name: &'static str,
    pub method: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port as the server's URL spells them.
    pub authority: String,
    /// Path and query as they were sent, not redacted.
    pub target: String,
    pub version: Version,
    pub user_agent: Option<String>,
    /// 0 when there was no answer.
    pub status: u16,
    /// Why there was none.
    pub failure: Option<String>,
    pub request_headers: Captured,
    pub response_headers: Captured,
}

/// Headers that the configuration asks for: its index among those, and the values.
pub type Captured = Vec<(u16, Vec<String>)>;

/// Names of the headers that spans tell.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    pub request: Vec<String>,
    pub response: Vec<String>,
}

/// The named headers that are there.
fn capture(names: &[String], headers: &Headers) -> Captured {
    let of = |(at, name): (usize, &String)| {
        let values: Vec<String> = headers.get_all(name.as_bytes()).map(text).collect();
        (!values.is_empty()).then_some((u16::try_from(at).ok()?, values))
    };
    names.iter().enumerate().filter_map(of).collect()
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// What a sampled exchange notes.
#[derive(Debug)]
pub struct Recording {
    capture: Arc<Capture>,
    pub verbosity: Verbosity,
    pub spans: Vec<Span>,
    /// The span that what follows is part of; the exchange's own when `None`.
    pub(super) current: Option<u32>,
    pub user_agent: Option<String>,
    /// The version of the configuration that it is served by, where versions are kept.
    pub configuration: Option<u64>,
    /// The scheme the client used, as a trusted proxy in front says it.
    pub scheme: Option<String>,
    /// Bytes of the body as the request declares them.
    pub body_size: Option<u64>,
    pub request_headers: Captured,
    pub response_headers: Captured,
}

/// A span that is open, or nothing: what [`Recording::leave`] needs to know.
#[derive(Debug, Default)]
#[must_use = "a span that is not left is the parent of all that follows"]
pub struct Entered {
    span: Option<u32>,
}

impl Recording {
    pub(super) fn new(capture: &Arc<Capture>) -> Recording {
        Recording {
            capture: capture.clone(),
            verbosity: Verbosity::Minimal,
            spans: Vec::with_capacity(2),
            current: None,
            user_agent: None,
            configuration: None,
            scheme: None,
            body_size: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
        }
    }

    /// Notes the request, as the intake left it.
    pub(super) fn request(&mut self, req: &Request) {
        self.user_agent = req.headers.known(Known::UserAgent).map(text);
        self.scheme = req.headers.known(Known::XForwardedProto).map(text);
        self.body_size = req.body.length();
        self.request_headers = capture(&self.capture.request, &req.headers);
    }

    /// Notes the answer, as the chain gave it.
    pub(super) fn response(&mut self, res: &Response) {
        self.response_headers = capture(&self.capture.response, &res.headers);
    }

    /// Opens a span inside the current one, and makes it the current one.
    pub(super) fn enter(&mut self, root: SpanId, what: What) -> Entered {
        if what.verbosity() > self.verbosity || self.spans.len() >= MAX_SPANS {
            return Entered::default();
        }
        let at = self.spans.len() as u32;
        self.spans.push(Span {
            id: SpanId::random(),
            parent: self.current_id(root),
            start: Instant::now(),
            end: None,
            outer: self.current,
            what,
        });
        self.current = Some(at);
        Entered { span: Some(at) }
    }

    /// What follows is part of what was the current span before. The span itself goes on: like everything that the answer
    /// came through, it ends when the answer's last byte is sent.
    pub(super) fn leave(&mut self, entered: &Entered) {
        if let Some(span) = entered.span.and_then(|at| self.spans.get(at as usize)) {
            self.current = span.outer;
        }
    }

    /// Leaves the current span if it is the one of this middleware.
    pub(super) fn leave_middleware(&mut self, of: &Name) {
        let current = self.current.and_then(|at| self.spans.get(at as usize));
        if let Some(span) = current
            && matches!(&span.what, What::Middleware { name, .. } if Arc::ptr_eq(name, of))
        {
            self.current = span.outer;
        }
    }

    /// Ends a span and all that began since: its answer goes no further.
    pub(super) fn end(&mut self, entered: &Entered) {
        if let Some(at) = entered.span {
            self.end_since(at as usize);
        }
    }

    /// Ends all spans from this one on.
    pub(super) fn end_since(&mut self, at: usize) {
        let now = Instant::now();
        for span in self.spans.iter_mut().skip(at) {
            span.end.get_or_insert(now);
        }
    }

    /// Ends the span of an attempt that failed.
    pub(super) fn fail(&mut self, entered: &Entered, why: &'static str) {
        let span = entered.span.and_then(|at| self.spans.get_mut(at as usize));
        if let Some(What::Attempt { failure, .. }) = span.map(|span| &mut span.what) {
            *failure = Some(why);
        }
        self.leave(entered);
        self.end(entered);
    }

    /// What a request to another server is, as it is sent.
    pub(super) fn describe(
        &self,
        name: &'static str,
        req: &Request,
        scheme: &'static str,
        authority: &str,
    ) -> Call {
        Call {
            name,
            method: req.method.as_str().to_owned(),
            scheme,
            authority: authority.to_owned(),
            target: req.target.as_str().to_owned(),
            version: req.version,
            user_agent: req.headers.known(Known::UserAgent).map(text),
            request_headers: capture(&self.capture.request, &req.headers),
            ..Call::default()
        }
    }

    pub(super) fn answered(&mut self, entered: &Entered, answer: Result<&Response, &Fault>) {
        let span = entered.span.and_then(|at| self.spans.get_mut(at as usize));
        let Some(Span {
            what: What::Call(call),
            end,
            ..
        }) = span
        else {
            return;
        };
        match answer {
            Ok(res) => {
                call.status = res.status;
                call.response_headers = capture(&self.capture.response, &res.headers);
            }
            Err(fault) => {
                call.failure = Some(fault.to_string());
                *end = Some(Instant::now());
            }
        }
    }

    pub(super) fn current_id(&self, root: SpanId) -> SpanId {
        let current = self.current.and_then(|at| self.spans.get(at as usize));
        current.map_or(root, |span| span.id)
    }
}
