//! Answers in the form of Messages.

use super::call::Call;
use super::reply::{Finish, Reply};
use crate::commands::sample::line::{Event, pieces, words};
use crate::commands::sample::wish::Wish;
use serde_json::{Value, json};

/// What a thinking block is signed with.
pub const SIGNATURE: &str = "c2FtcGxlIHNpZ25hdHVyZQ==";

pub fn body(_: &Call, reply: &Reply, wish: &Wish) -> Value {
    let mut body = head(reply, wish);
    body["content"] = blocks(reply).into();
    body["stop_reason"] = stop_reason(reply);
    body["stop_sequence"] = json!(reply.stopped_at);
    if wish.usage.as_deref() != Some("none") {
        body["usage"]["output_tokens"] = json!(reply.output);
    }
    body
}

fn head(reply: &Reply, wish: &Wish) -> Value {
    let mut head = json!({
        "id": format!("msg_{}", reply.id), "type": "message", "role": "assistant", "model": reply.model, "content": [],
        "stop_reason": null, "stop_sequence": null,
    });
    if wish.usage.as_deref() != Some("none") {
        head["usage"] = json!({
            "input_tokens": reply.input - reply.cached, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": reply.cached, "output_tokens": 1,
        });
    }
    head
}

fn blocks(reply: &Reply) -> Vec<Value> {
    let thinking = reply
        .reasoning
        .iter()
        .map(|text| json!({"type": "thinking", "thinking": text, "signature": SIGNATURE}));
    let text = (!reply.text.is_empty()).then(|| json!({"type": "text", "text": reply.text}));
    let tools = reply
        .tools
        .iter()
        .map(|t| json!({"type": "tool_use", "id": t.id, "name": t.name, "input": t.arguments}));
    thinking.chain(text).chain(tools).collect()
}

pub fn events(_: &Call, reply: &Reply, wish: &Wish) -> Vec<Event> {
    let mut events = vec![event("message_start", json!({"message": head(reply, wish)}))];
    events.push(event("ping", json!({})));
    for (index, block) in blocks(reply).iter().enumerate() {
        let deltas = deltas(block, wish);
        events.push(event(
            "content_block_start",
            json!({"index": index, "content_block": begun(block)}),
        ));
        let deltas = deltas
            .into_iter()
            .map(|delta| event("content_block_delta", json!({"index": index, "delta": delta})));
        events.extend(deltas);
        events.push(event("content_block_stop", json!({"index": index})));
    }
    let mut end = json!({"delta": {"stop_reason": stop_reason(reply), "stop_sequence": reply.stopped_at}});
    if wish.usage.as_deref() != Some("none") {
        end["usage"] = json!({"output_tokens": reply.output});
    }
    events.push(event("message_delta", end));
    events.push(event("message_stop", json!({})));
    events
}

fn begun(block: &Value) -> Value {
    match block["type"].as_str() {
        Some("thinking") => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Some("text") => json!({"type": "text", "text": ""}),
        _ => json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}),
    }
}

fn deltas(block: &Value, wish: &Wish) -> Vec<Value> {
    let text = |field: &str| block[field].as_str().unwrap_or_default().to_owned();
    match block["type"].as_str() {
        Some("thinking") => {
            let said = text("thinking");
            let thought = words(&said).map(|word| json!({"type": "thinking_delta", "thinking": word}));
            thought
                .chain([json!({"type": "signature_delta", "signature": SIGNATURE})])
                .collect()
        }
        Some("text") => {
            let said = text("text");
            words(&said)
                .map(|word| json!({"type": "text_delta", "text": word}))
                .collect()
        }
        _ => {
            let arguments = block["input"].to_string();
            let parts = pieces(&arguments, wish.pieces);
            parts
                .map(|part| json!({"type": "input_json_delta", "partial_json": part}))
                .collect()
        }
    }
}

fn event(name: &'static str, fields: Value) -> Event {
    let mut data = json!({"type": name});
    if let (Value::Object(data), Value::Object(fields)) = (&mut data, fields) {
        data.extend(fields);
    }
    Event {
        name: Some(name),
        data: data.to_string(),
    }
}

fn stop_reason(reply: &Reply) -> Value {
    match &reply.finish_word {
        Some(word) => json!(word),
        None => json!(match reply.finish {
            Finish::Stop if reply.stopped_at.is_some() => "stop_sequence",
            Finish::Stop => "end_turn",
            Finish::Length => "max_tokens",
            Finish::Tools => "tool_use",
        }),
    }
}
