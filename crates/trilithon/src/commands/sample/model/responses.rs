//! Answers in the form of Responses.

use super::call::Call;
use super::reply::{CREATED, Finish, Reply, ToolCall};
use crate::commands::sample::line::{Event, pieces, words};
use crate::commands::sample::wish::Wish;
use serde_json::{Value, json};

pub fn body(call: &Call, reply: &Reply, wish: &Wish) -> Value {
    let mut body = begun(call, reply);
    body["output"] = items(reply).into();
    body["status"] = json!(if reply.finish == Finish::Length {
        "incomplete"
    } else {
        "completed"
    });
    if reply.finish == Finish::Length {
        body["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    if wish.usage.as_deref() != Some("none") {
        body["usage"] = json!({
            "input_tokens": reply.input, "input_tokens_details": {"cached_tokens": reply.cached},
            "output_tokens": reply.output, "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.input + reply.output,
        });
    }
    body
}

fn begun(call: &Call, reply: &Reply) -> Value {
    json!({
        "id": format!("resp_{}", reply.id), "object": "response", "created_at": CREATED, "status": "in_progress",
        "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": call.max_tokens,
        "model": reply.model, "output": [], "parallel_tool_calls": call.parallel, "previous_response_id": null,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": null,
        "metadata": {},
    })
}

fn items(reply: &Reply) -> Vec<Value> {
    let thought = reply.reasoning.iter().map(|text| {
        json!({"type": "reasoning", "id": format!("rs_{}", reply.id), "summary": [{"type": "summary_text", "text": text}]})
    });
    let said = (!reply.text.is_empty()).then(|| message(reply, "completed", vec![part(&reply.text)]));
    let called = reply
        .tools
        .iter()
        .map(|tool| function_call(tool, "completed", &tool.arguments.to_string()));
    thought.chain(said).chain(called).collect()
}

fn message(reply: &Reply, status: &str, content: Vec<Value>) -> Value {
    json!({"type": "message", "id": format!("msg_{}", reply.id), "status": status, "role": "assistant", "content": content})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn function_call(tool: &ToolCall, status: &str, arguments: &str) -> Value {
    json!({
        "type": "function_call", "id": format!("fc_{}", tool.id), "call_id": tool.id, "name": tool.name,
        "arguments": arguments, "status": status,
    })
}

pub fn events(call: &Call, reply: &Reply, wish: &Wish) -> Vec<Event> {
    let mut stream = Stream::default();
    stream.add("response.created", json!({"response": begun(call, reply)}));
    stream.add("response.in_progress", json!({"response": begun(call, reply)}));
    for (index, item) in items(reply).iter().enumerate() {
        match item["type"].as_str() {
            Some("reasoning") => stream.reasoning(index, item),
            Some("message") => stream.message(index, item, reply),
            _ => stream.function_call(index, item, wish),
        }
    }
    let whole = body(call, reply, wish);
    let last = if whole["status"] == "completed" {
        "response.completed"
    } else {
        "response.incomplete"
    };
    stream.add(last, json!({"response": whole}));
    stream.0
}

/// Events so far; each is numbered.
#[derive(Default)]
struct Stream(Vec<Event>);

impl Stream {
    fn add(&mut self, name: &'static str, fields: Value) {
        let mut data = json!({"type": name, "sequence_number": self.0.len()});
        if let (Value::Object(data), Value::Object(fields)) = (&mut data, fields) {
            data.extend(fields);
        }
        self.0.push(Event {
            name: Some(name),
            data: data.to_string(),
        });
    }

    fn reasoning(&mut self, index: usize, item: &Value) {
        let place = |more: Value| {
            at(
                json!({"item_id": item["id"], "output_index": index, "summary_index": 0}),
                more,
            )
        };
        let mut empty = item.clone();
        empty["summary"] = json!([]);
        self.add(
            "response.output_item.added",
            json!({"output_index": index, "item": empty}),
        );
        self.add(
            "response.reasoning_summary_part.added",
            place(json!({"part": {"type": "summary_text", "text": ""}})),
        );
        let text = item["summary"][0]["text"].as_str().unwrap_or_default();
        for word in words(text) {
            self.add(
                "response.reasoning_summary_text.delta",
                place(json!({"delta": word})),
            );
        }
        self.add(
            "response.reasoning_summary_text.done",
            place(json!({"text": text})),
        );
        self.add(
            "response.reasoning_summary_part.done",
            place(json!({"part": item["summary"][0]})),
        );
        self.add(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
    }

    fn message(&mut self, index: usize, item: &Value, reply: &Reply) {
        let place = |more: Value| {
            at(
                json!({"item_id": item["id"], "output_index": index, "content_index": 0}),
                more,
            )
        };
        let empty = message(reply, "in_progress", Vec::new());
        self.add(
            "response.output_item.added",
            json!({"output_index": index, "item": empty}),
        );
        self.add("response.content_part.added", place(json!({"part": part("")})));
        for word in words(&reply.text) {
            self.add(
                "response.output_text.delta",
                place(json!({"delta": word, "logprobs": []})),
            );
        }
        self.add(
            "response.output_text.done",
            place(json!({"text": reply.text, "logprobs": []})),
        );
        self.add(
            "response.content_part.done",
            place(json!({"part": part(&reply.text)})),
        );
        self.add(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
    }

    fn function_call(&mut self, index: usize, item: &Value, wish: &Wish) {
        let place = |more: Value| at(json!({"item_id": item["id"], "output_index": index}), more);
        let mut empty = item.clone();
        empty["arguments"] = json!("");
        empty["status"] = json!("in_progress");
        self.add(
            "response.output_item.added",
            json!({"output_index": index, "item": empty}),
        );
        let arguments = item["arguments"].as_str().unwrap_or_default();
        for piece in pieces(arguments, wish.pieces) {
            self.add(
                "response.function_call_arguments.delta",
                place(json!({"delta": piece})),
            );
        }
        let done = json!({"name": item["name"], "arguments": arguments});
        self.add("response.function_call_arguments.done", place(done));
        self.add(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
    }
}

/// `place` with `more` in it.
fn at(mut place: Value, more: Value) -> Value {
    if let (Value::Object(place), Value::Object(more)) = (&mut place, more) {
        place.extend(more);
    }
    place
}
