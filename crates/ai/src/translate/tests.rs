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
            json!({"model": "m", "max_tokens": 5000, "messages": [{"role": "user", "content": "hi"}]})
        }
        _ => json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    }
}

/// A value of each parameter that asks for something.
fn example(name: &str) -> Value {
    let function = json!({"name": "f", "parameters": {"type": "object"}});
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

/// A request that asks for something by this parameter.
fn asking(from: Dialect, name: &str) -> Value {
    let mut body = base(from);
    body[name] = example(name);
    let is_choice = name == "tool_choice" || name == "parallel_tool_calls";
    match from {
        Dialect::Messages => {
            if name == "tools" || is_choice {
                body["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
            }
            if is_choice {
                body["tool_choice"] = json!({"type": "auto", "disable_parallel_tool_use": true});
            }
        }
        _ => {
            if is_choice {
                body["tools"] = example("tools");
                body["tool_choice"] = json!("auto");
            }
            if name == "messages" {
                body["messages"] =
                    json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]);
            }
        }
    }
    body
}

/// Each row of the table is what happens.
#[test]
fn the_table_is_true() {
    for from in [Dialect::Chat, Dialect::Messages] {
        for row in of(from) {
            let mut body = asking(from, row.name);
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

/// Whatever a row says in the other dialect, it says after it was there and back. What comes back is in other words, but means
/// the same.
#[test]
fn each_row_survives_a_round_trip() {
    for from in [Dialect::Chat, Dialect::Messages] {
        let to = if from == Dialect::Chat {
            Dialect::Messages
        } else {
            Dialect::Chat
        };
        for row in of(from).iter().filter(|row| matches!(row.fate, Fate::Mapped(_))) {
            let (there, _) = translated(from, &asking(from, row.name));
            let (back, dropped) = translated(to, &there);
            assert!(dropped.is_empty(), "{}: {dropped:?} of {there}", row.name);
            assert_eq!(translated(from, &back).0, there, "{}", row.name);
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
        {"role": "user", "content": "go on"},
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

/// What stands deeper and has no place is told like what stands on top.
#[test]
fn nested_members_are_told_when_they_are_dropped() {
    let check = |from, at: &str, more: Value, want: &[&str]| {
        let mut body = base(from);
        body["messages"] = chat_history()["messages"].clone();
        if from == Dialect::Messages {
            let (there, _) = translated(Dialect::Chat, &chat_history());
            body = there;
        }
        body["tools"] = match from {
            Dialect::Messages => json!([{"name": "f", "input_schema": {}}]),
            _ => example("tools"),
        };
        let object = body.pointer_mut(at).unwrap().as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        assert_eq!(translated(from, &body).1, want, "{at}");
    };
    let cache = json!({"cache_control": {"type": "ephemeral"}});
    use Dialect::{Chat, Messages};
    check(Chat, "/messages/1", json!({"name": "ann"}), &["messages.name"]);
    let detail = json!({"detail": "low"});
    check(
        Chat,
        "/messages/1/content/1/image_url",
        detail,
        &["messages.content.image_url.detail"],
    );
    check(
        Chat,
        "/messages/2",
        json!({"reasoning_content": "hm"}),
        &["messages.reasoning_content"],
    );
    let thought =
        json!({"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]});
    check(Chat, "/messages/2", thought, &[]);
    check(
        Chat,
        "/tools/0/function",
        json!({"strict": true}),
        &["tools.function.strict"],
    );
    check(Messages, "/system/0", cache.clone(), &["system.cache_control"]);
    check(
        Messages,
        "/messages/0/content/0",
        cache.clone(),
        &["messages.content.cache_control"],
    );
    check(
        Messages,
        "/messages/2/content/0",
        json!({"is_error": true}),
        &["messages.content.is_error"],
    );
    check(Messages, "/tools/0", cache, &["tools.cache_control"]);
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"a","url":"b"}}]}]}"#;
    assert!(request(Dialect::Chat, body).is_err());
    let told = br#"{"content":[],"content":[{"type":"text","text":"b"}],"stop_reason":"end_turn"}"#;
    assert!(answer(Dialect::Chat, told, 7).is_err());
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
