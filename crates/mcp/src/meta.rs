//! What a message says beside its parameters (`_meta`): the place in a trace (SEP-414), and the tool call that it is made for.

use crate::part;
use std::borrow::Cow;
use trilithon_flow::mcp_call::{Layout, Parts};
use trilithon_wire::json::{Splice, Value, quote, quote_into};

pub const TRACE_PARENT: &str = "traceparent";
pub const TRACE_STATE: &str = "tracestate";
pub const BAGGAGE: &str = "baggage";
/// The tool call, by the id that a model gave it, as Claude Code sends it; OpenTelemetry's name for it is
/// [`TOOL_CALL`](trilithon_flow::trace::baggage::TOOL_CALL).
pub const TOOL_USE: &str = "claudecode/toolUseId";

/// The text of this [part] of a message's `_meta`.
pub fn text(message: &Layout, part: usize) -> Option<Cow<'_, str>> {
    let value = message.body.get(message.parts.get(part)?)?;
    let value = std::str::from_utf8(value).ok()?;
    Some(Value::at(value, 0..value.len()).text()?.to_str())
}

/// The id of the tool call, as a member of its own names it.
pub fn tool_call(message: &Layout) -> Option<Cow<'_, str>> {
    let named = |part| text(message, part).filter(|id| !id.is_empty());
    named(part::TOOL_CALL).or_else(|| named(part::TOOL_USE))
}

/// The message with these texts as [parts](part) of its `_meta`, and otherwise byte for byte; `None` for one without parameters, or
/// with a `_meta` that is no object.
pub fn with(message: &Layout, texts: &[(usize, &str)]) -> Option<Layout> {
    let params = message.parts.get(part::PARAMS)?;
    let mut splice = Splice::new();
    let mut new = New::nothing();
    let Some(meta) = message.parts.get(part::META) else {
        new.out.extend_from_slice(br#""_meta":"#);
        let start = new.out.len();
        new.out.push(b'{');
        texts.iter().for_each(|(part, text)| new.member(*part, text));
        new.out.push(b'}');
        new.parts.put(part::META, start..new.out.len());
        return new.put_in(params.start, message, splice);
    };
    if message.body.get(meta.start) != Some(&b'{') {
        return None;
    }
    for (part, text) in texts {
        // A second one in another spelling would make another message of it.
        match message.parts.place(*part) {
            Some(there) => splice.replace(there, quote(text)).ok()?,
            None => new.member(*part, text),
        }
    }
    new.put_in(meta.start, message, splice)
}

/// Members that are put in front of those of an object.
struct New {
    out: Vec<u8>,
    /// Where they stand in `out`.
    parts: Parts,
}

impl New {
    fn nothing() -> New {
        New {
            out: Vec::with_capacity(256),
            parts: Parts::default(),
        }
    }

    fn member(&mut self, part: usize, text: &str) {
        if !matches!(self.out.last(), None | Some(b'{')) {
            self.out.push(b',');
        }
        quote_into(part::name(part), &mut self.out);
        self.out.push(b':');
        let start = self.out.len();
        quote_into(text, &mut self.out);
        self.parts.put(part, start..self.out.len());
    }

    /// The message with them in the object that begins at `start`, and what is replaced behind them.
    fn put_in(mut self, start: usize, message: &Layout, mut splice: Splice) -> Option<Layout> {
        let at = start + 1;
        if !self.out.is_empty() {
            let mut others = message
                .body
                .get(at..)?
                .iter()
                .filter(|b| !b.is_ascii_whitespace());
            if others.next() != Some(&b'}') {
                self.out.push(b',');
            }
            splice.replace(at..at, self.out).ok()?;
        }
        let mut changed = message.changed(&splice);
        changed.parts.join(&self.parts, at);
        Some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use bytes::Bytes;

    fn layout(message: &[u8]) -> Option<Layout> {
        let body = Bytes::copy_from_slice(message);
        let read = Message::read(&body).ok()?;
        Some(read.layout(body.clone()))
    }

    fn with(message: &[u8], texts: &[(usize, &str)]) -> Option<Vec<u8>> {
        let changed = super::with(&layout(message)?, texts)?;
        let again = Message::read(&changed.body).unwrap_or_else(|e| panic!("{changed:?}: {e}"));
        assert_eq!(changed, again.layout(changed.body.clone()));
        assert_eq!(format!("{again:?}"), format!("{:?}", Message::again(&changed)));
        Some(changed.body.into())
    }

    #[test]
    fn texts_are_put_in() {
        let check = |params: &str, want: Option<&str>| {
            let message = |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"x"{params} }}"#);
            let texts = [(part::TRACE_PARENT, "1"), (part::BAGGAGE, "\"")];
            let with = with(message(params).as_bytes(), &texts);
            let with = with.map(|m| String::from_utf8(m).unwrap());
            assert_eq!(with, want.map(message), "{params}");
        };
        check(
            r#","params": {"name":"x"}"#,
            Some(r#","params": {"_meta":{"traceparent":"1","baggage":"\""},"name":"x"}"#),
        );
        check(
            r#","params":{}"#,
            Some(r#","params":{"_meta":{"traceparent":"1","baggage":"\""}}"#),
        );
        check(
            r#","params":{"_meta":{"traceparent" : "old","z":1e40},"name":7}"#,
            Some(r#","params":{"_meta":{"baggage":"\"","traceparent" : "1","z":1e40},"name":7}"#),
        );
        check(
            r#","params":{"_meta":{"Baggage":7,"traceparent":{"a":8}}}"#,
            Some(r#","params":{"_meta":{"Baggage":"\"","traceparent":"1"}}"#),
        );
        check(
            r#","params":{"_meta":{ }}"#,
            Some(r#","params":{"_meta":{"traceparent":"1","baggage":"\"" }}"#),
        );
        for none in ["", r#","params":{"_meta":7}"#, r#","params":7"#] {
            check(none, None);
        }
    }

    #[test]
    fn the_tool_call_is_named() {
        let check = |meta: &str, want: Option<&str>| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","_meta":{meta}}}}}"#
            );
            let message = layout(body.as_bytes()).unwrap();
            assert_eq!(tool_call(&message).as_deref(), want, "{meta}");
        };
        check(r#"{"gen_ai.tool.call.id":"call_1"}"#, Some("call_1"));
        check(r#"{"claudecode/toolUseId":"toolu_1"}"#, Some("toolu_1"));
        check(
            r#"{"gen_ai.tool.call.id":"","claudecode/toolUseId":"b"}"#,
            Some("b"),
        );
        check(r#"{"gen_ai.tool.call.id":7}"#, None);
        check("{}", None);
    }

    /// With any byte another: what was a message is the same message with the text in it.
    #[test]
    fn no_message_breaks_it() {
        let whole =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"a":{"b":[]}}}}"#;
        for at in 0..whole.len() {
            for byte in [0, b'"', b'\\', b'{', b'}', b'[', b',', b' ', b'9', 0xff] {
                let mut other = whole.as_bytes().to_vec();
                other[at] = byte;
                let Ok(message) = Message::read(&other) else {
                    continue;
                };
                let Some(told) = with(&other, &[(part::TRACE_PARENT, "t")]) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&told);
                let same = Message::read(&told).unwrap_or_else(|e| panic!("{text}: {e}"));
                assert_eq!(
                    (same.method(), same.name()),
                    (message.method(), message.name()),
                    "{text}"
                );
                let parent = same.value(part::TRACE_PARENT).and_then(|value| value.text());
                assert!(parent.is_some_and(|parent| parent.is("t")), "{text}");
            }
        }
    }
}
