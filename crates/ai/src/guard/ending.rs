//! The end of a stream that a guard does not let go on, in the words of its dialect: a client sees an answer that was cut
//! off by a filter, not a broken one.

use crate::dialect::{Dialect, is_done};
use serde_json::{Value, json};
use trilithon_wire::json::{self as scan};

/// What a client has been told of a stream so far.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Nothing yet: the stream can still become another.
    pub any: bool,
    id: String,
    model: String,
    created: u64,
    /// Choices that began and did not end (Chat Completions).
    open: Vec<u32>,
    /// The content block that is open (Messages).
    block: Option<u64>,
    /// The number of the next event (Responses).
    sequence: u64,
    ended: bool,
}

impl Told {
    /// Takes note of the data of a frame that goes to the client.
    pub fn note(&mut self, dialect: Dialect, data: &[u8]) {
        self.any = true;
        let Ok(root) = scan::parse(data) else {
            self.ended |= dialect == Dialect::Chat && is_done(data);
            return;
        };
        let number = |name: &str| root.get(name).and_then(|v| v.as_u64());
        let kind = root
            .get("type")
            .and_then(|v| v.text())
            .map(|t| t.to_str().into_owned());
        match dialect {
            Dialect::Chat => {
                self.name(&root);
                self.created = number("created").unwrap_or(self.created);
                for choice in root
                    .get("choices")
                    .iter()
                    .flat_map(|c| c.items().collect::<Vec<_>>())
                {
                    let index = choice
                        .get("index")
                        .and_then(|v| v.as_u64())
                        .map_or(0, |n| n as u32);
                    self.open.retain(|open| *open != index);
                    if choice.get("finish_reason").is_none_or(|r| r.is_null()) && self.open.len() < 128 {
                        self.open.push(index);
                    }
                }
            }
            Dialect::Messages => match kind.as_deref() {
                Some("content_block_start") => self.block = number("index"),
                Some("content_block_stop") => self.block = None,
                Some("message_stop") => self.ended = true,
                _ => {}
            },
            Dialect::Responses => {
                self.sequence = number("sequence_number").map_or(self.sequence, |n| n.saturating_add(1));
                if let Some(response) = root.get("response") {
                    self.name(&response);
                    self.created = response
                        .get("created_at")
                        .and_then(|v| v.as_u64())
                        .unwrap_or(self.created);
                }
                self.ended |= matches!(
                    kind.as_deref(),
                    Some("response.completed" | "response.incomplete" | "response.failed")
                );
            }
        }
    }

    fn name(&mut self, value: &scan::Value<'_>) {
        let text = |name: &str| {
            value
                .get(name)
                .and_then(|v| v.text())
                .map(|t| t.to_str().into_owned())
        };
        self.id = text("id").unwrap_or_else(|| std::mem::take(&mut self.id));
        self.model = text("model").unwrap_or_else(|| std::mem::take(&mut self.model));
    }

    /// What ends the stream. `message` is shown where the dialect has a place for it.
    pub fn ending(&self, dialect: Dialect, message: &str) -> Vec<u8> {
        let mut out = Vec::new();
        if self.ended {
            return out;
        }
        match dialect {
            Dialect::Chat => self.chat(&mut out),
            Dialect::Messages => self.messages(message, &mut out),
            Dialect::Responses => self.responses(&mut out),
        }
        out
    }

    fn chat(&self, out: &mut Vec<u8>) {
        let open = if self.open.is_empty() {
            &[0][..]
        } else {
            &self.open
        };
        let choices: Vec<Value> = open
            .iter()
            .map(|index| json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": "content_filter"}))
            .collect();
        let chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        });
        push(out, None, &chunk);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn messages(&self, message: &str, out: &mut Vec<u8>) {
        if let Some(index) = self.block {
            push(
                out,
                Some("content_block_stop"),
                &json!({"type": "content_block_stop", "index": index}),
            );
        }
        let details = json!({"type": "refusal", "category": null, "explanation": message});
        let delta = json!({"stop_reason": "refusal", "stop_sequence": null, "stop_details": details});
        let end = json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}});
        push(out, Some("message_delta"), &end);
        push(out, Some("message_stop"), &json!({"type": "message_stop"}));
    }

    fn responses(&self, out: &mut Vec<u8>) {
        let response = json!({
            "id": self.id, "object": "response", "created_at": self.created, "status": "incomplete", "error": null,
            "incomplete_details": {"reason": "content_filter"}, "model": self.model, "output": [], "usage": null,
        });
        let event =
            json!({"type": "response.incomplete", "response": response, "sequence_number": self.sequence});
        push(out, Some("response.incomplete"), &event);
    }
}

fn push(out: &mut Vec<u8>, name: Option<&str>, data: &Value) {
    if let Some(name) = name {
        out.extend_from_slice(format!("event: {name}\n").as_bytes());
    }
    out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: Dialect, told: &[&str], want: &str) {
        let mut state = Told::default();
        told.iter().for_each(|data| state.note(dialect, data.as_bytes()));
        let ending = String::from_utf8(state.ending(dialect, "not here")).unwrap();
        assert_eq!(ending, want, "{dialect:?} {told:?}");
    }

    #[test]
    fn chat() {
        let chunk = r#"{"id":"c","model":"m","created":7,"choices":[{"index":0,"delta":{}},{"index":1,"finish_reason":"stop"}]}"#;
        check(
            Dialect::Chat,
            &[chunk],
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"content_filter\"}]}\n\ndata: [DONE]\n\n",
        );
        check(Dialect::Chat, &[chunk, "[DONE]"], "");
    }

    #[test]
    fn messages() {
        let start = r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#;
        let end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_sequence\":null,\"stop_details\":{\"type\":\"refusal\",\"category\":null,\"explanation\":\"not here\"}},\"usage\":{\"output_tokens\":0}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        let stop = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n";
        check(Dialect::Messages, &[start], &format!("{stop}{end}"));
        check(
            Dialect::Messages,
            &[start, r#"{"type":"content_block_stop","index":2}"#, "[DONE]"],
            end,
        );
    }

    #[test]
    fn responses() {
        let created = r#"{"type":"response.created","sequence_number":4,"response":{"id":"r","model":"m","created_at":7}}"#;
        check(
            Dialect::Responses,
            &[created],
            "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":{\"id\":\"r\",\"object\":\"response\",\"created_at\":7,\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":\"content_filter\"},\"model\":\"m\",\"output\":[],\"usage\":null},\"sequence_number\":5}\n\n",
        );
    }
}
