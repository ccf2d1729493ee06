//! What the model says: made of what it was asked and of nothing else.

use super::call::{Call, Tool};
use super::dialect::Dialect;
use super::guard;
use crate::commands::sample::wish::Wish;
use serde_json::{Map, Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The moment at which every answer was made, in seconds since 1970.
pub const CREATED: u64 = 1_700_000_000;

/// An answer, whichever dialect says it.
pub struct Reply {
    /// The same request has the same id.
    pub id: String,
    pub model: String,
    pub text: String,
    pub reasoning: Option<String>,
    pub tools: Vec<ToolCall>,
    pub finish: Finish,
    /// The text before which it ended, if the client had asked it to.
    pub stopped_at: Option<String>,
    /// The reason as it is to be said, if it was wished.
    pub finish_word: Option<String>,
    pub input: u64,
    pub cached: u64,
    pub output: u64,
    pub reasoning_tokens: u64,
}

/// A call of a tool that the model wants.
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// A JSON object.
    pub arguments: Value,
}

/// Why the model stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Stop,
    Length,
    Tools,
}

impl Reply {
    pub fn to(call: &Call, body: &[u8], wish: &Wish) -> Reply {
        let mark = mark(body);
        let tools = tool_calls(call, wish, mark);
        let mut text = if tools.is_empty() {
            said(call, wish)
        } else {
            String::new()
        };
        let mut finish = if tools.is_empty() {
            Finish::Stop
        } else {
            Finish::Tools
        };
        if let Some(end) = call.max_tokens.and_then(|max| end_of_word(&text, max)) {
            text.truncate(end);
            finish = Finish::Length;
        }
        let stop = first_stop(&text, &call.stops);
        if let Some((at, _)) = stop {
            text.truncate(at);
            finish = Finish::Stop;
        }
        let stopped_at = stop.map(|(_, stop)| stop.to_owned());
        let reasoning = call
            .thinks
            .then(|| "First I read the question, then I answer it.".to_owned());
        let count = |text: &str| text.split_whitespace().count() as u64;
        let called: u64 = tools.iter().map(|t| 1 + count(&t.arguments.to_string())).sum();
        let reasoning_tokens = reasoning.as_deref().map_or(0, count);
        Reply {
            id: format!("{mark:016x}"),
            model: wish.served.clone().unwrap_or_else(|| call.model.clone()),
            input: call.words,
            cached: wish.cached.min(call.words),
            output: count(&text) * call.choices as u64 + called + reasoning_tokens,
            text,
            reasoning,
            tools,
            finish,
            stopped_at,
            finish_word: wish.finish.clone(),
            reasoning_tokens,
        }
    }
}

fn mark(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

fn said(call: &Call, wish: &Wish) -> String {
    if let Some(text) = &wish.say {
        return text.clone();
    }
    if let Some(bytes) = wish.huge {
        return "word ".repeat(bytes / 5 + 1);
    }
    if let Some(tokens) = wish.tokens {
        return (1..=tokens)
            .map(|n| format!("w{n}"))
            .collect::<Vec<_>>()
            .join(" ");
    }
    match &call.tool_result {
        _ if call.model == "judge" => guard::opinion(&call.text),
        Some(result) => format!("The tool says: {result}"),
        None => format!("You said: {}", call.text),
    }
}

/// Where the word number `max` ends, if others follow.
fn end_of_word(text: &str, max: usize) -> Option<usize> {
    let words = text.split_whitespace();
    let last = words.clone().nth(max.checked_sub(1)?)?;
    words.clone().nth(max)?;
    Some(last.as_ptr() as usize - text.as_ptr() as usize + last.len())
}

/// Where the first of these texts stands, and which it is.
fn first_stop<'s>(text: &str, stops: &'s [String]) -> Option<(usize, &'s str)> {
    let found = stops
        .iter()
        .filter_map(|stop| Some((text.find(stop.as_str())?, stop.as_str())));
    found.min_by_key(|(at, _)| *at)
}

/// Calls of the tools that are named in the text, or that were wished for; none when a tool has just answered.
fn tool_calls(call: &Call, wish: &Wish, mark: u64) -> Vec<ToolCall> {
    if call.tool_result.is_some() {
        return Vec::new();
    }
    let is_called = |tool: &&Tool| match wish.call.as_deref() {
        Some("all") => true,
        Some(name) => tool.name == name,
        None => call.text.contains(&tool.name),
    };
    let mut called: Vec<&Tool> = call.tools.iter().filter(is_called).collect();
    if called.is_empty() && call.must_call {
        called.extend(call.tools.first());
    }
    if !call.parallel {
        called.truncate(1);
    }
    let prefix = if call.dialect == Dialect::Messages {
        "toolu"
    } else {
        "call"
    };
    let made = called.into_iter().enumerate().map(|(n, tool)| ToolCall {
        id: format!("{prefix}_{:08x}{n}", mark as u32),
        name: tool.name.clone(),
        arguments: arguments(&tool.schema, &call.text),
    });
    made.collect()
}

/// Arguments that fit the schema's properties.
fn arguments(schema: &Value, text: &str) -> Value {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let filled: Map<String, Value> = properties
        .map(|(name, schema)| (name.clone(), argument(schema, text)))
        .collect();
    Value::Object(filled)
}

fn argument(schema: &Value, text: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => arguments(schema, text),
        _ => json!(text.split_whitespace().last().unwrap_or("nothing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::sample::asked::Asked;
    use trilithon_flow::Headers;

    fn reply(dialect: Dialect, body: Value) -> Reply {
        let mut headers = Headers::new();
        headers.append("Anthropic-Version", "2023-06-01");
        let asked = Asked {
            method: "POST".into(),
            target: "/v1".into(),
            headers,
            body: body.to_string().into_bytes(),
        };
        let call = Call::read(dialect, &asked, &body, &Wish::default()).ok();
        Reply::to(&call.expect("a call"), &asked.body, &Wish::default())
    }

    #[test]
    fn a_limit_ends_the_answer_behind_a_word() {
        let said = |max| {
            let body = json!({"model": "m", "max_tokens": max, "messages": [{"role": "user", "content": "one two"}]});
            let reply = reply(Dialect::Messages, body);
            (reply.text, reply.finish == Finish::Length)
        };
        assert_eq!(said(2), ("You said:".into(), true));
        assert_eq!(said(4), ("You said: one two".into(), false));
    }

    #[test]
    fn an_answer_ends_before_what_it_is_not_to_say() {
        let check = |dialect, stop: Value, want: (&str, Option<&str>)| {
            let name = if dialect == Dialect::Chat {
                "stop"
            } else {
                "stop_sequences"
            };
            let mut body =
                json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "one two"}]});
            body[name] = stop;
            let reply = reply(dialect, body);
            assert_eq!((&*reply.text, reply.stopped_at.as_deref()), want);
            assert!(reply.finish == Finish::Stop);
        };
        check(Dialect::Chat, json!(" two"), ("You said: one", Some(" two")));
        check(
            Dialect::Messages,
            json!(["two", "one"]),
            ("You said: ", Some("one")),
        );
        check(
            Dialect::Messages,
            json!(["three", ""]),
            ("You said: one two", None),
        );
    }

    #[test]
    fn thoughts_come_back_as_they_were() {
        let read = |signature: &str| {
            let thought = json!({"type": "thinking", "thinking": "t", "signature": signature});
            let messages = json!([
                {"role": "user", "content": "a"}, {"role": "assistant", "content": [thought]}, {"role": "user", "content": "b"},
            ]);
            let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
            let mut headers = Headers::new();
            headers.append("Anthropic-Version", "2023-06-01");
            let asked = Asked {
                method: "POST".into(),
                target: "/v1/messages".into(),
                headers,
                body: Vec::new(),
            };
            Call::read(Dialect::Messages, &asked, &body, &Wish::default())
                .map(|_| ())
                .map_err(|r| r.status)
        };
        assert_eq!(read(super::super::messages::SIGNATURE), Ok(()));
        assert_eq!(read("forged"), Err(400));
    }

    #[test]
    fn named_tools_are_called_and_their_answers_are_told() {
        let tool = json!({"type": "function", "name": "find", "parameters": {"properties": {"n": {"type": "integer"}, "word": {}}}});
        let body =
            json!({"model": "m", "tools": [tool], "input": [{"role": "user", "content": "find stones"}]});
        let asked = reply(Dialect::Responses, body.clone());
        assert_eq!(asked.tools.len(), 1);
        assert_eq!(asked.tools[0].arguments, json!({"n": 1, "word": "stones"}));
        let mut body = body;
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "three"});
        body["input"].as_array_mut().expect("a list").push(output);
        let told = reply(Dialect::Responses, body);
        assert_eq!((&*told.text, told.tools.len()), ("The tool says: three", 0));
    }
}
