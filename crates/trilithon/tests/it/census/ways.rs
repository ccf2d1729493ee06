//! The ways of the census: what is asked and answered in each, or why there is no such way.

use serde_json::{Value, json};
use trilithon_flow::Format;
use trilithon_flow::model_call::{Operation, Phase};

/// What no side may see of the other.
pub const SECRET: &str = "SECRET-71";
/// What is seen of it.
pub const HIDDEN: &str = "*********";

/// One way through the gateway, with the secret in the phase in question.
pub struct Way {
    pub method: &'static str,
    /// Behind the name of the format.
    pub path: &'static str,
    pub asked: String,
    pub answered: String,
    /// Tokens are spent: they are counted and limited.
    pub spends: bool,
}

/// The way of one cell, or why there is none. New formats, operations and phases do not compile before they have theirs.
pub fn way(format: Format, operation: Operation, stream: bool, phase: Phase) -> Result<Way, &'static str> {
    match operation {
        Operation::Chat => chat(format, stream, phase),
        Operation::CountTokens => count(format, stream, phase),
        Operation::Retrieve => retrieve(format, stream, phase),
    }
}

fn chat(format: Format, stream: bool, phase: Phase) -> Result<Way, &'static str> {
    let (asks, says) = match phase {
        Phase::Request => (SECRET, Says::Text("fine")),
        Phase::Response => ("hello", Says::Text(SECRET)),
        Phase::Tool => ("hello", Says::Call(SECRET)),
    };
    if (format, phase) == (Format::Custom, Phase::Tool) {
        return Err("nobody says what of any JSON is a tool's: it is judged with the answer");
    }
    Ok(Way {
        method: "POST",
        path: "",
        asked: asked(format, stream, asks),
        answered: if stream {
            events(format, &says)
        } else {
            whole(format, &says).to_string()
        },
        spends: format != Format::Custom,
    })
}

fn count(format: Format, stream: bool, phase: Phase) -> Result<Way, &'static str> {
    match (format, stream, phase) {
        (Format::Custom, _, _) => Err("any JSON is one operation"),
        (Format::Ccr, _, _) => Err("the dialect does not count"),
        (_, true, _) => Err("a count does not stream"),
        (_, _, Phase::Tool) => Err("a count calls no tool"),
        (_, _, Phase::Response) => Err("a count says no text"),
        (Format::MessagesApi | Format::ResponsesApi, false, Phase::Request) => Ok(Way {
            method: "POST",
            path: "/count_tokens",
            asked: asked(format, false, SECRET),
            answered: r#"{"input_tokens":3}"#.to_owned(),
            spends: false,
        }),
    }
}

fn retrieve(format: Format, stream: bool, phase: Phase) -> Result<Way, &'static str> {
    match (format, stream, phase) {
        (_, _, Phase::Request) => Err("nothing is said: there is no body"),
        (_, _, Phase::Tool) => Err("every text is judged at once, those of tools among them"),
        (Format::Ccr | Format::MessagesApi | Format::Custom, true, _) => {
            Err("what is stored does not stream")
        }
        (_, _, Phase::Response) => Ok(Way {
            method: "GET",
            path: "/stored",
            asked: String::new(),
            answered: if stream {
                events(format, &Says::Text(SECRET))
            } else {
                whole(format, &Says::Text(SECRET)).to_string()
            },
            spends: false,
        }),
    }
}

/// What a model says.
enum Says<'a> {
    Text(&'a str),
    Call(&'a str),
}

fn asked(format: Format, stream: bool, text: &str) -> String {
    let body = match format {
        Format::Ccr => {
            json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
        }
        Format::ResponsesApi => json!({"model": "m", "stream": stream, "input": text}),
        Format::MessagesApi => {
            json!({"model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": text}]})
        }
        Format::Custom => json!({"text": text, "stream": stream}),
    };
    body.to_string()
}

fn arguments(secret: &str) -> String {
    json!({"a": secret}).to_string()
}

fn whole(format: Format, says: &Says<'_>) -> Value {
    match format {
        Format::Ccr => {
            let message = match says {
                Says::Text(text) => json!({"role": "assistant", "content": text}),
                Says::Call(secret) => {
                    json!({"tool_calls": [{"id": "t", "function": {"name": "f", "arguments": arguments(secret)}}]})
                }
            };
            json!({"id": "r", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
        }
        Format::ResponsesApi => json!({"id": "r", "status": "completed", "output": [item(says)],
            "usage": {"input_tokens": 3, "output_tokens": 4}}),
        Format::MessagesApi => {
            let block = match says {
                Says::Text(text) => json!({"type": "text", "text": text}),
                Says::Call(secret) => {
                    json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": secret}})
                }
            };
            json!({"id": "r", "content": [block], "stop_reason": "end_turn",
                "usage": {"input_tokens": 3, "output_tokens": 4}})
        }
        Format::Custom => match says {
            Says::Text(text) | Says::Call(text) => json!({"text": text}),
        },
    }
}

/// An item of Responses.
fn item(says: &Says<'_>) -> Value {
    match says {
        Says::Text(text) => json!({"type": "message", "content": [{"type": "output_text", "text": text}]}),
        Says::Call(secret) => json!({"type": "function_call", "name": "f", "arguments": arguments(secret)}),
    }
}

/// The same as a stream; what is secret comes in two pieces.
fn events(format: Format, says: &Says<'_>) -> String {
    let (text, is_call) = match says {
        Says::Text(text) => ((*text).to_owned(), false),
        Says::Call(secret) => (arguments(secret), true),
    };
    let (first, second) = text.split_at(text.len() / 2);
    let pieces = [first, second];
    match format {
        Format::Ccr => {
            let delta = |piece: &str| match is_call {
                true => json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
                false => json!({"content": piece}),
            };
            let chunk = |piece: &str| json!({"id": "r", "choices": [{"index": 0, "delta": delta(piece)}]});
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            let usage = json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}});
            let mut out = pieces.map(|piece| data(&chunk(piece))).concat();
            out += &[data(&end), data(&usage), "data: [DONE]\n\n".to_owned()].concat();
            out
        }
        Format::ResponsesApi => {
            let kind = if is_call {
                "function_call_arguments"
            } else {
                "output_text"
            };
            let delta = |piece: &str| json!({"type": format!("response.{kind}.delta"), "output_index": 0, "delta": piece});
            let end = json!({"type": "response.completed", "response": whole(format, says)});
            let mut out = pieces.map(|piece| data(&delta(piece))).concat();
            out += &data(&end);
            out
        }
        Format::MessagesApi => {
            let delta = |piece: &str| match is_call {
                true => json!({"type": "input_json_delta", "partial_json": piece}),
                false => json!({"type": "text_delta", "text": piece}),
            };
            let event =
                |piece: &str| json!({"type": "content_block_delta", "index": 0, "delta": delta(piece)});
            let start = json!({"type": "message_start", "message": {"id": "r", "usage": {"input_tokens": 3, "output_tokens": 1}}});
            let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}});
            let mut out = data(&start);
            out += &pieces.map(|piece| data(&event(piece))).concat();
            out += &[data(&end), data(&json!({"type": "message_stop"}))].concat();
            out
        }
        Format::Custom => pieces.map(|piece| data(&json!({"text": piece}))).concat(),
    }
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}
