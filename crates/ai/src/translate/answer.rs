//! A whole answer in the words of the client's dialect.

use super::to_messages::arguments;
use crate::dialect::Dialect;
use serde_json::{Value, json};
use std::borrow::Cow;
use trilithon_wire::json::tree;

/// Characters of a name that comes from the upstream.
const MAX_NAME: usize = 256;

/// An answer that is none of the upstream's dialect, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Translates an answer for clients of `to`, from the other dialect. `created` is now, in seconds since 1970.
///
/// # Errors
/// It is no answer of that dialect: a success that is cut short is not passed on as one.
pub fn answer(to: Dialect, body: &[u8], created: u64) -> Result<Vec<u8>, Malformed> {
    let told = tree(body).map_err(|_| Malformed("the answer is no JSON"))?;
    let made = match to {
        Dialect::Chat => chat(&told, created)?,
        Dialect::Messages => messages(&told)?,
        Dialect::Responses => return Err(Malformed("answers of this format are not translated")),
    };
    Ok(made.to_string().into_bytes())
}

fn chat(told: &Value, created: u64) -> Result<Value, Malformed> {
    let blocks = told["content"]
        .as_array()
        .ok_or(Malformed("the answer has no `content`"))?;
    let stop = told["stop_reason"]
        .as_str()
        .ok_or(Malformed("the answer has no `stop_reason`"))?;
    let (mut said, mut thought) = (String::new(), String::new());
    let (mut thoughts, mut calls) = (Vec::new(), Vec::new());
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => said.push_str(block["text"].as_str().unwrap_or_default()),
            Some("thinking" | "redacted_thinking") => {
                thought.push_str(block["thinking"].as_str().unwrap_or_default());
                thoughts.push(block.clone());
            }
            Some("tool_use") => {
                let (id, name) = called(&block["id"], &block["name"])?;
                let function = json!({"name": name, "arguments": block["input"].to_string()});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            // Only tools of the server make others, and no request asks for those.
            _ => {}
        }
    }
    let mut message = json!({"role": "assistant", "content": said, "refusal": null});
    if !calls.is_empty() {
        if said.is_empty() {
            message["content"] = Value::Null;
        }
        message["tool_calls"] = calls.into();
    }
    if !thoughts.is_empty() {
        message["reasoning_content"] = thought.into();
        message["thinking_blocks"] = thoughts.into();
    }
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(stop)});
    Ok(json!({
        "id": name(&told["id"]), "object": "chat.completion", "created": created, "model": name(&told["model"]),
        "choices": [choice], "usage": chat_usage(&told["usage"]),
    }))
}

fn messages(told: &Value) -> Result<Value, Malformed> {
    let choice = told["choices"]
        .get(0)
        .ok_or(Malformed("the answer has no `choices`"))?;
    let finish = choice["finish_reason"]
        .as_str()
        .ok_or(Malformed("the answer has no `finish_reason`"))?;
    let message = &choice["message"];
    let mut blocks = Vec::new();
    if let Some(thought) = thought(message) {
        blocks.push(json!({"type": "thinking", "thinking": thought, "signature": ""}));
    }
    for text in [&message["content"], &message["refusal"]].map(words) {
        if !text.is_empty() {
            blocks.push(json!({"type": "text", "text": text, "citations": null}));
        }
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let function = &call["function"];
        let (id, name) = called(&call["id"], &function["name"])?;
        let input = arguments(function["arguments"].as_str().unwrap_or_default());
        let input = input.ok_or(Malformed("arguments of a tool are no JSON object"))?;
        blocks.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
    }
    let stop = if message["refusal"].is_string() {
        "refusal"
    } else {
        stop_reason(finish)
    };
    Ok(json!({
        "id": name(&told["id"]), "type": "message", "role": "assistant", "model": name(&told["model"]), "content": blocks,
        "stop_reason": stop, "stop_sequence": null, "usage": messages_usage(&told["usage"]),
    }))
}

/// The name of an answer or a model; it is told with each event of a stream.
pub(super) fn name(told: &Value) -> String {
    told.as_str().unwrap_or_default().chars().take(MAX_NAME).collect()
}

/// Id and name of a tool that is called.
pub(super) fn called<'v>(id: &'v Value, name: &'v Value) -> Result<(&'v str, &'v str), Malformed> {
    id.as_str()
        .zip(name.as_str())
        .ok_or(Malformed("the call of a tool has no id or name"))
}

/// A text, or the texts of parts, as some servers have it.
pub(super) fn words(content: &Value) -> Cow<'_, str> {
    match content {
        Value::String(text) => text.into(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => "".into(),
    }
}

/// What a model of Chat Completions thought; vendors have two names for it.
pub(super) fn thought(message: &Value) -> Option<&str> {
    let names = ["reasoning_content", "reasoning"];
    names
        .iter()
        .find_map(|name| message[*name].as_str())
        .filter(|text| !text.is_empty())
}

pub(super) fn finish_reason(stop: &str) -> &'static str {
    match stop {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    }
}

pub(super) fn stop_reason(finish: &str) -> &'static str {
    match finish {
        "length" => "max_tokens",
        "tool_calls" | "function_call" => "tool_use",
        "content_filter" => "refusal",
        _ => "end_turn",
    }
}

/// Chat Completions counts what went through the cache in its input; Messages counts it beside it.
pub(super) fn chat_usage(told: &Value) -> Value {
    let of = |name: &str| told[name].as_u64().unwrap_or(0);
    let cached = of("cache_read_input_tokens");
    let input = of("input_tokens")
        .saturating_add(cached)
        .saturating_add(of("cache_creation_input_tokens"));
    let output = of("output_tokens");
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output),
        "prompt_tokens_details": {"cached_tokens": cached},
    })
}

pub(super) fn messages_usage(told: &Value) -> Value {
    let of = |value: &Value| value.as_u64().unwrap_or(0);
    let cached = of(&told["prompt_tokens_details"]["cached_tokens"]);
    json!({
        "input_tokens": of(&told["prompt_tokens"]).saturating_sub(cached), "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached, "output_tokens": of(&told["completion_tokens"]),
    })
}
