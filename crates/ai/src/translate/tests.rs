use super::parameter::{Fate, of};
use super::*;
use serde_json::{Value, json};

fn translated(from: Dialect, body: &Value) -> (Value, Vec<String>) {
    let made = request(from, body.to_string().as_bytes()).unwrap_or_else(|e| panic!("{e}: {body}"));
    (serde_json::from_slice(&made.body).unwrap(), made.dropped)
}

fn base(from: Dialect) -> Value {
    match from {
        Dialect::Messages => {
            json!({"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]})
        }
        _ => json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    }
}

/// A value of each parameter that asks for something.
fn example(name: &str) -> Value {
    let function = json!({"name": "f", "parameters": {"type": "object"}, "input_schema": {"type": "object"}});
    match name {
        "model" => json!("m"),
        "messages" => json!([{"role": "user", "content": "hi"}]),
        "system" | "user" | "safety_identifier" => json!("ann"),
        "max_tokens" | "max_completion_tokens" | "seed" | "top_k" | "top_logprobs" | "n" => json!(3),
        "stream" | "store" | "logprobs" => json!(true),
        "parallel_tool_calls" => json!(false),
        "temperature" | "top_p" | "frequency_penalty" | "presence_penalty" => json!(0.5),
        "stop" => json!("end"),
        "stop_sequences" | "mcp_servers" => json!(["end"]),
        "modalities" => json!(["audio"]),
        "tools" => json!([{"type": "function", "function": function}]),
        "functions" => json!([function]),
        "tool_choice" => json!("auto"),
        "reasoning_effort" => json!("low"),
        "thinking" => json!({"type": "enabled", "budget_tokens": 1024}),
        "metadata" => json!({"user_id": "ann"}),
        "stream_options" => json!({"include_usage": true}),
        "response_format" => json!({"type": "json_object"}),
        "logit_bias" => json!({"1": 2}),
        _ => json!({"some": "thing"}),
    }
}

/// Each row of the table is what happens.
#[test]
fn the_table_is_true() {
    for from in [Dialect::Chat, Dialect::Messages] {
        for row in of(from) {
            let mut body = base(from);
            body[row.name] = example(row.name);
            if from == Dialect::Messages && row.name == "tools" {
                body["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
            }
            if from == Dialect::Chat && row.name == "messages" {
                body["messages"] =
                    json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]);
            }
            if row.name == "tool_choice" || row.name == "parallel_tool_calls" {
                let chat = from == Dialect::Chat;
                body["tools"] = if chat {
                    example("tools")
                } else {
                    json!([{"name": "f", "input_schema": {}}])
                };
                body["tool_choice"] = if chat {
                    json!("auto")
                } else {
                    json!({"type": "auto", "disable_parallel_tool_use": true})
                };
            }
            let made = request(from, body.to_string().as_bytes());
            match row.fate {
                Fate::Refused => {
                    let invalid = made.expect_err(row.name);
                    assert_eq!(invalid.param.as_deref(), Some(row.name));
                }
                Fate::Dropped => assert_eq!(made.unwrap().dropped, [row.name]),
                Fate::Mapped(names) => {
                    let made = made.unwrap();
                    assert!(made.dropped.is_empty(), "{}: {:?}", row.name, made.dropped);
                    let out: Value = serde_json::from_slice(&made.body).unwrap();
                    for name in names.split(", ").filter(|name| !name.starts_with('(')) {
                        let pointer = format!("/{}", name.replace("[0]", "/0").replace('.', "/"));
                        assert!(
                            out.pointer(&pointer).is_some(),
                            "{}: no {name} in {out}",
                            row.name
                        );
                    }
                }
            }
            body[row.name] = Value::Null;
            assert!(
                request(from, body.to_string().as_bytes()).is_ok(),
                "{} absent",
                row.name
            );
        }
    }
}

#[test]
fn what_is_asked_anyway_is_not_refused() {
    let mut body = base(Dialect::Chat);
    for (name, value) in [
        ("n", json!(1)),
        ("logprobs", json!(false)),
        ("top_logprobs", json!(0)),
        ("response_format", json!({"type": "text"})),
        ("modalities", json!(["text"])),
        ("logit_bias", json!({})),
    ] {
        body[name] = value;
    }
    assert!(translated(Dialect::Chat, &body).1.is_empty());
    body["brand_new"] = json!(1);
    assert_eq!(translated(Dialect::Chat, &body).1, ["brand_new"]);
}

fn chat_history() -> Value {
    let call =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    json!({"model": "m", "max_completion_tokens": 50, "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]},
        {"role": "assistant", "content": null, "tool_calls": [call("x"), call("y")]},
        {"role": "tool", "tool_call_id": "x", "content": "1"},
        {"role": "tool", "tool_call_id": "y", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": "go on"}]},
    ]})
}

#[test]
fn histories_are_translated() {
    let (out, _) = translated(Dialect::Chat, &chat_history());
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {"a": 1}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let result =
        |id: &str, said: &str| json!({"type": "tool_result", "tool_use_id": id, "content": [text(said)]});
    assert_eq!(out["system"], json!([text("be kind")]));
    assert_eq!(
        out["messages"],
        json!([
            {"role": "user", "content": [text("look"), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}}]},
            {"role": "assistant", "content": [call("x"), call("y")]},
            {"role": "user", "content": [result("x", "1"), result("y", "2"), text("go on")]},
        ])
    );
}

#[test]
fn a_round_trip_of_a_history_changes_nothing() {
    let (there, _) = translated(Dialect::Chat, &chat_history());
    let (back, dropped) = translated(Dialect::Messages, &there);
    assert_eq!(back, chat_history());
    assert!(dropped.is_empty());
}

#[test]
fn thoughts_keep_their_signatures() {
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"});
    let told = json!({"id": "i", "model": "m", "content": [thought, {"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": {}});
    let made = answer(Dialect::Chat, told.to_string().as_bytes(), 7).unwrap();
    let made: Value = serde_json::from_slice(&made).unwrap();
    let message = &made["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "hm");
    let history = json!({"model": "m", "messages": [{"role": "user", "content": "q"}, message]});
    let (back, _) = translated(Dialect::Chat, &history);
    assert_eq!(back["messages"][1]["content"], told["content"]);
}

#[test]
fn answers_are_translated_both_ways() {
    let told = json!({
        "id": "i", "model": "m",
        "content": [{"type": "text", "text": "a", "citations": null}, {"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 4},
    });
    let chat = answer(Dialect::Chat, told.to_string().as_bytes(), 7).unwrap();
    let value: Value = serde_json::from_slice(&chat).unwrap();
    assert_eq!(value["usage"]["prompt_tokens"], 5);
    assert_eq!(value["choices"][0]["finish_reason"], "tool_calls");
    let back: Value = serde_json::from_slice(&answer(Dialect::Messages, &chat, 7).unwrap()).unwrap();
    for name in ["id", "model", "content", "stop_reason", "usage"] {
        assert_eq!(back[name], told[name], "{name}");
    }
}

#[test]
fn half_an_answer_is_none() {
    for (to, body) in [
        (Dialect::Chat, "{\"content\":[]}"),
        (Dialect::Chat, "{\"content\":[{\"ty"),
        (Dialect::Messages, "{\"choices\":[]}"),
        (Dialect::Messages, "{\"choices\":[{\"message\":{}}]}"),
        (
            Dialect::Messages,
            "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\"}}]}}]}",
        ),
    ] {
        assert!(answer(to, body.as_bytes(), 7).is_err(), "{body}");
    }
}

#[test]
fn what_has_no_place_is_refused_by_name() {
    let check = |from, at: &str, value: Value, param: &str| {
        let mut body = base(from);
        *body.pointer_mut(at).unwrap() = value;
        let invalid = request(from, body.to_string().as_bytes()).expect_err(at);
        assert_eq!(invalid.param.as_deref(), Some(param));
    };
    check(
        Dialect::Chat,
        "/messages/0/content",
        json!([{"type": "input_audio"}]),
        "messages[0].content[0]",
    );
    check(
        Dialect::Chat,
        "/messages/0/role",
        json!("function"),
        "messages[0]",
    );
    check(
        Dialect::Messages,
        "/messages/0/content",
        json!([{"type": "document"}]),
        "messages[0].content[0]",
    );
    let broken =
        json!([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]);
    check(Dialect::Chat, "/messages", broken, "messages[0].tool_calls[0]");
}
