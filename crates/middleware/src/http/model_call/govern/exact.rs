//! Between two sides that speak the same, bodies go on byte for byte, whatever is in them that the gateway does not know.

use super::super::super::kit::{Act, Bench, Script};
use super::super::super::{ai_quota, chat_completion, content_guard, messages_api, responses_api, testing};
use fastrand::Rng;
use proptest::prelude::*;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{Body, Known, Response};
use trilithon_model::duration::Duration;
use trilithon_model::dynamic::http::*;

/// Any JSON, written as nobody would write it twice.
fn json(random: &mut Rng, depth: u32) -> String {
    let some = if depth == 0 { 8 } else { 10 };
    match random.u8(..some) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "-0".to_owned(),
        3 => "12345678901234567890.50".to_owned(),
        4 => "1E+05".to_owned(),
        5 => r#""caf\u00e9 \/ \ud83d\ude00""#.to_owned(),
        6 => r#""é \\u0061\t""#.to_owned(),
        7 => r#""""#.to_owned(),
        8 => {
            let items: Vec<String> = (0..random.usize(..4)).map(|_| json(random, depth - 1)).collect();
            joined('[', &items, ']', random)
        }
        _ => {
            let count = random.usize(..4);
            let members = (0..count).map(|n| (format!("n\\u006{n}"), json(random, depth - 1)));
            let members: Vec<(String, String)> = members.collect();
            object(&members, random)
        }
    }
}

fn space(random: &mut Rng) -> &'static str {
    random.choice(["", "", " ", "\n\t", "\r\n"]).unwrap_or_default()
}

fn joined(open: char, parts: &[String], close: char, random: &mut Rng) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("{}{part}{}", space(random), space(random)))
        .collect();
    format!("{open}{}{close}", parts.join(","))
}

fn object(members: &[(String, String)], random: &mut Rng) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\"{}:{}{value}", space(random), space(random)))
        .collect();
    joined('{', &members, '}', random)
}

/// An object with these members and others, in any order.
fn with(known: &[(&str, &str)], random: &mut Rng) -> String {
    let own = known
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut members: Vec<(String, String)> = own.collect();
    members.extend((0..random.usize(..5)).map(|n| (format!("x_{n}"), json(random, 3))));
    random.shuffle(&mut members);
    object(&members, random)
}

fn request(dialect: Dialect, stream: bool, random: &mut Rng) -> String {
    let message = with(&[("role", r#""user""#), ("content", r#""h\u0069""#)], random);
    let messages = format!("[{message}]");
    let stream = if stream { "true" } else { "false" };
    let options = with(&[("include_usage", "true")], random);
    let mut known = vec![("model", r#""m""#), ("stream", stream)];
    match dialect {
        Dialect::Chat => known.extend([("messages", &*messages), ("stream_options", &*options)]),
        Dialect::Messages => known.extend([("messages", &*messages), ("max_tokens", "9")]),
        Dialect::Responses => known.push(("input", r#""h\u0069""#)),
    }
    with(&known, random)
}

fn answer(dialect: Dialect, random: &mut Rng) -> String {
    let known = match dialect {
        Dialect::Chat => [
            (
                "choices",
                r#"[{"message":{"content":"a","odd":1.0},"finish_reason":"stop"}]"#,
            ),
            (
                "usage",
                r#"{"prompt_tokens":1,"completion_tokens":2,"more":{"a":1e2}}"#,
            ),
        ],
        Dialect::Messages => [
            (
                "content",
                r#"[{"type":"text","text":"a"},{"type":"new","of":[1.50]}]"#,
            ),
            ("usage", r#"{"input_tokens":1,"output_tokens":2}"#),
        ],
        Dialect::Responses => [
            (
                "output",
                r#"[{"type":"message","content":[{"type":"output_text","text":"a"}]}]"#,
            ),
            ("usage", r#"{"input_tokens":1,"output_tokens":2}"#),
        ],
    };
    with(&known, random)
}

fn stream(dialect: Dialect, random: &mut Rng) -> String {
    let known: &[&[(&str, &str)]] = match dialect {
        Dialect::Chat => &[
            &[("choices", r#"[{"index":0,"delta":{"content":"a"}}]"#)],
            &[("choices", r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#)],
        ],
        Dialect::Messages => &[
            &[
                ("type", r#""content_block_delta""#),
                ("delta", r#"{"type":"text_delta","text":"a"}"#),
            ],
            &[("type", r#""message_stop""#)],
        ],
        Dialect::Responses => &[
            &[("type", r#""response.output_text.delta""#), ("delta", r#""a""#)],
            &[("type", r#""response.completed""#)],
        ],
    };
    let mut all = String::new();
    for event in known {
        // Data goes over no line.
        let data = with(event, random).replace(['\r', '\n'], " ");
        all += &format!("id: 7\ndata: {data}\r\n\r\n: c\n\n");
    }
    if dialect == Dialect::Chat {
        all += "data: [DONE]\n\n";
    }
    all
}

fn cut(text: &str, random: &mut Rng) -> Vec<&'static [u8]> {
    let (mut pieces, mut rest): (Vec<&[u8]>, &'static [u8]) = (Vec::new(), text.as_bytes().to_vec().leak());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(90)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn through(
    dialect: Dialect,
    asked: &str,
    kind: &'static str,
    pieces: Vec<&'static [u8]>,
) -> (String, String) {
    let mut bench = Bench::new(move |_| {
        let acts = pieces.iter().flat_map(|piece| [Act::Data(piece), Act::Pause]);
        let mut res = Response {
            body: Script::new(acts).body(),
            ..Response::new(200)
        };
        res.headers.set_known(Known::ContentType, kind);
        res
    });
    let (format, path) = match dialect {
        Dialect::Chat => (ClientRequestFormat::Ccr, "/v1/chat/completions"),
        Dialect::Messages => (ClientRequestFormat::MessagesApi, "/v1/messages"),
        Dialect::Responses => (ClientRequestFormat::ResponsesApi, "/v1/responses"),
    };
    let rules = Some(ContentPhase {
        rules: vec![ContentRule {
            entities: vec!["SECRET".into()],
            block: true,
            ..ContentRule::default()
        }],
        on_deny_response: None,
    });
    let guard = ContentGuard {
        engine: Some(ContentEngine {
            regex: Some(RegexEngine::default()),
            ..ContentEngine::default()
        }),
        client_request_format: format,
        request: rules.clone(),
        response: rules,
        ..ContentGuard::default()
    };
    let quota = AiQuota {
        limits: TokenLimits {
            client_request_format: format,
            total_token_limit: Some(TokenLimit {
                limit: 1_000_000,
                period: Some(Duration::from_secs(60)),
                ..TokenLimit::default()
            }),
            ..TokenLimits::default()
        },
        ..AiQuota::default()
    };
    let own = match dialect {
        Dialect::Chat => bench.build(|cx| chat_completion::build(&ChatCompletion::default(), cx)),
        Dialect::Messages => bench.build(|cx| messages_api::build(&MessagesApi::default(), cx)),
        Dialect::Responses => bench.build(|cx| responses_api::build(&ResponsesApi::default(), cx)),
    };
    let steps = [
        bench.build(|cx| ai_quota::build(&quota, cx)),
        bench.build(|cx| content_guard::build(&guard, cx)),
        own,
    ];
    let steps = steps
        .into_iter()
        .map(|step| step.unwrap_or_else(|e| panic!("{e}")));
    let chain = bench.chain(steps.collect());
    let mut req = testing::request("POST", path, &[("Content-Type", "application/json")]);
    req.body = Body::from(asked.to_owned());
    let outcome = bench.send(&chain, req);
    (bench.last().body, outcome.text())
}

proptest! {
    #[test]
    fn bodies_go_on_byte_for_byte(dialect in 0..Dialect::ALL.len(), streams in any::<bool>(), seed in any::<u64>()) {
        let (dialect, mut random) = (Dialect::ALL[dialect], Rng::with_seed(seed));
        let asked = request(dialect, streams, &mut random);
        let (kind, said) = match streams {
            true => ("text/event-stream", stream(dialect, &mut random)),
            false => ("application/json", answer(dialect, &mut random)),
        };
        let (seen, shown) = through(dialect, &asked, kind, cut(&said, &mut random));
        prop_assert_eq!(seen, asked);
        prop_assert_eq!(shown, said);
    }
}
