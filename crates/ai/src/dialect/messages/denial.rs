//! Messages that no model made.

use super::super::deny::{Denial, push_event};
use serde_json::{Value, json};

/// A message with the text, or the events of one.
pub(in super::super) fn denial(denial: &Denial<'_>) -> Vec<u8> {
    if denial.stream {
        return stream(denial);
    }
    let content = json!([{ "type": "text", "text": denial.message }]);
    message(denial, content, json!("end_turn"))
        .to_string()
        .into_bytes()
}

fn stream(denial: &Denial<'_>) -> Vec<u8> {
    let events = [
        json!({ "type": "message_start", "message": message(denial, json!([]), Value::Null) }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": denial.message } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta",
            "delta": { "stop_reason": "end_turn", "stop_sequence": null },
            "usage": { "output_tokens": 0 },
        }),
        json!({ "type": "message_stop" }),
    ];
    let mut out = Vec::new();
    for event in &events {
        push_event(&mut out, event["type"].as_str(), event);
    }
    out
}

fn message(denial: &Denial<'_>, content: Value, stop_reason: Value) -> Value {
    json!({
        "id": format!("msg_{:016x}", denial.nonce),
        "type": "message",
        "role": "assistant",
        "model": denial.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": { "input_tokens": 0, "output_tokens": 0 },
    })
}
