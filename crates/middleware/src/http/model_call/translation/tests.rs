//! Clients of one format in front of a service that speaks the other.

use super::super::super::kit::{Act, Asked, Bench, Outcome, Script};
use super::super::super::{chat_completion, content_guard, messages_api, testing};
use serde_json::{Value, json};
use trilithon_flow::model_call::LegOutcome;
use trilithon_flow::{Body, Chain, Fault, FaultKind, Known, Request, Response, Step};
use trilithon_model::dynamic::http::*;

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGES: &str = r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;
const SAID_CHAT: &str = r#"{"id":"c1","model":"served","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
const SAID_MESSAGES: &str = r#"{"id":"m1","model":"served","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}"#;
const CHAT_EVENTS: &str = "data: {\"id\":\"c1\",\"model\":\"served\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hé\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
const MESSAGES_EVENTS: &str = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"served\",\"usage\":{\"input_tokens\":3}}}\r\n\r\nevent: ping\r\ndata: {\"type\":\"ping\"}\r\n\r\nevent: content_block_start\r\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\r\n\r\nevent: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hé\"}}\r\n\r\nevent: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"llo\"}}\r\n\r\nevent: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\r\n\r\nevent: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n";

/// A side that clients are on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Client {
    Chat,
    Messages,
}

use Client::{Chat, Messages};

impl Client {
    fn api() -> ModelApi {
        ModelApi {
            token: "sk".into(),
            ..ModelApi::default()
        }
    }

    /// The middleware before a service that speaks otherwise.
    fn step(self, bench: &mut Bench) -> Step {
        let step = match self {
            Chat => {
                let config = ChatCompletion {
                    upstream_format: Some(UpstreamFormat::MessagesApi),
                    api: Client::api(),
                };
                bench.build(|cx| chat_completion::build(&config, cx))
            }
            Messages => {
                let config = MessagesApi {
                    upstream_format: Some(UpstreamFormat::Ccr),
                    api: Client::api(),
                    ..MessagesApi::default()
                };
                bench.build(|cx| messages_api::build(&config, cx))
            }
        };
        step.unwrap_or_else(|e| panic!("{e}"))
    }

    fn post(self, more: Value) -> Request {
        let (path, base) = match self {
            Chat => ("/v1/chat/completions", CHAT),
            Messages => ("/v1/messages?beta=true", MESSAGES),
        };
        let mut body: Value = serde_json::from_str(base).unwrap();
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        post(path, &body.to_string())
    }

    fn run(self, req: Request, said: impl Fn() -> Response + Send + Sync + 'static) -> (Outcome, Asked) {
        let mut bench = Bench::new(move |_| said());
        let step = self.step(&mut bench);
        let chain = bench.chain(vec![step]);
        let outcome = bench.send(&chain, req);
        (outcome, bench.last())
    }
}

fn post(path: &str, body: &str) -> Request {
    let headers = [
        ("Authorization", "Bearer mine"),
        ("Accept-Encoding", "gzip"),
        ("Anthropic-Beta", "b"),
    ];
    let mut req = testing::request("POST", path, &headers);
    req.body = Body::from(body.to_owned());
    req
}

fn answering(status: u16, kind: &str, body: impl Into<bytes::Bytes>) -> Response {
    let mut res = Response::bare(status, body);
    res.headers.set_known(Known::ContentType, kind);
    res
}

fn scripted(acts: impl IntoIterator<Item = Act>) -> Response {
    let mut res = answering(200, "text/event-stream", "");
    res.body = Script::new(acts).body();
    res
}

fn none() -> Value {
    json!({})
}

fn json_of(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.body).unwrap_or_else(|e| panic!("{e}: {}", outcome.text()))
}

#[test]
fn requests_go_in_the_upstreams_words() {
    let (_, asked) = Chat.run(Chat.post(json!({"max_tokens": 9})), || {
        answering(200, "application/json", SAID_MESSAGES)
    });
    assert_eq!(asked.target, "/v1/messages");
    assert_eq!(
        asked.body,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#
    );
    let heads = [
        "X-Api-Key",
        "Authorization",
        "Anthropic-Version",
        "Accept",
        "Accept-Encoding",
    ];
    let sent = |asked: &Asked| heads.map(|name| asked.header(name).map(str::to_owned));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        sent(&asked),
        [
            some("sk"),
            None,
            some("2023-06-01"),
            some("application/json"),
            None
        ]
    );

    let (_, asked) = Messages.run(Messages.post(json!({"stream": true})), || {
        answering(200, "text/event-stream", CHAT_EVENTS)
    });
    assert_eq!(asked.target, "/v1/chat/completions");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(
        (
            &body["max_completion_tokens"],
            &body["stream_options"]["include_usage"]
        ),
        (&50.into(), &true.into())
    );
    assert_eq!(
        sent(&asked),
        [None, some("Bearer sk"), None, some("text/event-stream"), None]
    );
    assert_eq!(asked.header("Anthropic-Beta"), None);
}

#[test]
fn answers_come_in_the_clients_words() {
    let (outcome, _) = Chat.run(Chat.post(none()), || {
        let mut res = answering(200, "application/json", SAID_MESSAGES);
        res.headers.append("Request-Id", "r1");
        res.headers.set_known(Known::ContentLength, "999");
        res
    });
    let told = json_of(&outcome);
    assert_eq!(told["choices"][0]["message"]["content"], "hello");
    assert_eq!(
        (outcome.status, outcome.header("X-Request-Id")),
        (200, Some("r1"))
    );
    assert_eq!(
        (
            outcome.header("Content-Length"),
            outcome.header("X-Trilithon-Dropped")
        ),
        (None, None)
    );

    let (outcome, _) = Messages.run(Messages.post(none()), || {
        answering(200, "application/json", SAID_CHAT)
    });
    assert_eq!(json_of(&outcome)["content"][0]["text"], "hello");
}

/// The texts of a stream, and its last event.
fn heard(client: Client, stream: &str) -> (String, String) {
    let datas: Vec<&str> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let pointer = match client {
        Chat => "/choices/0/delta/content",
        Messages => "/delta/text",
    };
    let text = |data: &&str| {
        let event: Value = serde_json::from_str(data).ok()?;
        Some(event.pointer(pointer)?.as_str()?.to_owned())
    };
    (
        datas.iter().filter_map(text).collect(),
        (*datas.last().unwrap()).to_owned(),
    )
}

#[test]
fn streams_are_translated_however_they_are_cut() {
    for (client, events, last) in [
        (Chat, MESSAGES_EVENTS, "[DONE]"),
        (Messages, CHAT_EVENTS, r#"{"type":"message_stop"}"#),
    ] {
        let mut whole = None;
        for at in 1..events.len() {
            let (first, rest) = events.as_bytes().split_at(at);
            let said = move || scripted([Act::Data(first), Act::Pause, Act::Data(rest)]);
            let (outcome, _) = client.run(client.post(json!({"stream": true})), said);
            assert!(outcome.broken.is_none());
            let created = |text: String| {
                text.split("\"created\":")
                    .map(|p| p.trim_start_matches(|c: char| c.is_ascii_digit()))
                    .collect::<String>()
            };
            let text = created(outcome.text());
            assert_eq!(
                heard(client, &outcome.text()),
                ("héllo".into(), last.into()),
                "cut at {at}"
            );
            assert_eq!(whole.get_or_insert_with(|| text.clone()), &text, "cut at {at}");
        }
    }
}

/// So that failover, which goes by the fault, knows of it too.
#[test]
fn a_stream_without_a_translation_is_told_as_a_fault() {
    let said = || scripted([Act::Data(b"data: {\"type\":\"message_start\"\n\n")]);
    let (outcome, _) = Chat.run(Chat.post(json!({"stream": true})), said);
    assert!(
        outcome.text().contains("cannot be translated"),
        "{}",
        outcome.text()
    );
    let call = outcome.record.model_call.expect("a call");
    assert_eq!(call.fault.map(|f| f.kind), Some(FaultKind::Malformed));
    assert_eq!(call.legs[0].outcome, LegOutcome::Error("malformed"));
    assert!(outcome.record.fault.is_some());
}

/// Whether it breaks or just ends: never like a whole answer.
#[test]
fn a_stream_that_breaks_ends_in_an_error_event() {
    for (client, events, error) in [
        (Chat, MESSAGES_EVENTS, r#"{"error":{"message":"#),
        (Messages, CHAT_EVENTS, r#"{"type":"error","error":"#),
    ] {
        let last = events.rfind("data: ").unwrap();
        // A server of Chat Completions has said all when it said why it ended.
        let complete = events.find("finish_reason").unwrap_or(last);
        for at in (0..complete).step_by(7) {
            let part = &events.as_bytes()[..at];
            for act in [Act::End, Act::Fail(Fault::new(FaultKind::Broken, "reset"))] {
                let acts = std::sync::Mutex::new(Some([Act::Data(part), act]));
                let said = move || scripted(acts.lock().unwrap().take().unwrap());
                let (outcome, _) = client.run(client.post(json!({"stream": true})), said);
                let text = outcome.text();
                assert!(heard(client, &text).1.starts_with(error), "{at}: {text}");
                assert!(
                    !text.contains("[DONE]") && !text.contains("message_stop"),
                    "{text}"
                );
            }
        }
    }
}

/// What follows the end of an answer is not the client's.
#[test]
fn nothing_follows_the_last_event() {
    let said = || {
        scripted([
            Act::Data(MESSAGES_EVENTS.as_bytes()),
            Act::Data(b"data: more\n\n"),
        ])
    };
    let (outcome, _) = Chat.run(Chat.post(json!({"stream": true})), said);
    assert!(outcome.text().ends_with("data: [DONE]\n\n"), "{}", outcome.text());
}

#[test]
fn usage_is_told_to_who_asked() {
    let check = |more: Value, want: bool| {
        let said = || answering(200, "text/event-stream", MESSAGES_EVENTS);
        let (outcome, _) = Chat.run(Chat.post(more), said);
        assert_eq!(
            outcome.text().contains("\"prompt_tokens\":3"),
            want,
            "{}",
            outcome.text()
        );
    };
    check(json!({"stream": true}), false);
    check(
        json!({"stream": true, "stream_options": {"include_usage": true}}),
        true,
    );
}

#[test]
fn errors_are_told_in_the_clients_words() {
    let check = |client: Client, status: u16, said: &'static str, want: u16, part: &str| {
        let (outcome, _) = client.run(client.post(none()), move || {
            let mut res = answering(status, "application/json", said);
            res.headers.append("Retry-After", "7");
            res
        });
        assert_eq!(
            (outcome.status, outcome.header("Retry-After")),
            (want, Some("7")),
            "{said}"
        );
        assert!(outcome.text().contains(part), "{}", outcome.text());
    };
    let busy = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    check(
        Chat,
        529,
        busy,
        503,
        r#"{"error":{"message":"busy","type":"server_error""#,
    );
    let slow = r#"{"error":{"message":"slow down","type":"rate_limit_exceeded"}}"#;
    check(
        Messages,
        429,
        slow,
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#,
    );
    check(Messages, 502, "<html>", 502, "answered with an error");
}

#[test]
fn what_is_no_answer_is_an_error() {
    let check = |said: fn() -> Response, part: &str| {
        let (outcome, _) = Chat.run(Chat.post(none()), said);
        assert_eq!(outcome.status, 502, "{part}");
        assert!(
            outcome.text().starts_with(r#"{"error":{"message":"#),
            "{}",
            outcome.text()
        );
        assert!(outcome.text().contains(part), "{}", outcome.text());
    };
    check(|| answering(200, "text/html", "<html>"), "no JSON");
    check(
        || answering(200, "application/json", &SAID_MESSAGES[..60]),
        "no JSON",
    );
    check(|| answering(200, "application/json", "{}"), "no `content`");
    check(|| answering(204, "application/json", ""), "no JSON");
    check(|| answering(307, "application/json", ""), "status is 307");
    check(
        || {
            let mut res = answering(200, "application/json", SAID_MESSAGES);
            res.headers.append("Content-Encoding", "unheard-of");
            res
        },
        "compressed",
    );
    check(
        || {
            let mut res = answering(200, "application/json", "");
            let fault = Fault::new(FaultKind::Broken, "reset");
            res.body = Script::new([Act::Data(b"{"), Act::Fail(fault)]).body();
            res
        },
        "broke off",
    );
    check(
        || Response::from(Fault::new(FaultKind::Connect, "refused")),
        "could not be asked",
    );
}

#[test]
fn what_is_dropped_is_told() {
    let check = |client: Client, more: Value, want: Option<&str>| {
        let said = match client {
            Chat => SAID_MESSAGES,
            Messages => SAID_CHAT,
        };
        let (outcome, _) = client.run(client.post(more), move || {
            let mut res = answering(200, "application/json", said);
            res.headers.append("X-Trilithon-Dropped", "made up");
            res
        });
        assert_eq!(outcome.header("X-Trilithon-Dropped"), want);
    };
    check(Chat, none(), None);
    check(
        Chat,
        json!({"seed": 1, "store": true, "n": 1}),
        Some("seed, store"),
    );
    check(Messages, json!({"top_k": 5}), Some("top_k"));
    check(Chat, json!({"a\r\nb: c": 1, "seed": 2}), Some("seed, (1 more)"));
    let many: serde_json::Map<_, _> = (0..5000).map(|n| (format!("p{n:04}"), json!(1))).collect();
    let (outcome, _) = Chat.run(Chat.post(many.into()), || {
        answering(200, "application/json", SAID_MESSAGES)
    });
    let told = outcome.header("X-Trilithon-Dropped").unwrap();
    assert!(told.ends_with("p0031, (4968 more)"), "{told}");
}

#[test]
fn what_cannot_be_translated_is_refused_by_name() {
    let check = |client: Client, req: Request, status: u16, parts: &[&str]| {
        let mut bench = Bench::new(|_| answering(200, "application/json", "{}"));
        let step = client.step(&mut bench);
        let chain = bench.chain(vec![step]);
        let outcome = bench.send(&chain, req);
        assert_eq!((outcome.status, bench.asked()), (status, 0), "{parts:?}");
        for part in parts {
            assert!(outcome.text().contains(part), "{}", outcome.text());
        }
    };
    check(
        Chat,
        Chat.post(json!({"n": 2})),
        400,
        &[r#""param":"n""#, "invalid_request_error"],
    );
    check(
        Messages,
        Messages.post(json!({"mcp_servers": [{}]})),
        400,
        &["`mcp_servers`"],
    );
    let document = json!({"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]});
    check(
        Messages,
        Messages.post(document),
        400,
        &["`messages[0].content[0]`"],
    );
    let count = post("/v1/messages/count_tokens", MESSAGES);
    check(
        Messages,
        count,
        404,
        &["not_found_error", "`/v1/messages/count_tokens`", "`…/messages`"],
    );
    check(
        Chat,
        testing::get("/v1/models", &[]),
        404,
        &["`/v1/models`", "`…/chat/completions`"],
    );
}

#[test]
fn settings_without_effect_are_refused() {
    let check = |config: MessagesApi, part: &str| {
        let config = MessagesApi {
            upstream_format: Some(UpstreamFormat::Ccr),
            ..config
        };
        let message = testing::build_error(|cx| messages_api::build(&config, cx));
        assert!(message.contains(part) && message.contains("`ccr`"), "{message}");
    };
    let plain = MessagesApi::default;
    check(
        MessagesApi {
            anthropic_version: "2023-06-01".into(),
            ..plain()
        },
        "`anthropicVersion`",
    );
    check(
        MessagesApi {
            prompt_caching: true,
            ..plain()
        },
        "`promptCaching`",
    );
    let params = ModelParams {
        top_k: trilithon_model::number::Number::parse("5"),
        ..ModelParams::default()
    };
    let api = ModelApi {
        params: Some(params),
        ..ModelApi::default()
    };
    check(MessagesApi { api, ..plain() }, "`top_k`");
}

#[test]
fn the_same_format_is_no_translation() {
    let config = ChatCompletion {
        upstream_format: Some(UpstreamFormat::Ccr),
        ..ChatCompletion::default()
    };
    let mut bench = Bench::new(|_| answering(200, "application/json", SAID_CHAT));
    let chain = bench.around(|cx| chat_completion::build(&config, cx));
    let outcome = bench.send(&chain, Chat.post(none()));
    assert_eq!(
        (outcome.text().as_str(), bench.last().body.as_str()),
        (SAID_CHAT, CHAT)
    );
}

/// A guard that hides a word in both directions; its own format is for whom nobody in front knows better.
fn hiding(format: ClientRequestFormat) -> ContentGuard {
    let phase = || {
        Some(ContentPhase {
            rules: vec![ContentRule {
                entities: vec!["SECRET-[0-9]".into()],
                mask: Some(ContentMask {
                    char: "*".into(),
                    unmask_from_left: 0,
                    unmask_from_right: 0,
                }),
                ..ContentRule::default()
            }],
            on_deny_response: None,
        })
    };
    ContentGuard {
        engine: Some(ContentEngine {
            regex: Some(RegexEngine::default()),
            ..ContentEngine::default()
        }),
        client_request_format: format,
        request: phase(),
        response: phase(),
        ..ContentGuard::default()
    }
}

/// A chain with a guard in front of the translation, or behind it.
fn guarded(client: Client, in_front: bool, bench: &mut Bench) -> Chain {
    let format = match client {
        Chat => ClientRequestFormat::Ccr,
        Messages => ClientRequestFormat::MessagesApi,
    };
    let guard = bench
        .build(|cx| content_guard::build(&hiding(format), cx))
        .unwrap();
    let step = client.step(bench);
    let steps = if in_front {
        vec![guard, step]
    } else {
        vec![step, guard]
    };
    bench.chain(steps)
}

/// In both orders, whoever stands where: the guard reads the dialect that is spoken where it stands.
#[test]
fn guards_see_both_sides() {
    for (client, whole, events) in [
        (Chat, SAID_MESSAGES, MESSAGES_EVENTS),
        (Messages, SAID_CHAT, CHAT_EVENTS),
    ] {
        for in_front in [true, false] {
            let said_whole = whole.replace("hello", "it is SECRET-1.");
            let said_stream = events.replace("hé", "it is SEC").replace("llo", "RET-1.");
            let mut bench = Bench::new(move |asked| match asked.body.contains("\"stream\":true") {
                true => answering(200, "text/event-stream", said_stream.clone()),
                false => answering(200, "application/json", said_whole.clone()),
            });
            let chain = guarded(client, in_front, &mut bench);
            let ask = |stream: bool| {
                client.post(json!({"messages": [{"role": "user", "content": "SECRET-2"}], "stream": stream}))
            };
            let outcome = bench.send(&chain, ask(false));
            assert!(bench.last().body.contains("********"), "{}", bench.last().body);
            assert!(outcome.text().contains("it is ********."), "{}", outcome.text());
            let outcome = bench.send(&chain, ask(true));
            assert_eq!(
                heard(client, &outcome.text()).0,
                "it is ********.",
                "{client:?} in front: {in_front}"
            );
        }
    }
}

/// Thoughts come in two places; a guard sees both, and a signature stays what it is.
#[test]
fn guards_see_thoughts() {
    let said = r#"{"id":"m1","model":"m","content":[{"type":"thinking","thinking":"about SECRET-1","signature":"U0VDUkVULTE="},{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#;
    let start = "data: {\"type\":\"message_start\",\"message\":{}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n";
    let deltas = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"about SEC\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"RET-1\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"U0VDUkVULTE=\"}}\n\n";
    let end = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let events = [start, deltas, end].concat();
    for in_front in [true, false] {
        let events = events.clone();
        let mut bench = Bench::new(move |asked| match asked.body.contains("\"stream\":true") {
            true => answering(200, "text/event-stream", events.clone()),
            false => answering(200, "application/json", said),
        });
        let chain = guarded(Chat, in_front, &mut bench);
        for stream in [false, true] {
            let text = bench.send(&chain, Chat.post(json!({"stream": stream}))).text();
            assert!(!text.contains("SECRET") && !text.contains("RET-1"), "{text}");
            assert!(
                text.contains("********") && text.contains("U0VDUkVULTE="),
                "{text}"
            );
        }
        let thought = json!({"type": "thinking", "thinking": "SECRET-3", "signature": "s"});
        let turns = json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "thinking_blocks": [thought]}]);
        bench.send(&chain, Chat.post(json!({"messages": turns})));
        assert!(
            bench.last().body.contains(r#""thinking":"********""#),
            "{}",
            bench.last().body
        );
    }
}
