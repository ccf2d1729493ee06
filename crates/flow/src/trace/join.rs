//! A place in a trace that a message tells of itself, where no header does (`_meta` of the Model Context Protocol, SEP-414).

use super::{SpanId, TraceId, w3c};
use crate::{Record, Request};

/// A span of somebody else's that one of ours belongs to without being below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub trace: TraceId,
    pub span: SpanId,
}

/// A place in a trace as a message writes it.
pub struct Context {
    pub parent: [u8; 55],
    pub state: Option<Box<str>>,
}

impl Record {
    /// Takes the exchange into the trace of a message whose headers named none: ids and sampling decision are its caller's. What was
    /// noted so far is noted of that trace. Where it has a place already, and is sampled, gives the other one that the message names.
    pub fn join(&mut self, parent: &str, state: Option<&str>, req: &Request) -> Option<Link> {
        let trace = self.trace.as_mut()?;
        if !trace.how.propagators.has_w3c() {
            return None;
        }
        let remote = w3c::read(parent, state)?;
        if let Some(parent) = trace.parent {
            let is_other = (trace.id, parent) != (remote.trace, remote.span);
            return (trace.sampled && is_other).then_some(Link {
                trace: remote.trace,
                span: remote.span,
            });
        }
        let sampled = remote.sampled == Some(true);
        (trace.id, trace.parent, trace.state) = (remote.trace, Some(remote.span), remote.state);
        trace.sampled = sampled;
        let recording = trace.recording.get_mut();
        match recording {
            Some(_) if !sampled => *recording = None,
            None if sampled => {
                let begun = recording.insert(trace.how.recording());
                begun.request(req);
            }
            _ => {}
        }
        None
    }

    /// The place that a server asked now is told; `None` where the exchange is not traced, or not in this format.
    pub fn context(&self) -> Option<Context> {
        let trace = self.trace.as_ref().filter(|_| self.tracing)?;
        trace.how.propagators.has_w3c().then(|| Context {
            parent: w3c::parent_text(trace.id, trace.current(), trace.sampled),
            state: trace.state.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Propagators, Tracer};
    use super::*;
    use crate::Headers;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn record(share: f64, propagators: Propagators, headers: &Headers) -> Record {
        let tracer = Tracer::new(propagators, share, Capture::default());
        Record {
            trace: Some(Box::new(tracer.begin(headers))),
            tracing: true,
            ..Record::default()
        }
    }

    fn told(record: &Record) -> String {
        let context = record.context().expect("a place");
        String::from_utf8(context.parent.to_vec()).expect("ASCII")
    }

    #[test]
    fn a_message_tells_the_place() {
        for share in [0.0, 1.0] {
            let mut record = record(share, Propagators::read(None).0, &Headers::new());
            record.join(PARENT, Some("a=1"), &Request::default());
            assert!(record.is_sampled(), "as its caller decided");
            let trace = record.trace.as_ref().expect("a trace");
            assert!(trace.take().is_some(), "it is noted");
            assert_eq!(trace.state.as_deref(), Some("a=1"));
            let told = told(&record);
            assert_eq!(told[..36], PARENT[..36]);
            assert_ne!(told, PARENT, "the next one is told of a span of ours");
        }
        let mut record = record(1.0, Propagators::read(None).0, &Headers::new());
        record.join(&PARENT.replace("-01", "-00"), None, &Request::default());
        assert!(!record.is_sampled() && record.trace.as_ref().expect("a trace").take().is_none());
        assert!(told(&record).ends_with("-00"));
    }

    #[test]
    fn headers_come_first() {
        let mut headers = Headers::new();
        headers.append("Traceparent", PARENT.replace("0af7", "1111"));
        for share in [1.0, 0.0] {
            let mut record = record(share, Propagators::read(None).0, &headers);
            let link = record.join(PARENT, None, &Request::default());
            assert!(told(&record).contains("1111651916cd43dd"));
            let link = link.expect("its own place is not forgotten");
            assert_eq!(&link.trace.text()[..4], b"0af7");
            let own = PARENT.replace("0af7", "1111");
            assert_eq!(record.join(&own, None, &Request::default()), None);
        }
    }

    #[test]
    fn what_is_none_is_passed_over() {
        let b3 = Propagators::read(Some("b3")).0;
        let mut record = record(1.0, b3, &Headers::new());
        record.join(PARENT, None, &Request::default());
        assert!(record.trace.as_ref().expect("a trace").parent.is_none());
        assert!(record.context().is_none());
        let mut record = super::tests::record(1.0, Propagators::read(None).0, &Headers::new());
        record.join("00-x", None, &Request::default());
        assert!(record.trace.as_ref().expect("a trace").parent.is_none());
        record.tracing = false;
        assert!(record.context().is_none());
    }
}
