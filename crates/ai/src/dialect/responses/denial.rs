//! Responses that no model made.

use super::super::deny::{Denial, push_event};
use serde_json::{Value, json};

/// A response with the message as its text, or the events of one.
pub(in super::super) fn denial(denial: &Denial<'_>) -> Vec<u8> {
    if denial.stream {
        return stream(denial);
    }
    response(denial, "completed", json!([message(denial)]))
        .to_string()
        .into_bytes()
}

fn stream(denial: &Denial<'_>) -> Vec<u8> {
    let id = message_id(denial);
    let (empty, whole) = (part(""), part(denial.message));
    let begun =
        json!({ "type": "message", "id": id, "status": "in_progress", "role": "assistant", "content": [] });
    let mut events = [
        json!({ "type": "response.created", "response": response(denial, "in_progress", json!([])) }),
        json!({ "type": "response.in_progress", "response": response(denial, "in_progress", json!([])) }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": begun }),
        json!({ "type": "response.content_part.added", "item_id": id, "output_index": 0, "content_index": 0, "part": empty }),
        json!({
            "type": "response.output_text.delta", "item_id": id, "output_index": 0, "content_index": 0,
            "delta": denial.message, "logprobs": [],
        }),
        json!({
            "type": "response.output_text.done", "item_id": id, "output_index": 0, "content_index": 0,
            "text": denial.message, "logprobs": [],
        }),
        json!({ "type": "response.content_part.done", "item_id": id, "output_index": 0, "content_index": 0, "part": whole }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": message(denial) }),
        json!({ "type": "response.completed", "response": response(denial, "completed", json!([message(denial)])) }),
    ];
    let mut out = Vec::new();
    for (i, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(i);
        push_event(&mut out, event["type"].as_str(), event);
    }
    out
}

fn message_id(denial: &Denial<'_>) -> String {
    format!("msg_{:016x}", denial.nonce)
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(denial: &Denial<'_>) -> Value {
    json!({
        "type": "message",
        "id": message_id(denial),
        "status": "completed",
        "role": "assistant",
        "content": [part(denial.message)],
    })
}

fn response(denial: &Denial<'_>, status: &str, output: Value) -> Value {
    let usage = json!({
        "input_tokens": 0, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 0, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": 0,
    });
    json!({
        "id": format!("resp_{:016x}", denial.nonce),
        "object": "response",
        "created_at": denial.created,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "metadata": {},
        "model": denial.model,
        "output": output,
        "parallel_tool_calls": true,
        "temperature": null,
        "tool_choice": "auto",
        "tools": [],
        "top_p": null,
        "usage": if status == "completed" { usage } else { Value::Null },
    })
}
