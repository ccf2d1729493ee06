//! A request of Chat Completions in the words of Messages.

use super::request::{Out, items, refused};
use crate::dialect::Invalid;
use serde_json::{Map, Value, json};
use trilithon_wire::json::tree;

/// Messages requires a limit; this one stands for none.
const MAX_TOKENS: u64 = 4096;

pub(super) fn build(asked: &Map<String, Value>, out: &mut Out) -> Result<(), Invalid> {
    out.copy(asked, "model", "model");
    let (system, messages) = messages(asked, out)?;
    limits(asked, out);
    if !system.is_empty() {
        out.set("system", system);
    }
    out.set("messages", messages);
    out.copy(asked, "stream", "stream");
    out.copy(asked, "top_p", "top_p");
    if let Some(options) = asked.get("stream_options") {
        out.only(options, "stream_options", &["include_usage"]);
    }
    match asked.get("stop") {
        Some(Value::String(one)) => out.set("stop_sequences", json!([one])),
        _ => out.copy(asked, "stop", "stop_sequences"),
    }
    tools(asked, out)?;
    if let Some(user) = ["user", "safety_identifier"]
        .iter()
        .find_map(|name| asked.get(*name)?.as_str())
    {
        out.set("metadata", json!({"user_id": user}));
    }
    Ok(())
}

/// `max_tokens`, `thinking` and `temperature`, which depend on each other.
fn limits(asked: &Map<String, Value>, out: &mut Out) {
    let limit = ["max_completion_tokens", "max_tokens"]
        .iter()
        .find_map(|name| asked.get(*name)?.as_u64());
    let limit = limit.unwrap_or(MAX_TOKENS);
    let budget = match asked.get("reasoning_effort").and_then(Value::as_str) {
        Some("minimal" | "low") => 1024,
        Some("medium") => 4096,
        Some("high" | "xhigh") => 16384,
        Some("none") | None => 0,
        Some(_) => {
            out.drop("reasoning_effort");
            0
        }
    };
    // Thoughts are among what is limited, and something has to be left to say.
    let room = if limit > budget {
        limit
    } else {
        limit.saturating_add(budget)
    };
    out.set("max_tokens", room);
    if budget > 0 {
        out.set("thinking", json!({"type": "enabled", "budget_tokens": budget}));
    }
    let temperature = asked.get("temperature").and_then(Value::as_f64);
    match temperature {
        // A model that thinks has its own.
        Some(_) if budget > 0 => out.drop("temperature"),
        Some(heat) if heat > 1.0 => out.set("temperature", 1.0),
        _ => out.copy(asked, "temperature", "temperature"),
    }
}

fn messages(asked: &Map<String, Value>, out: &mut Out) -> Result<(Vec<Value>, Vec<Value>), Invalid> {
    let (mut system, mut messages) = (Vec::new(), Vec::<Value>::new());
    for (n, message) in items(asked, "messages") {
        let place = format!("messages[{n}]");
        let (role, blocks) = match message["role"].as_str() {
            Some("system" | "developer") => {
                out.only(message, "messages", &["role", "content"]);
                system.extend(content(&message["content"], &place, out)?);
                continue;
            }
            Some("user") => {
                out.only(message, "messages", &["role", "content"]);
                ("user", content(&message["content"], &place, out)?)
            }
            Some("assistant") => ("assistant", assistant(message, &place, out)?),
            Some("tool") => {
                out.only(message, "messages", &["role", "content", "tool_call_id"]);
                let told = content(&message["content"], &place, out)?;
                let result =
                    json!({"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": told});
                ("user", vec![result])
            }
            _ => return Err(refused(&place, "its role is not known")),
        };
        match messages.last_mut().filter(|last| last["role"] == role) {
            Some(last) => {
                if let Some(list) = last["content"].as_array_mut() {
                    list.extend(blocks);
                }
            }
            None => messages.push(json!({"role": role, "content": blocks})),
        }
    }
    Ok((system, messages))
}

/// A content's parts as blocks. Empty texts are left out: Messages does not take them.
fn content(content: &Value, place: &str, out: &mut Out) -> Result<Vec<Value>, Invalid> {
    const PLACE: &str = "messages.content";
    let mut blocks = Vec::new();
    match content {
        Value::String(text) => blocks.extend(text_block(text)),
        Value::Array(parts) => {
            for (n, part) in parts.iter().enumerate() {
                match part["type"].as_str() {
                    Some(kind @ ("text" | "refusal")) => {
                        out.only(part, PLACE, &["type", kind]);
                        blocks.extend(text_block(part[kind].as_str().unwrap_or_default()));
                    }
                    Some("image_url") => {
                        out.only(part, PLACE, &["type", "image_url"]);
                        out.only(&part["image_url"], "messages.content.image_url", &["url"]);
                        blocks.push(image(&part["image_url"]));
                    }
                    _ => {
                        let place = format!("{place}.content[{n}]");
                        return Err(refused(&place, "only texts and images are"));
                    }
                }
            }
        }
        _ => {}
    }
    Ok(blocks)
}

fn text_block(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn image(image: &Value) -> Value {
    let url = image["url"].as_str().unwrap_or_default();
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    let source = match data {
        Some((kind, data)) => json!({"type": "base64", "media_type": kind, "data": data}),
        None => json!({"type": "url", "url": url}),
    };
    json!({"type": "image", "source": source})
}

/// Thoughts with their signatures, as they were given out. Nothing else comes in by that door.
fn thoughts(message: &Value, place: &str) -> Result<Vec<Value>, Invalid> {
    let is_thought = |block: &Value| matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"));
    match message["thinking_blocks"].as_array() {
        Some(blocks) if blocks.iter().all(is_thought) => Ok(blocks.clone()),
        Some(_) => Err(refused(&format!("{place}.thinking_blocks"), "only thoughts are")),
        None => Ok(Vec::new()),
    }
}

fn assistant(message: &Value, place: &str, out: &mut Out) -> Result<Vec<Value>, Invalid> {
    for name in ["audio", "function_call"] {
        if !message[name].is_null() {
            return Err(refused(&format!("{place}.{name}"), "it has no place there"));
        }
    }
    let mut blocks = thoughts(message, place)?;
    let mut known = vec!["role", "content", "refusal", "tool_calls"];
    if !blocks.is_empty() {
        // They say the same; without a signature, thoughts are nothing that a model takes back.
        known.extend(["thinking_blocks", "reasoning_content", "reasoning"]);
    }
    out.only(message, "messages", &known);
    blocks.extend(content(&message["content"], place, out)?);
    blocks.extend(message["refusal"].as_str().and_then(text_block));
    for (n, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        out.only(call, "messages.tool_calls", &["id", "type", "function", "index"]);
        let function = &call["function"];
        let Some(input) = arguments(function["arguments"].as_str().unwrap_or_default()) else {
            return Err(refused(
                &format!("{place}.tool_calls[{n}]"),
                "its arguments are no JSON object",
            ));
        };
        blocks.push(json!({"type": "tool_use", "id": call["id"], "name": function["name"], "input": input}));
    }
    Ok(blocks)
}

/// Arguments of a tool as an object; nothing at all is an empty one.
pub(super) fn arguments(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return Some(json!({}));
    }
    tree(text.as_bytes()).ok().filter(Value::is_object)
}

fn tools(asked: &Map<String, Value>, out: &mut Out) -> Result<(), Invalid> {
    let mut tools = Vec::new();
    for (n, tool) in items(asked, "tools") {
        if tool["type"] != "function" {
            return Err(refused(&format!("tools[{n}]"), "only functions are"));
        }
        let function = &tool["function"];
        out.only(tool, "tools", &["type", "function"]);
        out.only(function, "tools.function", &["name", "description", "parameters"]);
        let mut made = json!({"name": function["name"]});
        if function["description"].is_string() {
            made["description"] = function["description"].clone();
        }
        made["input_schema"] = match &function["parameters"] {
            Value::Null => json!({"type": "object", "properties": {}}),
            schema => schema.clone(),
        };
        tools.push(made);
    }
    if tools.is_empty() {
        return Ok(());
    }
    out.set("tools", tools);
    choice(asked, out)
}

fn choice(asked: &Map<String, Value>, out: &mut Out) -> Result<(), Invalid> {
    let wanted = asked.get("tool_choice").unwrap_or(&Value::Null);
    let mut choice = match (wanted.as_str(), wanted["function"]["name"].as_str()) {
        (_, Some(name)) => json!({"type": "tool", "name": name}),
        (Some("none"), _) => json!({"type": "none"}),
        (Some("required"), _) => json!({"type": "any"}),
        (Some("auto"), _) => json!({"type": "auto"}),
        _ if wanted.is_null() => json!({"type": "auto"}),
        _ => return Err(refused("tool_choice", "this choice is not known")),
    };
    let is_single = asked.get("parallel_tool_calls") == Some(&Value::Bool(false));
    if is_single && choice["type"] != "none" {
        choice["disable_parallel_tool_use"] = json!(true);
    }
    if is_single || !wanted.is_null() {
        out.set("tool_choice", choice);
    }
    Ok(())
}
