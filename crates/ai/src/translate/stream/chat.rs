//! Events of Messages as chunks of Chat Completions.

use super::super::answer::{Malformed, called, chat_usage, finish_reason, name};
use super::{error_message, write};
use serde_json::{Map, Value, json};

/// Blocks that a stream may have.
const MAX_BLOCKS: usize = 1024;
/// Bytes of one thought, which is kept to be told once more with its signature.
const MAX_THOUGHT: usize = 4 << 20;

pub struct Encoder {
    created: u64,
    tells_usage: bool,
    id: String,
    model: String,
    /// Blocks that call a tool, in their order: their place is the call's index.
    tools: Vec<u64>,
    /// The thought that is under way.
    thought: String,
    usage: Map<String, Value>,
    finished: bool,
    pub is_over: bool,
}

impl Encoder {
    pub fn new(created: u64, tells_usage: bool) -> Encoder {
        Encoder {
            created,
            tells_usage,
            id: String::new(),
            model: String::new(),
            tools: Vec::new(),
            thought: String::new(),
            usage: Map::new(),
            finished: false,
            is_over: false,
        }
    }

    pub fn event(&mut self, event: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match event["type"].as_str() {
            Some("message_start") => {
                let message = &event["message"];
                (self.id, self.model) = (name(&message["id"]), name(&message["model"]));
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
        self.thought.clear();
        match block["type"].as_str() {
            Some("tool_use") => {
                let index = event["index"].as_u64().ok_or(Malformed("a block has no index"))?;
                if self.tools.len() == MAX_BLOCKS {
                    return Err(Malformed("the stream has too many blocks"));
                }
                let (id, name) = called(&block["id"], &block["name"])?;
                let function = json!({"name": name, "arguments": whole_input(&block["input"])});
                let call =
                    json!({"index": self.tools.len(), "id": id, "type": "function", "function": function});
                self.tools.push(index);
                self.delta(json!({"tool_calls": [call]}), out);
            }
            Some("redacted_thinking") => self.delta(json!({"thinking_blocks": [block]}), out),
            Some("thinking") => self.think(block["thinking"].as_str().unwrap_or_default(), out)?,
            Some("text") if block["text"].as_str().is_some_and(|text| !text.is_empty()) => {
                self.delta(json!({"content": block["text"]}), out);
            }
            _ => {}
        }
        Ok(())
    }

    fn piece(&mut self, event: &Value, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let delta = &event["delta"];
        let text = |name: &str| {
            delta[name]
                .as_str()
                .ok_or(Malformed("a piece of a block is no text"))
        };
        match delta["type"].as_str() {
            Some("text_delta") => self.delta(json!({"content": text("text")?}), out),
            Some("thinking_delta") => self.think(text("thinking")?, out)?,
            // The thought once more, whole: signed, it can be given back.
            Some("signature_delta") => {
                let block =
                    json!({"type": "thinking", "thinking": self.thought, "signature": text("signature")?});
                self.delta(json!({"thinking_blocks": [block]}), out);
            }
            Some("input_json_delta") => {
                let index = event["index"].as_u64();
                let place = self.tools.iter().position(|one| Some(*one) == index);
                let place = place.ok_or(Malformed("arguments of a tool that was not called"))?;
                let call = json!({"index": place, "function": {"arguments": text("partial_json")?}});
                self.delta(json!({"tool_calls": [call]}), out);
            }
            _ => {}
        }
        Ok(())
    }

    fn think(&mut self, piece: &str, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.thought.len() + piece.len() > MAX_THOUGHT {
            return Err(Malformed("a thought is too long"));
        }
        if !piece.is_empty() {
            self.thought.push_str(piece);
            self.delta(json!({"reasoning_content": piece}), out);
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

/// A tool's input where a server tells it at once; mostly it comes in pieces, and is empty here.
fn whole_input(input: &Value) -> String {
    match input.as_object() {
        Some(members) if !members.is_empty() => input.to_string(),
        _ => String::new(),
    }
}
