//! What happened in one exchange: written once at its end, read by the access log, the metrics and whatever comes to watch.

use crate::undo::{Tickets, Undo};
use crate::{Decision, Fault, Headers, Identity, McpCall, ModelCall, TlsInfo, Trace, Tracer, Version};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Names that the record, the log and the metrics share, made once per snapshot.
pub type Name = Arc<str>;

/// The kind of traffic, as the metrics' `protocol` label names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Protocol {
    #[default]
    Http,
    Sse,
    Websocket,
    Grpc,
    GrpcWeb,
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Sse => "sse",
            Protocol::Websocket => "websocket",
            Protocol::Grpc => "grpc",
            Protocol::GrpcWeb => "grpc-web",
        }
    }
}

/// One exchange, told. Strings are those of the request as the intake left it, before any middleware.
#[derive(Default)]
pub struct Record {
    pub started: Option<Instant>,
    pub started_at: Option<SystemTime>,
    pub duration: Duration,

    pub entry_point: Option<Name>,
    pub peer: Option<SocketAddr>,
    /// `X-Forwarded-For` of a peer that is believed: the access log's `ClientHost`.
    pub forwarded_for: Option<String>,

    pub method: String,
    pub host: String,
    /// Path and query.
    pub target: String,
    pub version: Version,
    pub scheme: &'static str,
    pub protocol: Protocol,
    pub tls_version: &'static str,
    pub tls_cipher: &'static str,
    pub tls_client_subject: Option<Name>,

    /// The router that answered; inner routers of a layered one follow each other, joined by ` -> `.
    pub router: Option<Name>,
    pub service: Option<Name>,
    /// The load balancer that was asked last, where it is not `service` itself: the leaf below a weighted, mirroring or
    /// failover service. Set where the server is chosen.
    pub balancer: Option<Name>,
    /// URL of the server that was asked last.
    pub server_url: Option<Name>,
    /// `host:port` of that server.
    pub server_addr: Option<Name>,
    /// The router leads to one of the gateway's own services.
    pub internal: bool,
    /// The user that a middleware made out; `Some("")` when one looked and found none.
    pub user: Option<String>,
    /// Who was asking, as [`Exchange::identify`](crate::Exchange::identify) was told.
    pub identity: Option<Arc<Identity>>,
    /// What policies and limits decided, in order.
    pub decisions: Vec<Decision>,
    /// Decisions that allow are told with their facts too, as those that deny always are.
    pub tell_facts: bool,

    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Body bytes that the upstream sent, before compression.
    pub origin_bytes: u64,
    pub status: u16,
    pub origin_status: u16,
    /// Time spent waiting for the upstream, until its head.
    pub origin_duration: Duration,
    /// Attempts beyond the first.
    pub retries: u32,
    /// `Grpc-Status` of a gRPC answer.
    pub grpc_status: Option<u32>,
    pub fault: Option<Fault>,
    /// What was asked of a language model, and what came of it.
    pub model_call: Option<Box<ModelCall>>,
    /// What was asked of a server of tools, and what came of it.
    pub mcp_call: Option<Box<McpCall>>,
    /// How it can be undone, where a contract says that.
    pub undo: Option<Box<Undo>>,
    /// The entry of the audit log that this exchange undoes.
    pub undoes: Option<Name>,
    /// The tool call that this exchange is made for, by the id that a model gave it ([`trace::baggage`](crate::trace::baggage)).
    pub tool_call: Option<Name>,

    /// Whether this exchange is for the access log, the metrics and the traces (entry point and router `observability`).
    pub access_log: bool,
    pub metrics: bool,
    pub tracing: bool,
    /// Whether it is for the audit log (`observability.audit`).
    pub audit: bool,
    /// The exchange's place in a trace; `None` when nothing is traced.
    pub trace: Option<Box<Trace>>,

    /// Copies of header lists, made only when an observer asked for them ([`Wants`]).
    pub request_headers: Option<Headers>,
    pub origin_headers: Option<Headers>,
    pub response_headers: Option<Headers>,
}

impl Record {
    /// Empties the record for the next exchange, keeping its strings' memory.
    pub fn reset(&mut self) {
        let (mut method, mut host, mut target) = (
            std::mem::take(&mut self.method),
            std::mem::take(&mut self.host),
            std::mem::take(&mut self.target),
        );
        method.clear();
        host.clear();
        target.clear();
        *self = Record {
            method,
            host,
            target,
            ..Record::default()
        };
    }

    /// The facts of the connection.
    pub fn set_tls(&mut self, tls: Option<&TlsInfo>) {
        if let Some(tls) = tls {
            self.tls_version = tls.version;
            self.tls_cipher = tls.cipher;
            self.tls_client_subject.clone_from(&tls.client_subject);
        }
    }
}

/// The copies an observer needs in the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    pub request_headers: bool,
    pub origin_headers: bool,
    pub response_headers: bool,
}

/// Whoever is told of each exchange. Runs on the worker, at the end of the exchange: quick, no blocking.
pub trait Observer: Send + Sync {
    fn observe(&self, record: &Record);
    fn wants(&self) -> Wants {
        Wants::default()
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, record: &Record) {
        (**self).observe(record);
    }
    fn wants(&self) -> Wants {
        (**self).wants()
    }
}

/// All observers of the process.
#[derive(Clone, Default)]
pub struct Telemetry {
    observers: Arc<[Box<dyn Observer>]>,
    pub wants: Wants,
    /// How exchanges become traces; `None` where none do.
    pub tracer: Option<Arc<Tracer>>,
    /// Which requests undo others.
    pub tickets: Arc<Tickets>,
}

impl Telemetry {
    pub fn new(observers: Vec<Box<dyn Observer>>) -> Telemetry {
        let mut wants = Wants::default();
        for o in &observers {
            let w = o.wants();
            wants.request_headers |= w.request_headers;
            wants.origin_headers |= w.origin_headers;
            wants.response_headers |= w.response_headers;
        }
        Telemetry {
            observers: observers.into(),
            wants,
            tracer: None,
            tickets: Arc::default(),
        }
    }

    /// The same with traces.
    pub fn traced(self, tracer: Option<Arc<Tracer>>) -> Telemetry {
        Telemetry { tracer, ..self }
    }

    /// The same with tickets that somebody gives out.
    pub fn with_tickets(self, tickets: Arc<Tickets>) -> Telemetry {
        Telemetry { tickets, ..self }
    }

    /// Tells every observer.
    #[inline]
    pub fn observe(&self, record: &Record) {
        for o in self.observers.iter() {
            o.observe(record);
        }
    }
}
