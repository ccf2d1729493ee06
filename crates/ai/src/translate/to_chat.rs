//! A request of Messages in the words of Chat Completions.

use super::request::{Out, items, refused};
use crate::dialect::Invalid;
use serde_json::{Map, Value, json};

/// Stop sequences that Chat Completions takes.
const MAX_STOPS: usize = 4;
/// Where blocks stand, for what is dropped of them.
const BLOCK: &str = "messages.content";

pub(super) fn build(asked: &Map<String, Value>, out: &mut Out) -> Result<(), Invalid> {
    out.copy(asked, "model", "model");
    let mut messages = Vec::new();
    if let Some(system) = asked.get("system").filter(|system| !system.is_null()) {
        messages.push(json!({"role": "system", "content": text(system, "system", "system", out)?}));
    }
    for (n, message) in items(asked, "messages") {
        let (content, place) = (&message["content"], format!("messages[{n}].content"));
        out.only(message, "messages", &["role", "content"]);
        match message["role"].as_str() {
            Some("assistant") => messages.push(assistant(content, &place, out)?),
            Some("system") => {
                messages.push(json!({"role": "system", "content": text(content, &place, BLOCK, out)?}))
            }
            _ => user(content, &place, &mut messages, out)?,
        }
    }
    out.set("messages", messages);
    out.copy(asked, "max_tokens", "max_completion_tokens");
    out.copy(asked, "temperature", "temperature");
    out.copy(asked, "top_p", "top_p");
    if items(asked, "stop_sequences").count() > MAX_STOPS {
        return Err(refused("stop_sequences", "it takes four"));
    }
    out.copy(asked, "stop_sequences", "stop");
    if asked.get("stream") == Some(&Value::Bool(true)) {
        out.set("stream", true);
        out.set("stream_options", json!({"include_usage": true}));
    }
    if let Some(thinking) = asked.get("thinking") {
        out.only(thinking, "thinking", &["type", "budget_tokens"]);
        if let Some(effort) = effort(thinking) {
            out.set("reasoning_effort", effort);
        }
    }
    if let Some(metadata) = asked.get("metadata") {
        out.only(metadata, "metadata", &["user_id"]);
        if let Some(user) = metadata["user_id"].as_str() {
            out.set("safety_identifier", user);
        }
    }
    tools(asked, out)
}

fn effort(thinking: &Value) -> Option<&'static str> {
    match (thinking["type"].as_str(), thinking["budget_tokens"].as_u64()) {
        (Some("enabled"), Some(..=2048)) => Some("low"),
        (Some("enabled"), Some(8193..)) => Some("high"),
        (Some("enabled" | "adaptive"), _) => Some("medium"),
        _ => None,
    }
}

/// A text, or the texts of blocks. `within` is the place without indices.
fn text(content: &Value, place: &str, within: &str, out: &mut Out) -> Result<String, Invalid> {
    let mut all = String::new();
    match content {
        Value::String(text) => all.push_str(text),
        _ => {
            for (n, block) in content.as_array().into_iter().flatten().enumerate() {
                out.only(block, within, &["type", "text"]);
                match block["text"].as_str().filter(|_| block["type"] == "text") {
                    Some(text) => all.push_str(text),
                    None => return Err(refused(&format!("{place}[{n}]"), "only texts are")),
                }
            }
        }
    }
    Ok(all)
}

/// A turn of the user: results of tools first, each a message of its own, then what was said.
fn user(content: &Value, place: &str, messages: &mut Vec<Value>, out: &mut Out) -> Result<(), Invalid> {
    let Value::Array(blocks) = content else {
        messages.push(json!({"role": "user", "content": content}));
        return Ok(());
    };
    let mut parts = Vec::new();
    for (n, block) in blocks.iter().enumerate() {
        let place = format!("{place}[{n}]");
        match block["type"].as_str() {
            Some("text") => {
                out.only(block, BLOCK, &["type", "text"]);
                parts.push(json!({"type": "text", "text": block["text"]}));
            }
            Some("image") => {
                out.only(block, BLOCK, &["type", "source"]);
                parts.push(image(&block["source"], &place)?);
            }
            Some("tool_result") => messages.push(tool_result(block, &place, out)?),
            _ => return Err(refused(&place, "only texts, images and results of tools are")),
        }
    }
    match &mut parts[..] {
        [] => {}
        // Not every server takes parts where a text will do.
        [one] if one["type"] == "text" => {
            messages.push(json!({"role": "user", "content": one["text"].take()}))
        }
        _ => messages.push(json!({"role": "user", "content": parts})),
    }
    Ok(())
}

fn tool_result(block: &Value, place: &str, out: &mut Out) -> Result<Value, Invalid> {
    out.only(block, BLOCK, &["type", "tool_use_id", "content"]);
    let told = text(&block["content"], &format!("{place}.content"), BLOCK, out)?;
    Ok(json!({"role": "tool", "tool_call_id": block["tool_use_id"], "content": told}))
}

fn image(source: &Value, place: &str) -> Result<Value, Invalid> {
    let text = |name: &str| source[name].as_str().unwrap_or_default();
    let url = match source["type"].as_str() {
        Some("base64") => format!("data:{};base64,{}", text("media_type"), text("data")),
        Some("url") => text("url").to_owned(),
        _ => return Err(refused(place, "an image is base64 or a URL")),
    };
    Ok(json!({"type": "image_url", "image_url": {"url": url}}))
}

/// A turn of the model. Thoughts are not sent back: Chat Completions has no place for them.
fn assistant(content: &Value, place: &str, out: &mut Out) -> Result<Value, Invalid> {
    let Value::Array(blocks) = content else {
        return Ok(json!({"role": "assistant", "content": content}));
    };
    let (mut said, mut calls) = (String::new(), Vec::new());
    for (n, block) in blocks.iter().enumerate() {
        match block["type"].as_str() {
            Some("text") => {
                out.only(block, BLOCK, &["type", "text"]);
                said.push_str(block["text"].as_str().unwrap_or_default());
            }
            Some("thinking" | "redacted_thinking") => out.drop("messages.content.thinking"),
            Some("tool_use") => {
                out.only(block, BLOCK, &["type", "id", "name", "input"]);
                let function = json!({"name": block["name"], "arguments": block["input"].to_string()});
                calls.push(json!({"id": block["id"], "type": "function", "function": function}));
            }
            _ => {
                return Err(refused(
                    &format!("{place}[{n}]"),
                    "only texts and calls of tools are",
                ));
            }
        }
    }
    let mut message = json!({"role": "assistant", "content": said});
    if !calls.is_empty() {
        if said.is_empty() {
            message["content"] = Value::Null;
        }
        message["tool_calls"] = calls.into();
    }
    Ok(message)
}

fn tools(asked: &Map<String, Value>, out: &mut Out) -> Result<(), Invalid> {
    let mut tools = Vec::new();
    for (n, tool) in items(asked, "tools") {
        if !matches!(tool["type"].as_str(), None | Some("custom")) {
            return Err(refused(
                &format!("tools[{n}]"),
                "tools of the server are not there",
            ));
        }
        out.only(tool, "tools", &["type", "name", "description", "input_schema"]);
        let mut function = json!({"name": tool["name"]});
        if tool["description"].is_string() {
            function["description"] = tool["description"].clone();
        }
        function["parameters"] = tool["input_schema"].clone();
        tools.push(json!({"type": "function", "function": function}));
    }
    if tools.is_empty() {
        return Ok(());
    }
    out.set("tools", tools);
    let Some(wanted) = asked.get("tool_choice").filter(|choice| !choice.is_null()) else {
        return Ok(());
    };
    let choice = match wanted["type"].as_str() {
        Some("any") => json!("required"),
        Some("none") => json!("none"),
        Some("auto") => json!("auto"),
        Some("tool") => json!({"type": "function", "function": {"name": wanted["name"]}}),
        _ => return Err(refused("tool_choice", "this choice is not known")),
    };
    out.set("tool_choice", choice);
    if wanted["disable_parallel_tool_use"] == true {
        out.set("parallel_tool_calls", false);
    }
    Ok(())
}
