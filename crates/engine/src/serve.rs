//! One exchange from its head to its response, whichever door it came through.

use crate::entry_point::EntryPoint;
use crate::intake;
use crate::keep_alive;
use crate::live::Snapshot;
use crate::route::{Model, Route, is_plain_connect};
use crate::worker::Worker;
use std::borrow::Cow;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use trilithon_flow::record::Protocol;
use trilithon_flow::trace::baggage;
use trilithon_flow::{
    Connection, Exchange, Fault, FaultKind, Headers, Interim, Known, Method, Request, Response, metrics,
};

/// An exchange under way. However it ends, the observers are told once: by [`finish`], or when it is dropped without.
pub struct Exchanging {
    worker: Rc<Worker>,
    exchange: Box<Exchange>,
}

impl Deref for Exchanging {
    type Target = Exchange;
    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

impl DerefMut for Exchanging {
    fn deref_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}

impl Drop for Exchanging {
    fn drop(&mut self) {
        if !self.exchange.told {
            let cut = || Fault::new(FaultKind::ClientGone, "the connection was cut");
            self.exchange.record.fault.get_or_insert_with(cut);
            finish(&self.worker, &mut self.exchange, 499, 0);
        }
    }
}

/// Starts the exchange: its clock and the facts of the connection.
pub fn begin(
    worker: &Rc<Worker>,
    entry_point: &EntryPoint,
    connection: &Rc<Connection>,
    interim: &Rc<Interim>,
    req: &Request,
) -> Exchanging {
    let mut cx = Box::new(Exchange::new(connection.clone(), interim.clone()));
    let record = &mut cx.record;
    record.started = Some(Instant::now());
    record.started_at = Some(SystemTime::now());
    record.entry_point = Some(entry_point.name.clone());
    record.peer = Some(connection.peer);
    record.access_log = entry_point.access_logs;
    record.metrics = entry_point.metrics;
    record.tracing = entry_point.tracing;
    record.audit = entry_point.audit;
    record.version = req.version;
    record.scheme = if connection.tls.is_some() { "https" } else { "http" };
    record.set_tls(connection.tls.as_ref());
    record.protocol = protocol(req);
    if worker.telemetry.wants.origin_headers {
        record.origin_headers = Some(Headers::new());
    }
    if let Some(tracer) = &worker.telemetry.tracer {
        record.trace = Some(Box::new(tracer.begin(&req.headers)));
    }
    worker.requests.set(worker.requests.get() + 1);
    Exchanging {
        worker: worker.clone(),
        exchange: cx,
    }
}

/// Notes the request as the intake left it: with its path made canonical and the client's claims sorted out.
fn describe(worker: &Worker, req: &Request, cx: &mut Exchange) {
    let record = &mut cx.record;
    record.method = req.method.as_str().to_owned();
    record.host = text(req.host()).into_owned();
    record.target = req.target.as_str().to_owned();
    let forwarded = req.headers.known(Known::XForwardedFor);
    record.tool_call = req.headers.known(Known::Baggage).and_then(baggage::tool_call);
    record.forwarded_for = forwarded.map(|v| text(v).into_owned());
    if worker.telemetry.wants.request_headers {
        record.request_headers = Some(req.headers.clone());
    }
    record.note_request(req);
}

/// Bytes from a message as text. Nearly all are ASCII, which the strict reader passes over faster than the lossy one.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

fn protocol(req: &Request) -> Protocol {
    let content_type = req.headers.known(Known::ContentType);
    if req.is_websocket() {
        Protocol::Websocket
    } else if req.headers.known(Known::Accept).is_some_and(wants_events) {
        Protocol::Sse
    } else if content_type.is_some_and(|t| t.starts_with(b"application/grpc-web")) {
        Protocol::GrpcWeb
    } else if content_type.is_some_and(|t| t.starts_with(b"application/grpc")) {
        Protocol::Grpc
    } else {
        Protocol::Http
    }
}

/// Whether an `Accept` value names event streams, without parameters.
fn wants_events(accept: &[u8]) -> bool {
    // Few other types have a hyphen: one quick look spares nearly everybody the slow one.
    let mut types = accept.split(|&b| b == b',');
    accept.contains(&b'-') && types.any(|t| t.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

/// `OPTIONS *` asks the server itself, and there is nothing to say.
fn is_for_the_server(req: &Request) -> bool {
    req.method == Method::Options && req.target.path() == "*"
}

/// The response to a request: intake, router, chain.
///
/// Written out as blocks, here and below: an `async fn` keeps each argument twice, and a request is not small.
pub fn respond<'a>(
    worker: &Worker,
    entry_point: &EntryPoint,
    mut req: Request,
    cx: &'a mut Exchange,
) -> impl Future<Output = Response> + use<'a> {
    let route = route(worker, entry_point, &mut req, cx);
    async move {
        let mut res = match route {
            Ok(Way::Found(route)) => route.run(req, cx).await,
            Ok(Way::Unread(unread)) => Box::pin(unread.respond(req, cx)).await,
            Err(answer) => *answer,
        };
        cx.record.note_response(&res);
        if cx.record.fault.is_none() {
            cx.record.fault = res.fault.take().map(|f| *f);
        }
        if let Some(call) = &cx.model_call {
            keep_alive::sustain(&call.borrow(), &mut res);
        }
        res
    }
}

/// Where a request goes.
enum Way {
    Found(Arc<Route>),
    /// That is in its body.
    Unread(Unread),
}

/// What is needed to go on once the body was read.
struct Unread {
    snapshot: Arc<Snapshot>,
    index: usize,
    entry_point: Arc<str>,
}

impl Unread {
    async fn respond(self, req: Request, cx: &mut Exchange) -> Response {
        let Some(routes) = self.snapshot.entry_points.get(self.index) else {
            return crate::route::not_found();
        };
        let (req, model) = match Model::read(req, routes.body_limit).await {
            Ok(read) => read,
            Err(fault) => return Response::from(fault),
        };
        match routes.find(&req, cx, &model) {
            Ok(route) => route.run(req, cx).await,
            Err(Some(refusal)) => refused(&self.entry_point, refusal),
            Err(None) => crate::route::not_found(),
        }
    }
}

/// The router that a request belongs to, or the answer of the gateway itself.
fn route(
    worker: &Worker,
    entry_point: &EntryPoint,
    req: &mut Request,
    cx: &mut Exchange,
) -> Result<Way, Box<Response>> {
    if is_for_the_server(req) {
        return Err(Box::new(Response::new(200)));
    }
    cx.record.undoes = worker.telemetry.tickets.redeem(req);
    let prepared = intake::prepare(req, cx, entry_point);
    describe(worker, req, cx);
    if is_plain_connect(req) {
        report(&entry_point.name, "connect");
        return Err(Box::new(Response::new(501)));
    }
    if let Err(refusal) = prepared {
        report(&entry_point.name, refusal.reason);
        return Err(Box::new(refusal.response));
    }
    let snapshot = worker.live.load();
    let Some(routes) = snapshot.entry_points.get(entry_point.index) else {
        return Err(Box::new(crate::route::not_found()));
    };
    match routes.find(req, cx, &Model::Unread) {
        Ok(route) => Ok(Way::Found(route)),
        Err(Some(refusal)) => Err(Box::new(refused(&entry_point.name, refusal))),
        Err(None) => Ok(Way::Unread(Unread {
            snapshot: worker.live.get(),
            index: entry_point.index,
            entry_point: entry_point.name.clone(),
        })),
    }
}

/// A refusal of the routing, reported.
fn refused(entry_point: &str, refusal: Response) -> Response {
    match refusal.status {
        421 => report(entry_point, "misdirected"),
        400 => report(entry_point, "bad-path"),
        _ => {}
    }
    refusal
}

/// Counts and logs a request that no router was asked about, or no service.
fn report(entry_point: &str, reason: &'static str) {
    metrics::rejected(entry_point, reason);
    tracing::debug!(entryPointName = %entry_point, reason, "request refused");
}

/// Ends the exchange: what was sent goes into the record, and the observers are told.
pub fn finish(worker: &Worker, cx: &mut Exchange, status: u16, response_bytes: u64) {
    if let Some(count) = cx.origin_streamed.take() {
        cx.record.origin_bytes = count.get();
    }
    cx.settle_calls();
    cx.told = true;
    let record = &mut cx.record;
    record.status = status;
    record.response_bytes = response_bytes;
    record.duration = record.started.map(|s| s.elapsed()).unwrap_or_default();
    if !record.tracing {
        record.trace = None;
    }
    worker.telemetry.observe(record);
}
