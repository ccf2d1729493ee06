use super::*;
use serde_json::json;
use trilithon_wire::sse::Frames;

/// The data of the events that come of these.
fn run(to: Dialect, events: &[Value], done: bool) -> (Vec<Value>, Result<(), Malformed>) {
    let mut stream = Stream::new(to, 7, true).unwrap();
    let mut out = Vec::new();
    let mut outcome = Ok(());
    for event in events {
        outcome = outcome.and_then(|()| stream.event(event.to_string().as_bytes(), &mut out));
    }
    if done {
        outcome = outcome.and_then(|()| stream.event(b"[DONE]", &mut out));
    }
    let outcome = outcome.and_then(|()| stream.end(&mut out));
    if let Err(malformed) = outcome {
        stream.fail(malformed.0, &mut out);
    }
    (datas(&out), outcome)
}

fn datas(mut bytes: &[u8]) -> Vec<Value> {
    let mut frames = Frames::new(1 << 20);
    let mut all = Vec::new();
    while let Some(frame) = frames.next(bytes).unwrap() {
        let (raw, rest) = bytes.split_at(frame.len);
        let data = frame.data(raw);
        if frame.has_data() {
            all.push(serde_json::from_slice(&data).unwrap_or_else(|_| json!(String::from_utf8_lossy(&data))));
        }
        bytes = rest;
    }
    all
}

fn chunk(delta: Value, finish: Value) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn call(index: u64, id: &str, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !id.is_empty() {
        call["id"] = json!(id);
        call["function"]["name"] = json!(format!("tool_{id}"));
    }
    json!({"tool_calls": [call]})
}

fn chat_stream() -> Vec<Value> {
    vec![
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"reasoning_content": "hm"}), Value::Null),
        chunk(json!({"content": "a"}), Value::Null),
        chunk(json!({"content": "b"}), Value::Null),
        chunk(call(0, "x", ""), Value::Null),
        chunk(call(0, "", "{\"p\":"), Value::Null),
        chunk(call(0, "", "1}"), Value::Null),
        chunk(call(1, "y", "{}"), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}}),
    ]
}

#[test]
fn chunks_become_events() {
    let (events, outcome) = run(Dialect::Messages, &chat_stream(), true);
    assert_eq!(outcome, Ok(()));
    let names: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    let (start, delta, stop) = ("content_block_start", "content_block_delta", "content_block_stop");
    assert_eq!(
        names,
        [
            "message_start",
            start,
            delta,
            stop,
            start,
            delta,
            delta,
            stop,
            start,
            delta,
            delta,
            stop,
            start,
            delta,
            stop,
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(
        events[8]["content_block"],
        json!({"type": "tool_use", "id": "x", "name": "tool_x", "input": {}})
    );
    assert_eq!(events[12]["index"], 3);
    assert_eq!(events[15]["delta"]["stop_reason"], "tool_use");
    assert_eq!(events[15]["usage"]["input_tokens"], 7);
    assert_eq!(events[15]["usage"]["cache_read_input_tokens"], 2);
}

/// There and back: what was said, thought and called is the same, and so is the usage.
#[test]
fn a_round_trip_keeps_what_was_said() {
    let (events, _) = run(Dialect::Messages, &chat_stream(), true);
    let (chunks, outcome) = run(Dialect::Chat, &events, false);
    assert_eq!(outcome, Ok(()));
    let said = |chunks: &[Value], path: &str| -> String {
        chunks
            .iter()
            .filter_map(|c| c.pointer(&format!("/choices/0/delta/{path}"))?.as_str())
            .collect()
    };
    for path in [
        "content",
        "reasoning_content",
        "tool_calls/0/function/arguments",
        "tool_calls/0/id",
        "tool_calls/0/function/name",
    ] {
        assert_eq!(said(&chunks, path), said(&chat_stream(), path), "{path}");
    }
    assert_eq!(chunks.last().unwrap(), "[DONE]");
    assert_eq!(
        chunks[chunks.len() - 3]["choices"][0]["finish_reason"],
        "tool_calls"
    );
    assert_eq!(chunks[chunks.len() - 2]["usage"]["prompt_tokens"], 9);
}

/// However many events came: without the last one it ends with an error, never like an answer.
#[test]
fn a_stream_that_ends_early_ends_with_an_error() {
    let (events, _) = run(Dialect::Messages, &chat_stream(), true);
    for n in 0..events.len() {
        let (chunks, outcome) = run(Dialect::Chat, &events[..n], false);
        assert!(outcome.is_err(), "{n} events");
        assert!(chunks.last().unwrap()["error"]["message"].is_string());
        assert!(!chunks.contains(&json!("[DONE]")));
    }
    for n in 0..8 {
        let (events, outcome) = run(Dialect::Messages, &chat_stream()[..n], n % 2 == 0);
        assert!(outcome.is_err(), "{n} chunks");
        assert_eq!(events.last().unwrap()["type"], "error");
        assert!(events.iter().all(|e| e["type"] != "message_stop"));
    }
}

#[test]
fn errors_and_nonsense_end_it() {
    let check = |to, bad: Value, want: &str| {
        let (events, _) = run(to, &[bad], false);
        assert!(
            events.last().unwrap()["error"]["message"]
                .as_str()
                .unwrap()
                .contains(want),
            "{events:?}"
        );
    };
    check(
        Dialect::Chat,
        json!({"type": "error", "error": {"message": "busy"}}),
        "busy",
    );
    check(Dialect::Messages, json!({"error": {"message": "busy"}}), "busy");
    check(Dialect::Messages, json!({"id": 1}), "no `choices`");
    check(
        Dialect::Messages,
        chunk(call(0, "", "{}"), Value::Null),
        "no id or name",
    );
    check(
        Dialect::Chat,
        json!({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta"}}),
        "not called",
    );
    check(
        Dialect::Chat,
        json!({"type": "message_stop"}),
        "without a `stop_reason`",
    );
}

#[test]
fn signed_thoughts_are_told_whole() {
    let piece = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let events = [
        piece(json!({"type": "thinking_delta", "thinking": "h"})),
        piece(json!({"type": "thinking_delta", "thinking": "m"})),
        piece(json!({"type": "signature_delta", "signature": "c2ln"})),
    ];
    let (chunks, _) = run(Dialect::Chat, &events, false);
    assert_eq!(
        chunks[0]["choices"][0]["delta"],
        json!({"reasoning_content": "h"})
    );
    assert_eq!(
        chunks[2]["choices"][0]["delta"]["thinking_blocks"],
        json!([{"type": "thinking", "thinking": "hm", "signature": "c2ln"}])
    );
}

/// What is told with each event is short, whatever the upstream calls itself.
#[test]
fn names_are_bounded() {
    let start =
        json!({"type": "message_start", "message": {"id": "x".repeat(10_000), "model": "é".repeat(10_000)}});
    let (chunks, _) = run(Dialect::Chat, &[start], false);
    assert_eq!(chunks[0]["id"], "x".repeat(256));
    assert_eq!(chunks[0]["model"], "é".repeat(256));
}

/// A guard could have read the one, and the client the other.
#[test]
fn what_is_said_twice_ends_it() {
    let mut stream = Stream::new(Dialect::Chat, 7, true).unwrap();
    let twice =
        br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a","text":"b"}}"#;
    assert!(stream.event(twice, &mut Vec::new()).is_err());
}
