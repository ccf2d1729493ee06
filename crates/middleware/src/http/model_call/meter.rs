//! Reading what an answer says of itself while it goes by: usage, model, why it ended, when it began, and whether it is whole.

use super::spoken::Spoken;
use super::watch::{self, Look};
use super::{content, decoded, ending};
use bytes::Bytes;
use std::time::{Duration, Instant};
use trilithon_ai::dialect::{Course, Dialect, Event, EventKind, Reported};
use trilithon_flow::model_call::name as named;
use trilithon_flow::record::Name;
use trilithon_flow::{Fault, Known, ModelCall, Response, SharedCall};

/// Reads an answer as it goes by, unless somebody does already. Whoever comes first on the way back has the answer as the
/// upstream gave it; all in front find the same in the call. `started` is when the exchange began.
pub fn meter(dialect: Dialect, call: &SharedCall, started: Option<Instant>, res: Response) -> Response {
    if std::mem::replace(&mut call.borrow_mut().metered, true) {
        return res;
    }
    let mut res = decoded(res);
    if !is_readable(&res) {
        return res;
    }
    let facts = Facts {
        dialect,
        call: call.clone(),
        reported: Reported::default(),
        spoken: Spoken::default(),
        course: Course::default(),
        started,
        first: None,
    };
    let is_stream = is_stream(&res);
    if is_stream {
        // An error event may be added.
        res.headers.remove_known(Known::ContentLength);
    }
    res.body = watch::body(res.body.take(), is_stream, facts);
    res
}

/// Whether an answer is a stream of events.
pub fn is_stream(res: &Response) -> bool {
    let is_events = |kind: &[u8]| {
        kind.get(..17)
            .is_some_and(|k| k.eq_ignore_ascii_case(b"text/event-stream"))
    };
    res.headers.known(Known::ContentType).is_some_and(is_events)
}

/// Whether an answer came from a model and is not coded.
pub fn is_readable(res: &Response) -> bool {
    let coding = res.headers.known(Known::ContentEncoding);
    (200..300).contains(&res.status)
        && res.fault.is_none()
        && coding.is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"))
}

/// What is made out, and whom it is told.
struct Facts {
    dialect: Dialect,
    call: SharedCall,
    reported: Reported,
    spoken: Spoken,
    course: Course,
    started: Option<Instant>,
    /// When the first event with content came.
    first: Option<Instant>,
}

impl Look for Facts {
    fn whole(&mut self, body: &[u8]) {
        // What is no JSON says nothing.
        let Ok(answer) = self.dialect.answer(body) else {
            return;
        };
        let mut call = self.call.borrow_mut();
        call.response_id = answer.id.as_deref().map(named).or(call.response_id.take());
        call.served = answer.model.as_deref().map(named).or(call.served.take());
        call.finish_reasons = answer
            .finish_reasons
            .iter()
            .take(MAX_REASONS)
            .map(|r| named(r))
            .collect();
        answer.tool_calls.iter().for_each(|id| call.calls(id));
        self.spoken.whole(&call, &answer, body);
        content::answered(&mut call, &answer, body);
        let reported = self.dialect.usage(answer.reported);
        if let Some(usage) = self.spoken.usage(&call, reported, true) {
            call.count(usage);
        }
    }

    fn event(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let Ok(event) = self.dialect.event(data) else {
            return;
        };
        self.course.note(&event);
        let mut call = self.call.borrow_mut();
        if event.kind == EventKind::Content {
            let now = Instant::now();
            let first = *self.first.get_or_insert(now);
            call.chunks += 1;
            call.streaming = now - first;
            if call.first_chunk.is_none() {
                call.first_chunk = self.started.map(|started| now - started);
            }
        }
        name(&mut call, &event);
        self.spoken.event(&call, &event, data);
        content::event(&mut call, &event, data);
        self.reported.merge(event.reported);
        let ended = !call.finish_reasons.is_empty();
        let reported = self.dialect.usage(self.reported);
        if let Some(usage) = self.spoken.usage(&call, reported, ended) {
            call.count(usage);
        }
    }

    fn patience(&self) -> Duration {
        self.call.borrow().stream_idle
    }

    fn end(&mut self, broke: Option<Fault>) -> Result<Bytes, Fault> {
        ending::of(self.dialect, &self.course, broke, &mut self.call.borrow_mut())
    }
}

fn name(call: &mut ModelCall, event: &Event<'_>) {
    let set = |slot: &mut Option<Name>, text: &Option<trilithon_wire::json::Text<'_>>| {
        if let (None, Some(text)) = (&slot, text) {
            *slot = Some(named(&text.to_str()));
        }
    };
    set(&mut call.response_id, &event.id);
    set(&mut call.served, &event.model);
    for id in &event.tool_calls {
        call.calls(&id.to_str());
    }
    for (_, reason) in &event.finish {
        // A hostile upstream could end one choice for ever.
        if call.finish_reasons.len() < MAX_REASONS {
            call.finish_reasons.push(named(&reason.to_str()));
        }
    }
}

/// Choices that a request can ask for.
const MAX_REASONS: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::super::testing::block_on;
    use super::*;
    use trilithon_flow::Format;

    const STREAM: &[u8] = b"data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
    const WHOLE: &[u8] = br#"{"id":"c1","model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

    /// The call after an answer of this type that came in pieces, and what came of it.
    fn run(kind: &str, pieces: Vec<&'static [u8]>) -> (ModelCall, Vec<u8>) {
        let call = ModelCall::new(Format::Ccr).shared();
        let mut res = Response::new(200);
        res.headers.set_known(Known::ContentType, kind);
        res.body = Script::new(pieces.into_iter().map(Act::Data)).body();
        let mut res = meter(Dialect::Chat, &call, Some(Instant::now()), res);
        let body = block_on(res.body.collect(1 << 20)).unwrap().to_vec();
        drop(res);
        let call = call.borrow().clone();
        (call, body)
    }

    fn check(call: &ModelCall) {
        let usage = call.usage.expect("usage");
        assert_eq!((usage.input, usage.output), (3, 4));
        assert_eq!(
            (call.response_id.as_deref(), call.served.as_deref()),
            (Some("c1"), Some("m"))
        );
        assert_eq!(call.finish_reasons, [Name::from("stop")]);
    }

    #[test]
    fn streams_are_read_however_they_are_cut() {
        for at in 0..=STREAM.len() {
            let (first, rest) = STREAM.split_at(at);
            let pieces = [first, rest].into_iter().filter(|p| !p.is_empty()).collect();
            let (call, body) = run("Text/Event-Stream; charset=utf-8", pieces);
            assert_eq!(body, STREAM, "not a byte changes");
            check(&call);
            assert_eq!(call.chunks, 2);
            assert!(call.first_chunk.is_some());
        }
    }

    #[test]
    fn whole_answers_are_read() {
        let (call, body) = run("application/json", vec![&WHOLE[..20], &WHOLE[20..]]);
        assert_eq!(body, WHOLE);
        check(&call);
        assert_eq!((call.chunks, call.first_chunk), (0, None));
    }

    #[test]
    fn an_answer_is_read_once_and_only_if_it_can_be() {
        let call = ModelCall::new(Format::Ccr).shared();
        let answer = |status| Response::bare(status, WHOLE);
        meter(Dialect::Chat, &call, None, answer(500));
        assert_eq!(call.borrow().usage, None, "an error is no answer");
        call.borrow_mut().metered = false;
        meter(Dialect::Chat, &call, None, answer(200));
        check(&call.borrow());
        call.borrow_mut().usage = None;
        meter(Dialect::Chat, &call, None, answer(200));
        assert_eq!(call.borrow().usage, None, "somebody reads it already");
        let mut coded = answer(200);
        coded.headers.append("Content-Encoding", "gzip");
        assert!(!is_readable(&coded));
    }
}
