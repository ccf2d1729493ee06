//! Chunks of Chat Completions.

use super::super::called;
use super::super::event::is_done;
use super::super::gather::Gather;
use super::super::{Delta, Event, EventKind};
use super::usage;
use trilithon_flow::Channel;
use trilithon_wire::json::{self, Kind, Value};

/// Finds what is in one chunk.
pub(in super::super) fn event(data: &[u8]) -> Result<Event<'_>, json::Error> {
    if is_done(data) {
        return Ok(Event {
            kind: EventKind::Done,
            ..Event::default()
        });
    }
    let root = json::parse(data)?;
    let mut event = Event::default();
    let mut choices = 0;
    for (name, value) in root.members() {
        match &*name.to_str() {
            "id" => event.id = value.text(),
            "model" => event.model = value.text(),
            "error" if !value.is_null() => event.kind = EventKind::Error,
            "choices" => {
                for choice in value.items() {
                    one_choice(&choice, choices, &mut event);
                    choices += 1;
                }
            }
            _ => {}
        }
    }
    event.reported = usage(&root);
    if event.kind == EventKind::Other {
        event.kind = match (choices, event.reported.input.or(event.reported.output)) {
            (0, Some(_)) => EventKind::Usage,
            _ if event.deltas.is_empty() => EventKind::Other,
            _ => EventKind::Content,
        };
    }
    Ok(event)
}

fn one_choice<'d>(choice: &Value<'d>, place: u32, event: &mut Event<'d>) {
    let index = choice.get("index").and_then(|v| v.as_u64());
    let number = index.map_or(place, |n| n as u32);
    let reason = choice.get("finish_reason").and_then(|v| v.text());
    event.finish.extend(reason.map(|reason| (number, reason)));
    let Some(delta) = choice.get("delta") else { return };
    for (name, value) in delta.members() {
        match &*name.to_str() {
            "role" => {}
            "tool_calls" => tool_calls(&value, number, event),
            "function_call" => text(Channel::ToolArguments, number, 0, value.get("arguments"), event),
            "reasoning_content" | "reasoning" => text(Channel::Reasoning, number, 0, Some(value), event),
            "thinking_blocks" => value.items().for_each(|block| thought(&block, number, event)),
            "content" => text(Channel::Assistant, number, 0, Some(value), event),
            "refusal" => text(Channel::Assistant, number, 1, Some(value), event),
            "reasoning_details" => parts(Channel::Reasoning, number, &value, event),
            _ => parts(Channel::Assistant, number, &value, event),
        }
    }
}

/// A part of a thought, as models of Messages have them. Its signature is no text; what else it may hold is judged like text.
fn thought<'d>(block: &Value<'d>, choice: u32, event: &mut Event<'d>) {
    for (name, value) in block.members() {
        match &*name.to_str() {
            "type" | "signature" | "data" => {}
            // It may say once more what `reasoning_content` says: a text of its own.
            "thinking" => text(Channel::Reasoning, choice, 1, Some(value), event),
            _ => text(Channel::Reasoning, choice, 2, Some(value), event),
        }
    }
}

fn tool_calls<'d>(calls: &Value<'d>, choice: u32, event: &mut Event<'d>) {
    event.tool_calls.extend(called::chat(calls));
    for (i, call) in calls.items().enumerate() {
        let index = call
            .get("index")
            .and_then(|v| v.as_u64())
            .map_or(i as u32, |n| n as u32);
        let function = call.get("function").and_then(|f| f.get("arguments"));
        let custom = || call.get("custom").and_then(|c| c.get("input"));
        text(
            Channel::ToolArguments,
            choice,
            index,
            function.or_else(custom),
            event,
        );
    }
}

/// Whatever else a vendor lets a model say: texts that go on, as far as they look like it, and else each thing for itself.
fn parts<'d>(channel: Channel, choice: u32, value: &Value<'d>, event: &mut Event<'d>) {
    const GOES_ON: u32 = 2;
    const WHOLE: u32 = 3;
    match value.kind() {
        Kind::String => text(channel, choice, GOES_ON, Some(value.clone()), event),
        Kind::Array => value
            .items()
            .for_each(|item| parts(channel, choice, &item, event)),
        _ => match value.get("text").or_else(|| value.get("summary")) {
            Some(piece) if piece.kind() == Kind::String => text(channel, choice, GOES_ON, Some(piece), event),
            _ => {
                let mut gather = Gather::default();
                gather.leaves(channel, value);
                event.deltas.extend(gather.slots.into_iter().map(|slot| Delta {
                    channel,
                    choice,
                    index: WHOLE,
                    restates: true,
                    range: slot.range,
                }));
            }
        },
    }
}

fn text<'d>(channel: Channel, choice: u32, index: u32, value: Option<Value<'d>>, event: &mut Event<'d>) {
    let Some(value) = value else { return };
    if value.kind() != Kind::String {
        // Parts, as one vendor streams them.
        value
            .items()
            .for_each(|part| text(channel, choice, index, part.get("text"), event));
        return;
    }
    if let Some(range) = value.text().map(|t| t.range()).filter(|r| !r.is_empty()) {
        event.deltas.push(Delta {
            channel,
            choice,
            index,
            restates: false,
            range,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::*;

    #[test]
    fn chunks() {
        use Channel::*;
        let check = |data: &str, kind: EventKind, want: &[(Channel, u32, u32, &str)]| {
            let event = Dialect::Chat.event(data.as_bytes()).unwrap();
            assert_eq!(event.kind, kind, "{data}");
            let deltas = event.deltas.iter();
            let got: Vec<_> = deltas
                .map(|d| (d.channel, d.choice, d.index, &data[d.range.clone()]))
                .collect();
            assert_eq!(got, want, "{data}");
        };
        check("[DONE]", EventKind::Done, &[]);
        check(
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            EventKind::Other,
            &[],
        );
        check(
            r#"{"choices":[{"index":1,"delta":{"content":"a\n"}},{"index":0,"delta":{"reasoning_content":"r"}}]}"#,
            EventKind::Content,
            &[(Assistant, 1, 0, r"a\n"), (Reasoning, 0, 0, "r")],
        );
        check(
            r#"{"choices":[{"delta":{"tool_calls":[{"index":2,"function":{"name":"f","arguments":"{"}}]}}]}"#,
            EventKind::Content,
            &[(ToolArguments, 0, 2, "{")],
        );
        check(
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            EventKind::Usage,
            &[],
        );
        check(
            r#"{"choices":[],"prompt_filter_results":[]}"#,
            EventKind::Other,
            &[],
        );
        check(r#"{"error":{"message":"x"}}"#, EventKind::Error, &[]);
        check(
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"m"}]}}]}"#,
            EventKind::Content,
            &[(Assistant, 0, 0, "m")],
        );
        check(
            r#"{"choices":[{"delta":{"reasoning_content":"a","thinking_blocks":[{"type":"thinking","thinking":"a","signature":"s"}]}}]}"#,
            EventKind::Content,
            &[(Reasoning, 0, 0, "a"), (Reasoning, 0, 1, "a")],
        );
        check(
            r#"{"choices":[{"delta":{"reasoning_details":[{"type":"t","text":"r"}],"thinking":"k","annotations":[{"url":"u","at":7}]}}]}"#,
            EventKind::Content,
            &[
                (Reasoning, 0, 2, "r"),
                (Assistant, 0, 2, "k"),
                (Assistant, 0, 3, "url"),
                (Assistant, 0, 3, "u"),
                (Assistant, 0, 3, "at"),
                (Assistant, 0, 3, "7"),
            ],
        );
        assert!(Dialect::Chat.event(b"hello").is_err());
    }

    #[test]
    fn facts_of_chunks() {
        let data = br#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        let event = Dialect::Chat.event(data).unwrap();
        let text = |t: &Option<json::Text<'_>>| t.as_ref().map(|t| t.to_str().into_owned());
        assert_eq!(
            (text(&event.id).as_deref(), text(&event.model).as_deref()),
            (Some("c"), Some("m"))
        );
        assert_eq!((event.reported.input, event.reported.output), (Some(3), Some(4)));
        assert_eq!(event.finish.len(), 1);
        assert_eq!(
            event.kind,
            EventKind::Other,
            "usage beside a choice is the client's"
        );
    }
}
