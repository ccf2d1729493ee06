//! Events of Messages.

use super::super::called;
use super::super::event::is_done;
use super::super::gather::Gather;
use super::super::{Delta, Event, EventKind};
use super::{block, usage};
use trilithon_flow::Channel;
use trilithon_wire::json::{self, Value};

/// Finds what is in one event.
pub(in super::super) fn event(data: &[u8]) -> Result<Event<'_>, json::Error> {
    let mut event = Event::default();
    if is_done(data) {
        return Ok(event);
    }
    let root = json::parse(data)?;
    let kind = root.get("type").and_then(|v| v.text());
    match kind.map(|t| t.to_str()).as_deref() {
        Some("message_start") => {
            if let Some(message) = root.get("message") {
                event.id = message.get("id").and_then(|v| v.text());
                event.model = message.get("model").and_then(|v| v.text());
                event.reported = usage(&message);
            }
        }
        Some("content_block_start") => begun(&root, &mut event),
        Some("content_block_delta") => continued(&root, &mut event),
        Some("message_delta") => {
            event.reported = usage(&root);
            let reason = root
                .get("delta")
                .and_then(|d| d.get("stop_reason"))
                .and_then(|v| v.text());
            event.finish.extend(reason.map(|reason| (0, reason)));
        }
        Some("message_stop") => event.kind = EventKind::Done,
        Some("error") => event.kind = EventKind::Error,
        _ => {}
    }
    if !event.deltas.is_empty() {
        event.kind = EventKind::Content;
    }
    Ok(event)
}

fn index(root: &Value<'_>) -> u32 {
    root.get("index").and_then(|v| v.as_u64()).map_or(0, |n| n as u32)
}

/// A block may come with text, or whole.
fn begun<'d>(root: &Value<'d>, event: &mut Event<'d>) {
    let Some(content) = root.get("content_block") else {
        return;
    };
    event.tool_calls.extend(called::messages(&content));
    let is_call = content
        .get("type")
        .and_then(|v| v.text())
        .is_some_and(|t| t.to_str().ends_with("tool_use"));
    let mut gather = Gather::default();
    match content.get("input") {
        // Its name and id are none of its arguments.
        Some(input) if is_call => gather.leaves(Channel::ToolArguments, &input),
        _ => block(&content, Channel::Assistant, &mut gather),
    }
    // The text of a block goes on in what follows; all else that it may come with is whole.
    let goes_on = content.get("text").or_else(|| content.get("thinking"));
    let goes_on = goes_on.and_then(|v| v.text()).map(|text| text.range());
    let index = index(root);
    event.deltas.extend(gather.slots.into_iter().map(|slot| Delta {
        channel: slot.channel,
        choice: 0,
        index,
        restates: Some(&slot.range) != goes_on.as_ref(),
        range: slot.range,
    }));
}

fn continued(root: &Value<'_>, event: &mut Event<'_>) {
    let Some(delta) = root.get("delta") else { return };
    let index = index(root);
    for (name, value) in delta.members() {
        let channel = match &*name.to_str() {
            "type" | "signature" => continue,
            "partial_json" => Channel::ToolArguments,
            "thinking" => Channel::Reasoning,
            "text" => Channel::Assistant,
            // Citations and what else there may be.
            _ => {
                let mut gather = Gather::default();
                gather.leaves(Channel::Assistant, &value);
                let slots = gather.slots.into_iter();
                event.deltas.extend(slots.map(|slot| Delta {
                    channel: slot.channel,
                    choice: 1,
                    index,
                    restates: true,
                    range: slot.range,
                }));
                continue;
            }
        };
        if let Some(range) = value.text().map(|t| t.range()).filter(|r| !r.is_empty()) {
            event.deltas.push(Delta {
                channel,
                choice: 0,
                index,
                restates: false,
                range,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::*;

    #[test]
    fn events() {
        use Channel::*;
        let check = |data: &str, kind: EventKind, want: &[(Channel, u32, &str)]| {
            let event = Dialect::Messages.event(data.as_bytes()).unwrap();
            assert_eq!(event.kind, kind, "{data}");
            let deltas = event.deltas.iter();
            let got: Vec<_> = deltas
                .map(|d| (d.channel, d.index, &data[d.range.clone()]))
                .collect();
            assert_eq!(got, want, "{data}");
        };
        check(r#"{"type":"ping"}"#, EventKind::Other, &[]);
        check(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            EventKind::Other,
            &[],
        );
        check(
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"i","name":"f","input":{}}}"#,
            EventKind::Other,
            &[],
        );
        check(
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","input":{"card":41}}}"#,
            EventKind::Content,
            &[(ToolArguments, 1, "card"), (ToolArguments, 1, "41")],
        );
        check(
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a"}}"#,
            EventKind::Content,
            &[(Assistant, 2, "a")],
        );
        check(
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a"}}"#,
            EventKind::Content,
            &[(ToolArguments, 1, r#"{\"a"#)],
        );
        check(
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"t"}}"#,
            EventKind::Content,
            &[(Reasoning, 0, "t")],
        );
        check(
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"t"}}"#,
            EventKind::Other,
            &[],
        );
        check("[DONE]", EventKind::Other, &[]);
        check(r#"{"type":"message_stop"}"#, EventKind::Done, &[]);
        check(
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            EventKind::Error,
            &[],
        );
    }

    #[test]
    fn usage_comes_in_parts() {
        let mut all = super::super::super::Reported::default();
        for data in [
            r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":9,"cache_read_input_tokens":1,"output_tokens":1}}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}}"#,
        ] {
            all.merge(Dialect::Messages.event(data.as_bytes()).unwrap().reported);
        }
        let usage = Dialect::Messages.usage(all).unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read), (10, 12, 1));
    }
}
