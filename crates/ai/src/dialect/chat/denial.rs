//! Chat completions that no model made.

use super::super::deny::{Denial, push_event};
use serde_json::{Value, json};

/// A completion with the message as its text, or the chunks of one.
pub(in super::super) fn denial(denial: &Denial<'_>) -> Vec<u8> {
    if denial.stream {
        return stream(denial);
    }
    let message = json!({ "role": "assistant", "content": denial.message, "refusal": null });
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
    let mut body = frame(denial, "chat.completion", json!([choice]));
    body["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
    body.to_string().into_bytes()
}

fn stream(denial: &Denial<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let deltas = [
        (json!({ "role": "assistant", "content": "" }), Value::Null),
        (json!({ "content": denial.message }), Value::Null),
        (json!({}), json!("stop")),
    ];
    for (delta, reason) in deltas {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        push_event(
            &mut out,
            None,
            &frame(denial, "chat.completion.chunk", json!([choice])),
        );
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
    out
}

fn frame(denial: &Denial<'_>, object: &str, choices: Value) -> Value {
    json!({
        "id": format!("chatcmpl-{:016x}", denial.nonce),
        "object": object,
        "created": denial.created,
        "model": denial.model,
        "choices": choices,
    })
}
