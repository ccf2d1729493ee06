//! Taking out of a stream the event that only the gateway asked for.

use super::super::sieve::{self, Sieve};
use trilithon_ai::dialect::{Dialect, EventKind};
use trilithon_flow::limits::MAX_MODEL_EVENT;
use trilithon_flow::{Fault, Known, Response};
use trilithon_wire::contains;
use trilithon_wire::sse::Frame;

/// Takes the events that tell the usage and nothing else out of a stream.
pub fn usage_events(dialect: Dialect, mut res: Response) -> Response {
    res.headers.remove_known(Known::ContentLength);
    res.body = sieve::body(res.body.take(), UsageEvents(dialect));
    res
}

struct UsageEvents(Dialect);

impl Sieve for UsageEvents {
    const MAX_EVENT: usize = MAX_MODEL_EVENT;

    fn event(&mut self, raw: &[u8], frame: &Frame, out: &mut Vec<u8>) {
        // Most events have no usage, and nearly all of those do not name it.
        let is_usage = contains(raw, b"\"usage\"")
            && matches!(self.0.event(&frame.data(raw)), Ok(event) if event.kind == EventKind::Usage);
        if !is_usage {
            out.extend_from_slice(raw);
        }
    }

    fn too_large(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::super::testing::block_on;
    use super::*;

    fn check(stream: &'static str, want: &str) {
        for at in 0..=stream.len() {
            let (first, rest) = stream.as_bytes().split_at(at);
            let pieces = [first, rest].into_iter().filter(|p| !p.is_empty());
            let mut res = Response::new(200);
            res.body = Script::new(pieces.map(Act::Data)).body();
            let mut res = usage_events(Dialect::Chat, res);
            let got = block_on(res.body.collect(1 << 20)).unwrap();
            assert_eq!(String::from_utf8_lossy(&got), want, "cut at {at}");
        }
    }

    #[test]
    fn only_usage_alone_is_taken_out() {
        check(
            "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\ndata: [DONE]\n\n",
        );
        check("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", "");
        check(": ping\r\n\r\ndata: x", ": ping\r\n\r\ndata: x");
        check("", "");
    }
}
