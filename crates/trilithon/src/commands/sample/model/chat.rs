//! Answers in the form of Chat Completions.

use super::call::Call;
use super::reply::{CREATED, Finish, Reply, ToolCall};
use crate::commands::sample::line::{Event, pieces, words};
use crate::commands::sample::wish::Wish;
use serde_json::{Value, json};

pub fn body(call: &Call, reply: &Reply, wish: &Wish) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.text, "refusal": null});
    if let Some(reasoning) = &reply.reasoning {
        message["reasoning_content"] = json!(reasoning);
    }
    if !reply.tools.is_empty() {
        message["content"] = Value::Null;
        message["tool_calls"] = reply.tools.iter().map(tool_call).collect();
    }
    let choice =
        |n| json!({"index": n, "message": message, "logprobs": null, "finish_reason": finish(reply)});
    let mut body = head(reply, "chat.completion");
    body["choices"] = (0..call.choices).map(choice).collect();
    if wish.usage.as_deref() != Some("none") {
        body["usage"] = usage(reply);
    }
    body
}

pub fn events(call: &Call, reply: &Reply, wish: &Wish) -> Vec<Event> {
    let mut events = Vec::new();
    for n in 0..call.choices {
        let mut add = |delta: Value, finish: Value| {
            let mut chunk = head(reply, "chat.completion.chunk");
            chunk["choices"] =
                json!([{"index": n, "delta": delta, "logprobs": null, "finish_reason": finish}]);
            events.push(chunk);
        };
        add(json!({"role": "assistant", "content": ""}), Value::Null);
        for word in reply.reasoning.iter().flat_map(|text| words(text)) {
            add(json!({"reasoning_content": word}), Value::Null);
        }
        for word in words(&reply.text) {
            add(json!({"content": word}), Value::Null);
        }
        for (index, tool) in reply.tools.iter().enumerate() {
            let mut begun = tool_call(tool);
            begun["index"] = json!(index);
            begun["function"]["arguments"] = json!("");
            add(json!({"tool_calls": [begun]}), Value::Null);
            for piece in pieces(&tool.arguments.to_string(), wish.pieces) {
                add(
                    json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}),
                    Value::Null,
                );
            }
        }
        add(json!({}), finish(reply));
    }
    tell_usage(call, reply, wish, &mut events);
    let data = events.iter().map(Value::to_string).chain(["[DONE]".to_owned()]);
    data.map(|data| Event { name: None, data }).collect()
}

/// In a chunk of its own behind the others, or with each if that was wished.
fn tell_usage(call: &Call, reply: &Reply, wish: &Wish, events: &mut Vec<Value>) {
    match wish.usage.as_deref() {
        Some("none") => {}
        Some("every") => events.iter_mut().for_each(|event| event["usage"] = usage(reply)),
        _ if call.tells_usage => {
            let mut last = head(reply, "chat.completion.chunk");
            last["choices"] = json!([]);
            last["usage"] = usage(reply);
            events.push(last);
        }
        _ => {}
    }
}

fn head(reply: &Reply, object: &str) -> Value {
    json!({
        "id": format!("chatcmpl-{}", reply.id), "object": object, "created": CREATED, "model": reply.model,
        "service_tier": "default", "system_fingerprint": "fp_sample",
    })
}

fn tool_call(tool: &ToolCall) -> Value {
    let function = json!({"name": tool.name, "arguments": tool.arguments.to_string()});
    json!({"id": tool.id, "type": "function", "function": function})
}

fn finish(reply: &Reply) -> Value {
    match &reply.finish_word {
        Some(word) => json!(word),
        None => json!(match reply.finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::Tools => "tool_calls",
        }),
    }
}

fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input, "completion_tokens": reply.output, "total_tokens": reply.input + reply.output,
        "prompt_tokens_details": {"cached_tokens": reply.cached},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
    })
}
