//! Events of Responses. What was told in pieces is told again whole, more than once: at the end of a part, of an item, and
//! of the response.

use super::super::answer::string;
use super::super::called;
use super::super::event::is_done;
use super::super::gather::Gather;
use super::super::{Delta, Event, EventKind};
use super::item::part;
use super::usage;
use trilithon_flow::Channel;
use trilithon_wire::json::{self, Value};

/// Parts of one item that are told apart.
const PARTS: u32 = 1 << 8;
/// Reasoning has summaries and texts, each numbered from 0.
const SECOND: u32 = 1 << 7;

/// Of no text: each annotation stands for itself.
const ANNOTATION: u32 = u32::MAX;

/// Finds what is in one event.
pub(in super::super) fn event(data: &[u8]) -> Result<Event<'_>, json::Error> {
    let mut event = Event::default();
    if is_done(data) {
        return Ok(event);
    }
    let root = json::parse(data)?;
    let kind = string(&root, "type").unwrap_or_default();
    let kind = kind.strip_prefix("response.").unwrap_or(&kind);
    match kind {
        "error" | "failed" => event.kind = EventKind::Error,
        "completed" | "incomplete" => event.kind = EventKind::Done,
        _ => {}
    }
    if let Some(response) = root.get("response") {
        whole_response(&response, &mut event);
    } else if let Some(item) = root.get("item") {
        whole_item(
            &item,
            number(&root, "output_index"),
            kind == "output_item.done",
            &mut event,
        );
    } else if let Some(one) = root.get("part") {
        let channel = channel(kind);
        let mut gather = Gather::default();
        part(&one, channel, &mut gather);
        let index = place(&root, kind);
        push(gather, channel, index, kind.ends_with(".done"), &mut event);
    } else if let Some(annotation) = root.get("annotation") {
        let mut gather = Gather::default();
        gather.leaves(Channel::Assistant, &annotation);
        push(gather, Channel::Assistant, ANNOTATION, true, &mut event);
    } else if kind.ends_with(".delta") || kind.ends_with(".done") {
        text(&root, kind, &mut event);
    }
    if event.kind == EventKind::Other && !event.deltas.is_empty() {
        event.kind = EventKind::Content;
    }
    Ok(event)
}

/// The piece, or the whole once more, of one text.
fn text(root: &Value<'_>, kind: &str, event: &mut Event<'_>) {
    let restates = kind.ends_with(".done");
    let (channel, index) = (channel(kind), place(root, kind));
    let names: &[&str] = if restates {
        &["text", "refusal", "arguments", "input", "code", "transcript"]
    } else {
        &["delta"]
    };
    let texts = names.iter().filter_map(|name| root.get(name)?.text());
    event
        .deltas
        .extend(texts.filter(|t| !t.range().is_empty()).map(|text| Delta {
            channel,
            choice: 0,
            index,
            restates,
            range: text.range(),
        }));
}

/// What a kind of event is about.
fn channel(kind: &str) -> Channel {
    match kind {
        _ if kind.starts_with("reasoning") => Channel::Reasoning,
        _ if kind.contains("_call") => Channel::ToolArguments,
        _ => Channel::Assistant,
    }
}

/// Which text of the response an event is about.
fn place(root: &Value<'_>, kind: &str) -> u32 {
    let part = match root.get("summary_index") {
        Some(_) => number(root, "summary_index"),
        None if kind.starts_with("reasoning") => number(root, "content_index") + SECOND,
        None => number(root, "content_index"),
    };
    at(number(root, "output_index"), part)
}

fn at(item: u32, part: u32) -> u32 {
    item.saturating_mul(PARTS).saturating_add(part.min(PARTS - 1))
}

fn number(root: &Value<'_>, name: &str) -> u32 {
    root.get(name)
        .and_then(|v| v.as_u64())
        .map_or(0, |n| n.min(1 << 20) as u32)
}

/// The response so far: at the end, everything again.
fn whole_response<'d>(response: &Value<'d>, event: &mut Event<'d>) {
    event.id = response.get("id").and_then(|v| v.text());
    event.model = response.get("model").and_then(|v| v.text());
    event.reported = usage(response);
    for (i, item) in response.get("output").iter().flat_map(Value::items).enumerate() {
        whole_item(&item, i as u32, true, event);
    }
    if event.kind != EventKind::Other {
        let details = response.get("incomplete_details").and_then(|d| d.get("reason"));
        let reason = details.and_then(|v| v.text());
        let reason = reason.or_else(|| response.get("status")?.text());
        event.finish.extend(reason.map(|reason| (0, reason)));
    }
}

/// An item: at its end, everything in it again.
fn whole_item<'d>(item: &Value<'d>, output: u32, restates: bool, event: &mut Event<'d>) {
    event.tool_calls.extend(called::responses(item));
    match string(item, "type").as_deref() {
        Some("message") | Some("reasoning") => {
            let of = |name: &str| {
                item.get(name)
                    .into_iter()
                    .flat_map(|v| v.items().collect::<Vec<_>>())
            };
            let is_message = string(item, "type").as_deref() == Some("message");
            let (channel, second) = if is_message {
                (Channel::Assistant, 0)
            } else {
                (Channel::Reasoning, SECOND)
            };
            let contents = of("content")
                .enumerate()
                .map(|(i, part)| (second + i as u32, part));
            let summaries = of("summary").enumerate().map(|(i, part)| (i as u32, part));
            for (i, one) in summaries.chain(contents) {
                let mut gather = Gather::default();
                part(&one, channel, &mut gather);
                push(gather, channel, at(output, i), restates, event);
            }
        }
        _ => {
            // Only what was streamed is restated; the rest of a call is told here for the first time, or has no text.
            for name in [
                "arguments",
                "input",
                "code",
                "output",
                "action",
                "queries",
                "results",
            ] {
                if let Some(value) = item.get(name) {
                    let mut gather = Gather::default();
                    gather.leaves(Channel::ToolArguments, &value);
                    push(gather, Channel::ToolArguments, at(output, 0), restates, event);
                }
            }
        }
    }
}

fn push(gather: Gather, channel: Channel, index: u32, restates: bool, event: &mut Event<'_>) {
    event.deltas.extend(gather.slots.into_iter().map(|slot| Delta {
        channel,
        choice: 0,
        index,
        restates,
        range: slot.range,
    }));
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::*;

    #[test]
    fn events() {
        use Channel::*;
        let check = |data: &str, kind: EventKind, want: &[(Channel, u32, bool, &str)]| {
            let event = Dialect::Responses.event(data.as_bytes()).unwrap();
            assert_eq!(event.kind, kind, "{data}");
            let deltas = event.deltas.iter();
            let got: Vec<_> = deltas
                .map(|d| (d.channel, d.index, d.restates, &data[d.range.clone()]))
                .collect();
            assert_eq!(got, want, "{data}");
        };
        check(
            r#"{"type":"response.created","response":{"id":"r","model":"m","output":[]}}"#,
            EventKind::Other,
            &[],
        );
        check(
            r#"{"type":"response.output_text.delta","output_index":1,"content_index":2,"delta":"a"}"#,
            EventKind::Content,
            &[(Assistant, 258, false, "a")],
        );
        check(
            r#"{"type":"response.output_text.done","output_index":1,"content_index":2,"text":"abc"}"#,
            EventKind::Content,
            &[(Assistant, 258, true, "abc")],
        );
        check(
            r#"{"type":"response.content_part.done","output_index":1,"content_index":2,"part":{"type":"output_text","text":"abc"}}"#,
            EventKind::Content,
            &[(Assistant, 258, true, "abc")],
        );
        check(
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"text":""},{"text":"b"}]}}"#,
            EventKind::Content,
            &[(Assistant, 257, true, "b")],
        );
        check(
            r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}"#,
            EventKind::Content,
            &[(ToolArguments, 0, false, "{")],
        );
        check(
            r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{}"}"#,
            EventKind::Content,
            &[(ToolArguments, 0, true, "{}")],
        );
        check(
            r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"s"}"#,
            EventKind::Content,
            &[(Reasoning, 1, false, "s")],
        );
        check(
            r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"s"}"#,
            EventKind::Content,
            &[(Reasoning, 128, false, "s")],
        );
        check(
            r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"reasoning","summary":[{"text":"s"}],"content":[{"text":"t"}]},{"type":"function_call","arguments":"{}"}]}}"#,
            EventKind::Done,
            &[
                (Reasoning, 0, true, "s"),
                (Reasoning, 128, true, "t"),
                (ToolArguments, 256, true, "{}"),
            ],
        );
        check(
            r#"{"type":"response.output_text.annotation.added","annotation":{"url":"u"}}"#,
            EventKind::Content,
            &[
                (Assistant, u32::MAX, true, "url"),
                (Assistant, u32::MAX, true, "u"),
            ],
        );
        check("[DONE]", EventKind::Other, &[]);
        check(r#"{"type":"error","message":"x"}"#, EventKind::Error, &[]);
        check(
            r#"{"type":"response.failed","response":{"status":"failed"}}"#,
            EventKind::Error,
            &[],
        );
    }

    #[test]
    fn facts_of_events() {
        let data = br#"{"type":"response.incomplete","response":{"id":"r","model":"m","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":1,"output_tokens":2}}}"#;
        let event = Dialect::Responses.event(data).unwrap();
        assert_eq!(event.finish[0].1.to_str(), "max_output_tokens");
        assert_eq!(Dialect::Responses.usage(event.reported).unwrap().total(), 3);
        assert_eq!(event.model.unwrap().to_str(), "m");
    }
}
