//! One exchange as part of a trace: the ids that go with it, and, if it is sampled, the spans that are told of it.
//!
//! Whether an exchange is sampled is decided once, when it begins: as its caller decided, or by the share of traces that
//! are kept. One that is not carries its ids on and notes nothing. How spans leave the process is for an observer.

pub mod baggage;
mod copies;
mod id;
mod join;
mod propagate;
mod span;
mod w3c;

pub use copies::Copies;
pub use id::{SpanId, TraceId};
pub use join::Link;
pub use propagate::{Propagators, Remote};
pub use span::{Call, Capture, Captured, Entered, Recording, Span, Verbosity, What};

use crate::record::Name;
use crate::{Fault, Headers, Record, Request, Response};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How exchanges become traces; one per process.
#[derive(Clone, Debug, Default)]
pub struct Tracer {
    /// Of 2^63: the share of traces without a caller's decision that are sampled.
    threshold: u64,
    how: Arc<How>,
}

/// What all traces have in common.
#[derive(Clone, Debug, Default)]
struct How {
    propagators: Propagators,
    capture: Arc<Capture>,
    copies: Option<Copies>,
    /// The version of the configuration in force, where versions are kept.
    configuration: Option<Arc<AtomicU64>>,
}

impl How {
    /// What a sampled exchange begins to note.
    fn recording(&self) -> Box<Recording> {
        let mut recording = Recording::new(&self.capture);
        recording.configuration = self.configuration.as_ref().map(|v| v.load(Ordering::Relaxed));
        Box::new(recording)
    }
}

impl Tracer {
    /// One that samples this share of the traces that begin here, 0 to 1.
    pub fn new(propagators: Propagators, share: f64, capture: Capture) -> Tracer {
        Tracer {
            // The product of 1 is one more than any lot.
            threshold: (share.clamp(0.0, 1.0) * (1u64 << 63) as f64) as u64,
            how: Arc::new(How {
                propagators,
                capture: Arc::new(capture),
                copies: None,
                configuration: None,
            }),
        }
    }

    /// The same, telling servers the place once more.
    pub fn copied(mut self, copies: Copies) -> Tracer {
        Arc::make_mut(&mut self.how).copies = Some(copies).filter(|copies| *copies != Copies::default());
        self
    }

    /// The same, noting the version of the configuration that each exchange is served by.
    pub fn versioned(mut self, configuration: Option<Arc<AtomicU64>>) -> Tracer {
        Arc::make_mut(&mut self.how).configuration = configuration;
        self
    }

    /// The trace that a request is part of.
    pub fn begin(&self, headers: &Headers) -> Trace {
        let remote = self.how.propagators.extract(headers);
        let mut trace = Trace::start(self.how.clone(), remote.as_ref());
        let decided = remote.and_then(|r| {
            trace.state = r.state;
            r.sampled
        });
        trace.sampled = decided.unwrap_or_else(|| trace.id.lot() < self.threshold);
        if trace.sampled {
            trace.recording = RefCell::new(Some(self.how.recording()));
        }
        trace
    }
}

/// An exchange's place in a trace.
pub struct Trace {
    pub id: TraceId,
    /// The exchange's own span: what its log line names.
    pub span: SpanId,
    /// The caller's span, if there was one.
    pub parent: Option<SpanId>,
    pub sampled: bool,
    /// `tracestate`, well formed.
    pub state: Option<Box<str>>,
    how: Arc<How>,
    /// In a cell, for the observer that takes it at the end.
    recording: RefCell<Option<Box<Recording>>>,
}

impl Trace {
    fn start(how: Arc<How>, remote: Option<&Remote>) -> Trace {
        Trace {
            id: remote.map_or_else(TraceId::random, |r| r.trace),
            span: SpanId::random(),
            parent: remote.map(|r| r.span),
            sampled: false,
            state: None,
            how,
            recording: RefCell::default(),
        }
    }

    /// The same place for an exchange of the gateway's own: it carries the ids on and notes nothing.
    pub fn follow(&self) -> Trace {
        Trace {
            id: self.id,
            span: self.current(),
            parent: self.parent,
            sampled: self.sampled,
            state: self.state.clone(),
            how: self.how.clone(),
            recording: RefCell::default(),
        }
    }

    /// The span that a server asked now is told of.
    fn current(&self) -> SpanId {
        let root = self.span;
        self.recording
            .borrow()
            .as_ref()
            .map_or(root, |r| r.current_id(root))
    }

    fn recording(&mut self) -> Option<&mut Recording> {
        self.recording.get_mut().as_deref_mut()
    }

    /// Takes what was noted; `None` when the exchange is not sampled.
    pub fn take(&self) -> Option<Box<Recording>> {
        self.recording.take()
    }
}

/// What the rooms say to the trace of an exchange. Without a trace, or when it is not sampled, each is one look.
impl Record {
    /// Whether spans are noted.
    #[inline]
    pub fn is_sampled(&self) -> bool {
        self.trace.as_ref().is_some_and(|t| t.sampled)
    }

    fn recording(&mut self) -> Option<&mut Recording> {
        self.trace.as_mut()?.recording()
    }

    /// How much is told of this exchange; nothing unless a router says so.
    pub fn set_verbosity(&mut self, verbosity: Verbosity) {
        if let Some(recording) = self.recording() {
            recording.verbosity = verbosity;
        }
    }

    /// Notes the request, as the intake left it.
    #[inline]
    pub fn note_request(&mut self, req: &Request) {
        if let Some(recording) = self.recording() {
            recording.request(req);
        }
    }

    /// Notes the answer, as the chain gave it.
    #[inline]
    pub fn note_response(&mut self, res: &Response) {
        if let Some(recording) = self.recording() {
            recording.response(res);
        }
    }

    /// Opens a span; what is done until [`Record::leave`] is part of it.
    #[inline]
    pub fn enter(&mut self, what: impl FnOnce() -> What) -> Entered {
        let Some(trace) = self.trace.as_mut().filter(|t| t.sampled) else {
            return Entered::default();
        };
        let root = trace.span;
        match trace.recording() {
            Some(recording) => recording.enter(root, what()),
            None => Entered::default(),
        }
    }

    /// Leaves a span. It ends with the exchange, as all that the answer came through.
    #[inline]
    pub fn leave(&mut self, entered: &Entered) {
        if let Some(recording) = self.recording() {
            recording.leave(entered);
        }
    }

    /// Leaves the span of the middleware that entered it with this very name, if there is one.
    #[inline]
    pub fn leave_middleware(&mut self, name: &Name) {
        if let Some(recording) = self.recording() {
            recording.leave_middleware(name);
        }
    }

    /// Leaves a span whose answer goes no further: it and all inside it end now.
    pub fn end(&mut self, entered: &Entered) {
        if let Some(recording) = self.recording() {
            recording.leave(entered);
            recording.end(entered);
        }
    }

    /// How many spans were noted so far.
    pub fn noted(&self) -> usize {
        let recording = self.trace.as_ref().map(|trace| trace.recording.borrow());
        recording
            .and_then(|r| r.as_ref().map(|r| r.spans.len()))
            .unwrap_or(0)
    }

    /// Ends all that was noted since there were [so many](Record::noted): what it was about is over, while the exchange goes on.
    pub fn end_since(&mut self, noted: usize) {
        if let Some(recording) = self.recording() {
            recording.end_since(noted);
        }
    }

    /// Ends the span of an attempt that failed, and all inside it.
    pub fn fail(&mut self, entered: &Entered, why: &'static str) {
        if let Some(recording) = self.recording() {
            recording.fail(entered, why);
        }
    }

    /// Opens the span of a request to another server (`ReverseProxy`, `AuthRequest`), and tells that server of it.
    /// `authority` is the server's host and port, as its URL spells them.
    pub fn call(
        &mut self,
        name: &'static str,
        req: &mut Request,
        scheme: &'static str,
        authority: &str,
    ) -> Entered {
        let root = self.trace.as_ref().map(|t| t.span);
        let entered = match (root, self.recording()) {
            (Some(root), Some(recording)) => {
                let call = recording.describe(name, req, scheme, authority);
                recording.enter(root, What::Call(Box::new(call)))
            }
            _ => Entered::default(),
        };
        self.inject(&mut req.headers);
        entered
    }

    /// Notes what the server answered to an open call. One without an answer ends here.
    pub fn answered(&mut self, call: &Entered, answer: Result<&Response, &Fault>) {
        if let Some(recording) = self.recording() {
            recording.answered(call, answer);
        }
    }

    /// Tells the next server of the trace.
    #[inline]
    pub fn inject(&mut self, headers: &mut Headers) {
        if let Some(trace) = &mut self.trace {
            let span = trace.current();
            let place = Remote {
                trace: trace.id,
                span,
                sampled: Some(trace.sampled),
                state: None,
            };
            trace
                .how
                .propagators
                .inject(headers, &place, trace.state.as_deref());
            if let Some(copies) = &trace.how.copies {
                copies.write(headers, &place, trace.state.as_deref());
            }
        }
    }

    /// The trace for an exchange of the gateway's own beside this one.
    pub fn follow(&self) -> Option<Box<Trace>> {
        self.trace.as_ref().map(|t| Box::new(t.follow()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

    fn tracer(share: f64) -> Tracer {
        Tracer::new(Propagators::read(None).0, share, Capture::default())
    }

    fn record(share: f64) -> Record {
        Record {
            trace: Some(Box::new(tracer(share).begin(&Headers::new()))),
            ..Record::default()
        }
    }

    #[test]
    fn the_caller_decides_and_else_the_share() {
        let check = |parent: Option<&str>, share: f64, want: bool| {
            let headers = parent.map(|flags| ("traceparent", format!("00-{PARENT}-{flags}")));
            let headers = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let trace = tracer(share).begin(&headers);
            assert_eq!(trace.sampled, want, "{parent:?} {share}");
            assert_eq!(trace.take().is_some(), want);
            assert_eq!(trace.parent.is_some(), parent.is_some());
        };
        check(None, 1.0, true);
        check(None, 0.0, false);
        check(Some("01"), 0.0, true);
        check(Some("00"), 1.0, false);
        check(Some("01"), 2.0, true);
    }

    #[test]
    fn a_share_is_a_share() {
        let tracer = tracer(0.1);
        let sampled = (0..20_000)
            .filter(|_| tracer.begin(&Headers::new()).sampled)
            .count();
        assert!((1_700..2_300).contains(&sampled), "{sampled} of 20000");
    }

    #[test]
    fn spans_are_nested_and_end_with_the_exchange_or_before() {
        let mut record = record(1.0);
        record.set_verbosity(Verbosity::Detailed);
        let retry = |resend| What::Retry {
            name: "r".into(),
            resend,
        };
        let first = record.enter(|| retry(0));
        let inner = record.enter(|| What::Service { name: "s".into() });
        record.leave(&inner);
        record.end(&first);
        let second = record.enter(|| retry(1));
        let mut req = Request::default();
        let call = record.call("ReverseProxy", &mut req, "http", "a.test:1");
        record.answered(&call, Ok(&Response::new(204)));
        record.leave(&call);
        record.leave(&second);

        let trace = record.trace.unwrap();
        let spans = trace.take().unwrap().spans;
        let parents: Vec<_> = spans.iter().map(|s| s.parent).collect();
        assert_eq!(parents, [trace.span, spans[0].id, trace.span, spans[2].id]);
        let ended: Vec<_> = spans.iter().map(|s| s.end.is_some()).collect();
        assert_eq!(ended, [true, true, false, false]);
        assert!(
            matches!(&spans[3].what, What::Call(call) if call.status == 204 && call.authority == "a.test:1")
        );
        let told = tracer(0.0).begin(&req.headers);
        assert_eq!(
            (told.id, told.parent),
            (trace.id, Some(spans[3].id)),
            "the server is told of the call"
        );
    }

    #[test]
    fn little_is_told_unless_more_is_asked_for() {
        let mut record = record(1.0);
        let service = record.enter(|| What::Service { name: "s".into() });
        let call = record.enter(|| What::Call(Box::default()));
        record.leave(&call);
        record.leave(&service);
        assert_eq!(record.trace.unwrap().take().unwrap().spans.len(), 1);
    }

    #[test]
    fn spans_are_bounded() {
        let mut record = record(1.0);
        for _ in 0..1_000 {
            let call = record.enter(|| What::Call(Box::default()));
            record.leave(&call);
        }
        assert_eq!(record.trace.unwrap().take().unwrap().spans.len(), 128);
    }

    #[test]
    fn what_is_not_sampled_notes_nothing_and_is_carried_on() {
        let mut record = record(0.0);
        let call = record.enter(|| unreachable!("nobody looks at it"));
        record.leave(&call);
        let mut headers: Headers = [("tracestate", "a=1")].into_iter().collect();
        record.inject(&mut headers);
        let told = tracer(1.0).begin(&headers);
        assert_eq!(
            (told.id, told.sampled),
            (record.trace.as_ref().unwrap().id, false)
        );
        assert!(
            !headers.contains("tracestate"),
            "a state without a trace is nobody's"
        );
        let side = record.follow().unwrap();
        assert_eq!(side.id, told.id);
    }
}
