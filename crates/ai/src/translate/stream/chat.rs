//! Events of Messages as chunks of Chat Completions.

use super::super::answer::{Malformed, chat_usage, finish_reason};
use super::{error_message, write};
use serde_json::{Map, Value, json};

/// Blocks that a stream may have.
const MAX_BLOCKS: usize = 1024;

pub struct Encoder {
    created: u64,
    tells_usage: bool,
    id: Value,
    model: Value,
    /// Blocks that call a tool, in their order: their place is the call's index.
    tools: Vec<u64>,
    usage: Map<String, Value>,
    finished: bool,
    pub is_over: bool,
}

impl Encoder {
    pub fn new(created: u64, tells_usage: bool) -> Encoder {
        Encoder {
            created,
            tells_usage,
            id: Value::Null,
            model: Value::Null,
            tools: Vec::new(),
            usage: Map::new(),
            finished: false,
            is_over: false,
        }
    }

    pub fn event(&mut self, event: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match event["type"].as_str() {
            Some("message_start") => {
                let message = &event["message"];
                (self.id, self.model) = (message["id"].clone(), message["model"].clone());
                self.count(&message["usage"]);
                self.delta(json!({"role": "assistant", "content": ""}), out);
            }
            Some("content_block_start") => self.start(event, out)?,
            Some("content_block_delta") => self.piece(event, out)?,
            Some("message_delta") => {
                self.count(&event["usage"]);
                let stop = event["delta"]["stop_reason"].as_str();
                let stop = stop.ok_or(Malformed("the stream ends without a `stop_reason`"))?;
                self.finished = true;
                self.chunk(json!({}), finish_reason(stop).into(), out);
            }
            Some("message_stop") if self.finished => self.finish(out),
            Some("message_stop") => return Err(Malformed("the stream ends without a `stop_reason`")),
            Some("error") => self.fail(error_message(event), out),
            // A client that waits is told that somebody is there.
            Some("ping") => out.extend_from_slice(b": ping\n\n"),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, event: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let block = &event["content_block"];
        match block["type"].as_str() {
            Some("tool_use") => {
                let index = event["index"].as_u64().ok_or(Malformed("a block has no index"))?;
                if self.tools.len() == MAX_BLOCKS {
                    return Err(Malformed("the stream has too many blocks"));
                }
                let function = json!({"name": block["name"], "arguments": ""});
                let call = json!({"index": self.tools.len(), "id": block["id"], "type": "function", "function": function});
                self.tools.push(index);
                self.delta(json!({"tool_calls": [call]}), out);
            }
            Some("redacted_thinking") => self.delta(json!({"thinking_blocks": [block]}), out),
            Some("text") if block["text"].as_str().is_some_and(|text| !text.is_empty()) => {
                self.delta(json!({"content": block["text"]}), out);
            }
            _ => {}
        }
        Ok(())
    }

    fn piece(&mut self, event: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let delta = &event["delta"];
        match delta["type"].as_str() {
            Some("text_delta") => self.delta(json!({"content": delta["text"]}), out),
            Some("thinking_delta") => self.delta(json!({"reasoning_content": delta["thinking"]}), out),
            Some("signature_delta") => {
                let block = json!({"type": "thinking", "signature": delta["signature"]});
                self.delta(json!({"thinking_blocks": [block]}), out);
            }
            Some("input_json_delta") => {
                let index = event["index"].as_u64();
                let place = self.tools.iter().position(|one| Some(*one) == index);
                let place = place.ok_or(Malformed("arguments of a tool that was not called"))?;
                let call = json!({"index": place, "function": {"arguments": delta["partial_json"]}});
                self.delta(json!({"tool_calls": [call]}), out);
            }
            _ => {}
        }
        Ok(())
    }

    /// Later counts stand for earlier ones.
    fn count(&mut self, usage: &Value) {
        const COUNTS: [&str; 4] = [
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
        ];
        for name in COUNTS.into_iter().filter(|name| usage[*name].is_u64()) {
            self.usage.insert(name.to_owned(), usage[name].clone());
        }
    }

    fn delta(&self, delta: Value, out: &mut Vec<u8>) {
        self.chunk(delta, Value::Null, out);
    }

    fn chunk(&self, delta: Value, finish: Value, out: &mut Vec<u8>) {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        self.write(json!([choice]), Value::Null, out);
    }

    fn write(&self, choices: Value, usage: Value, out: &mut Vec<u8>) {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model, "choices": choices,
        });
        if self.tells_usage {
            chunk["usage"] = usage;
        }
        write(None, &chunk.to_string(), out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.tells_usage {
            let usage = chat_usage(&Value::Object(std::mem::take(&mut self.usage)));
            self.write(json!([]), usage, out);
        }
        write(None, "[DONE]", out);
        self.is_over = true;
    }

    /// An error, and no `[DONE]`: what came before is no answer.
    pub fn fail(&mut self, message: &str, out: &mut Vec<u8>) {
        let error =
            json!({"error": {"message": message, "type": "server_error", "param": null, "code": null}});
        write(None, &error.to_string(), out);
        self.is_over = true;
    }
}
