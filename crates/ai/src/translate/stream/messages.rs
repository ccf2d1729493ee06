//! Chunks of Chat Completions as events of Messages.

use super::super::answer::{Malformed, called, messages_usage, name, stop_reason, thought, words};
use super::{error_message, write};
use serde_json::{Value, json};

/// Calls of tools that a stream may have.
const MAX_TOOLS: u64 = 1024;

/// The block that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Thinking,
    Text,
    /// A tool's call, by its index in the chunks.
    Tool(u64),
}

#[derive(Default)]
pub struct Encoder {
    started: bool,
    open: Option<Open>,
    /// Blocks so far.
    blocks: u64,
    /// The first index that no tool's call had yet: calls come one after the other.
    next_tool: u64,
    finish: Option<&'static str>,
    usage: Value,
    pub is_over: bool,
}

impl Encoder {
    pub fn event(&mut self, chunk: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if !chunk["error"].is_null() {
            self.fail(error_message(chunk), out);
            return Ok(());
        }
        let choices = chunk["choices"]
            .as_array()
            .ok_or(Malformed("an event has no `choices`"))?;
        if !self.started {
            self.start(chunk, out);
        }
        if chunk["usage"].is_object() {
            self.usage = chunk["usage"].clone();
        }
        for choice in choices
            .iter()
            .filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0)
        {
            self.delta(&choice["delta"], out)?;
            if let Some(finish) = choice["finish_reason"].as_str() {
                self.finish = Some(stop_reason(finish));
            }
        }
        Ok(())
    }

    fn start(&mut self, chunk: &Value, out: &mut Vec<u8>) {
        self.started = true;
        let message = json!({
            "id": name(&chunk["id"]), "type": "message", "role": "assistant", "model": name(&chunk["model"]), "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": messages_usage(&Value::Null),
        });
        event("message_start", json!({"message": message}), out);
    }

    fn delta(&mut self, delta: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if let Some(text) = thought(delta) {
            self.open(
                Open::Thinking,
                || json!({"type": "thinking", "thinking": "", "signature": ""}),
                out,
            );
            self.piece(json!({"type": "thinking_delta", "thinking": text}), out);
        }
        for text in [&delta["content"], &delta["refusal"]].map(words) {
            if !text.is_empty() {
                self.open(Open::Text, || json!({"type": "text", "text": ""}), out);
                self.piece(json!({"type": "text_delta", "text": text}), out);
            }
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out)?;
        }
        Ok(())
    }

    fn call(&mut self, call: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let index = call["index"].as_u64().unwrap_or(0);
        let tool = Open::Tool(index);
        if self.open != Some(tool) {
            if index < self.next_tool || index > MAX_TOOLS {
                return Err(Malformed("calls of tools come mixed up"));
            }
            let (id, name) = called(&call["id"], &call["function"]["name"])?;
            self.next_tool = index + 1;
            let block = || json!({"type": "tool_use", "id": id, "name": name, "input": {}});
            self.open(tool, block, out);
        }
        if let Some(piece) = call["function"]["arguments"]
            .as_str()
            .filter(|piece| !piece.is_empty())
        {
            self.piece(json!({"type": "input_json_delta", "partial_json": piece}), out);
        }
        Ok(())
    }

    fn open(&mut self, what: Open, block: impl FnOnce() -> Value, out: &mut Vec<u8>) {
        if self.open == Some(what) {
            return;
        }
        self.close(out);
        self.open = Some(what);
        self.blocks += 1;
        event(
            "content_block_start",
            json!({"index": self.blocks - 1, "content_block": block()}),
            out,
        );
    }

    fn piece(&self, delta: Value, out: &mut Vec<u8>) {
        event(
            "content_block_delta",
            json!({"index": self.blocks - 1, "delta": delta}),
            out,
        );
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            event("content_block_stop", json!({"index": self.blocks - 1}), out);
        }
    }

    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let stop = self.finish.ok_or(Malformed("the stream ended early"))?;
        self.close(out);
        let usage = messages_usage(&self.usage);
        event(
            "message_delta",
            json!({"delta": {"stop_reason": stop, "stop_sequence": null}, "usage": usage}),
            out,
        );
        event("message_stop", json!({}), out);
        self.is_over = true;
        Ok(())
    }

    pub fn fail(&mut self, message: &str, out: &mut Vec<u8>) {
        event(
            "error",
            json!({"error": {"type": "api_error", "message": message}}),
            out,
        );
        self.is_over = true;
    }
}

/// Writes an event; its name is its type as well.
fn event(name: &str, members: Value, out: &mut Vec<u8>) {
    let mut data = json!({"type": name});
    if let (Some(data), Value::Object(members)) = (data.as_object_mut(), members) {
        data.extend(members);
    }
    write(Some(name), &data.to_string(), out);
}
