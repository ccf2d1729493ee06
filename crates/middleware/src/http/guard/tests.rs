//! Guards in front of a service that answers as a model does.

use super::*;
use crate::http::kit::{Act, Bench, Outcome, Script};
use crate::http::testing::{build_error, request};
use crate::http::{content_guard, llm_guard, parallel_llm_guard};
use trilithon_flow::{Body, Chain};
use trilithon_model::dynamic::http::*;
use trilithon_model::dynamic::http::{ContentEngine, ContentGuard as Content};

fn mask(char: &str, left: i64, right: i64) -> Option<ContentMask> {
    Some(ContentMask {
        char: char.into(),
        unmask_from_left: left,
        unmask_from_right: right,
    })
}

fn rule(entities: &[&str], mask: Option<ContentMask>) -> ContentRule {
    ContentRule {
        entities: entities.iter().map(|e| (*e).into()).collect(),
        block: mask.is_none(),
        mask,
        ..ContentRule::default()
    }
}

fn phase(rules: Vec<ContentRule>) -> Option<ContentPhase> {
    Some(ContentPhase {
        rules,
        on_deny_response: None,
    })
}

fn regex() -> Option<ContentEngine> {
    Some(ContentEngine {
        regex: Some(RegexEngine::default()),
        ..ContentEngine::default()
    })
}

fn builtin() -> Option<ContentEngine> {
    Some(ContentEngine {
        builtin: Some(BuiltinEngine::default()),
        ..ContentEngine::default()
    })
}

/// Hides the word that is never to be seen, in both directions.
fn hiding(format: ClientRequestFormat) -> Content {
    Content {
        engine: regex(),
        client_request_format: format,
        request: phase(vec![rule(&["SECRET-[0-9]+"], mask("*", 0, 0))]),
        response: phase(vec![rule(&["SECRET-[0-9]+"], mask("*", 0, 0))]),
        ..Content::default()
    }
}

fn post(body: &str) -> Request {
    let mut req = request(
        "POST",
        "/v1/chat/completions",
        &[("Content-Type", "application/json")],
    );
    req.body = Body::from(body.to_owned());
    req
}

fn answering(kind: &'static str, body: &'static str) -> Bench {
    Bench::new(move |_| {
        let mut res = Response::bare(200, body);
        res.headers.set_known(Known::ContentType, kind);
        res
    })
}

fn guarded(bench: &mut Bench, config: &Content) -> Chain {
    bench.around(|cx| content_guard::build(config, cx))
}

fn run(config: &Content, asked: &str, kind: &'static str, answer: &'static str) -> (Outcome, String) {
    let mut bench = answering(kind, answer);
    let chain = guarded(&mut bench, config);
    let outcome = bench.send(&chain, post(asked));
    let seen = bench.last().body;
    (outcome, seen)
}

mod everything;
mod splits;
mod streams;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

#[test]
fn masks_in_every_dialect_and_both_directions() {
    let check = |format, asked: &str, sent: &str, answer: &'static str, shown: &str| {
        let (outcome, seen) = run(&hiding(format), asked, JSON, answer);
        assert_eq!(seen, sent);
        assert_eq!((outcome.status, outcome.text().as_str()), (200, shown));
    };
    use ClientRequestFormat::{Ccr, MessagesApi, ResponsesApi};
    check(
        Ccr,
        r#"{"model":"m", "x":1.0,"messages":[{"role":"system","content":"SECRET-1"},{"role":"user","content":[{"type":"text","text":"a\u0020SECRET\u002d22"}]},
            {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"k\":\"SECR\\u0045T-3\"}"}}]},
            {"role":"tool","tool_call_id":"1","content":"SECRET-4"}]}"#,
        r#"{"model":"m", "x":1.0,"messages":[{"role":"system","content":"********"},{"role":"user","content":[{"type":"text","text":"a\u0020*********"}]},
            {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"k\":\"*************\"}"}}]},
            {"role":"tool","tool_call_id":"1","content":"********"}]}"#,
        r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"ok SECRET-1."}},{"index":1,"message":{"content":"SECRET-2"}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"ok ********."}},{"index":1,"message":{"content":"********"}}]}"#,
    );
    check(
        ResponsesApi,
        r#"{"model":"m","instructions":"SECRET-1","input":"hi SECRET-2"}"#,
        r#"{"model":"m","instructions":"********","input":"hi ********"}"#,
        r#"{"id":"r","output":[{"type":"message","content":[{"type":"output_text","text":"SECRET-3"}]},{"type":"function_call","name":"f","arguments":"{\"a\":\"SECRET-4\"}"}]}"#,
        r#"{"id":"r","output":[{"type":"message","content":[{"type":"output_text","text":"********"}]},{"type":"function_call","name":"f","arguments":"{\"a\":\"********\"}"}]}"#,
    );
    check(
        MessagesApi,
        r#"{"model":"m","max_tokens":9,"system":"SECRET-1","messages":[{"role":"user","content":"SECRET-2"}]}"#,
        r#"{"model":"m","max_tokens":9,"system":"********","messages":[{"role":"user","content":"********"}]}"#,
        r#"{"id":"x","content":[{"type":"thinking","thinking":"SECRET-3"},{"type":"text","text":"SECRET-4"},{"type":"tool_use","name":"f","input":{"a":"SECRET-5"}}]}"#,
        r#"{"id":"x","content":[{"type":"thinking","thinking":"********"},{"type":"text","text":"********"},{"type":"tool_use","name":"f","input":{"a":"********"}}]}"#,
    );
}

#[test]
fn blocks_before_the_model_is_asked() {
    let check = |deny: OnDenyResponse, asked: &str, want: (u16, &str, &str)| {
        let config = Content {
            engine: builtin(),
            client_request_format: ClientRequestFormat::Ccr,
            request: Some(ContentPhase {
                rules: vec![rule(&["CREDIT_CARD", "US_SSN"], None)],
                on_deny_response: Some(deny),
            }),
            ..Content::default()
        };
        let mut bench = answering(JSON, "{}");
        let chain = guarded(&mut bench, &config);
        let outcome = bench.send(&chain, post(asked));
        assert_eq!(bench.asked(), 0, "the model was not asked");
        let text = outcome.text();
        assert_eq!(
            (outcome.status, outcome.header("Content-Type").unwrap()),
            (want.0, want.1)
        );
        assert!(text.contains(want.2), "{text}");
        outcome
    };
    let card = r#"{"model":"m","messages":[{"role":"user","content":"4111 1111 1111 1111"}]}"#;
    let error = r#"{"error":{"message":"the content was refused by a guard","type":"invalid_request_error","param":null,"code":null}}"#;
    let outcome = check(OnDenyResponse::default(), card, (403, JSON, error));
    assert!(outcome.record.decisions[0].refuses());
    let own = |status, message: &str, kind: &str| OnDenyResponse {
        status_code: status,
        message: message.into(),
        content_type: kind.into(),
    };
    check(own(Some(451), "no", ""), card, (451, JSON, r#""message":"no""#));
    check(
        own(Some(400), "<b>no</b>", "text/html"),
        card,
        (400, "text/html", "<b>no</b>"),
    );
    let outcome = check(
        own(Some(200), "I cannot.", ""),
        card,
        (200, JSON, r#""content":"I cannot.""#),
    );
    assert!(outcome.text().contains(r#""object":"chat.completion""#));
    let streamed = card.replace("\"model\"", "\"stream\":true,\"model\"");
    let outcome = check(
        own(Some(200), "I cannot.", ""),
        &streamed,
        (200, EVENTS, r#""content":"I cannot.""#),
    );
    assert!(outcome.text().ends_with("data: [DONE]\n\n"));
    check(
        own(Some(200), "I cannot.", JSON),
        &streamed,
        (200, JSON, "I cannot."),
    );
}

#[test]
fn custom_bodies_are_read_by_queries() {
    let queried = |query: &str, mask| ContentRule {
        json_queries: vec![query.into()],
        ..rule(&["[0-9]+"], mask)
    };
    let config = Content {
        engine: regex(),
        request: phase(vec![
            queried(".query", mask("#", 0, 1)),
            queried(".items[].t", mask("*", 0, 0)),
        ]),
        ..Content::default()
    };
    let (_, seen) = run(
        &config,
        r#"{"query":"a 123","items":[{"t":"45"}],"id":"678"}"#,
        JSON,
        "{}",
    );
    assert_eq!(seen, r#"{"query":"a ##3","items":[{"t":"**"}],"id":"678"}"#);
    let (outcome, _) = run(&config, "not json 123", JSON, "{}");
    assert_eq!(outcome.status, 500, "what cannot be read is not passed");
    let blind = Content {
        request: phase(vec![rule(&["x"], None)]),
        ..config
    };
    let (outcome, _) = run(&blind, "{}", JSON, "{}");
    assert_eq!(
        outcome.status, 500,
        "a guard that knows of no text does not pass it"
    );
}

#[test]
fn modes_and_errors() {
    let asked = r#"{"model":"m","messages":[{"role":"user","content":"SECRET-1"}]}"#;
    let answer = r#"{"choices":[{"message":{"content":"SECRET-2"}}]}"#;
    let shadow = Content {
        mode: trilithon_model::rollout::Mode::Shadow,
        ..hiding(ClientRequestFormat::Ccr)
    };
    let (outcome, seen) = run(&shadow, asked, JSON, answer);
    assert_eq!((seen.as_str(), outcome.text().as_str()), (asked, answer));
    assert_eq!(outcome.record.decisions.len(), 2);
    let closed = hiding(ClientRequestFormat::Ccr);
    let (outcome, _) = run(&closed, asked, JSON, "no json SECRET-2");
    assert_eq!((outcome.status, outcome.text().contains("SECRET")), (500, false));
    let open = Content {
        on_error: OnError::Allow,
        ..closed
    };
    let (outcome, _) = run(&open, asked, JSON, "no json SECRET-2");
    assert_eq!(
        (outcome.status, outcome.text().as_str()),
        (200, "no json SECRET-2")
    );
}

#[test]
fn only_what_is_new_is_judged_if_so_asked() {
    let asked = r#"{"model":"m","messages":[{"role":"user","content":"SECRET-1"},{"role":"assistant","content":"ok"},{"role":"user","content":"SECRET-2"}]}"#;
    let config = Content {
        history: History::Last,
        ..hiding(ClientRequestFormat::Ccr)
    };
    let (_, seen) = run(&config, asked, JSON, "{}");
    assert_eq!(seen, asked.replace("SECRET-2", "********"));
}

#[test]
fn mistakes() {
    let check =
        |config: Content, want: &str| assert_eq!(build_error(|cx| content_guard::build(&config, cx)), want);
    let with = |rules| Content {
        engine: regex(),
        request: phase(rules),
        ..Content::default()
    };
    check(
        Content::default(),
        "`engine` must have exactly one of `regex`, `presidio` and `builtin`",
    );
    check(
        Content {
            engine: regex(),
            ..Content::default()
        },
        "neither `request` nor `response` is given",
    );
    check(with(vec![]), "`rules` is empty");
    check(
        with(vec![rule(&[], None)]),
        "`entities` of rule `rule-1` is empty",
    );
    check(
        with(vec![ContentRule {
            block: false,
            ..rule(&["x"], None)
        }]),
        "rule `rule-1` does nothing",
    );
    check(
        with(vec![ContentRule {
            block: true,
            ..rule(&["x"], mask("*", 0, 0))
        }]),
        "rule `rule-1` has both `block` and `mask`",
    );
    check(
        with(vec![rule(&["x"], mask("**", 0, 0))]),
        "`mask.char` of rule `rule-1` is not one character",
    );
    check(
        with(vec![rule(&["x"], mask("\"", 0, 0))]),
        "`mask.char` of rule `rule-1` cannot stand in a JSON string",
    );
    check(
        with(vec![rule(&["x"], mask("*", -1, 0))]),
        "`mask.unmaskFromLeft` of rule `rule-1` is less than 0",
    );
    check(
        with(vec![rule(&["a("], None)]),
        "pattern `a(`: missing closing `)`",
    );
    check(
        with(vec![rule(&["x", "a*"], None)]),
        "pattern `a*`: it fits the empty text, and so every text",
    );
    let query = ContentRule {
        json_queries: vec!["x".into()],
        ..rule(&["x"], None)
    };
    check(
        with(vec![query]),
        "`jsonQueries` `x`: a query begins with `.` at byte 0",
    );
    let unknown = Content {
        engine: builtin(),
        ..with(vec![rule(&["PERSON"], None)])
    };
    check(unknown, "nothing built in recognises `PERSON`");
    let llm = |config: LlmGuard| build_error(|cx| llm_guard::build(&config, cx));
    assert_eq!(
        llm(LlmGuard::default()),
        "`format` must have exactly one of `ccr`, `responsesAPI` and `custom`"
    );
    let custom = Some(LlmFormat {
        custom: Some(CustomFormat::default()),
        ..LlmFormat::default()
    });
    assert_eq!(
        llm(LlmGuard {
            format: custom.clone(),
            ..LlmGuard::default()
        }),
        "`endpoint` is required"
    );
    let base = LlmGuard {
        format: custom,
        endpoint: "http://127.0.0.1:1/x".into(),
        ..LlmGuard::default()
    };
    let with = |phase: LlmPhase| LlmGuard {
        request: Some(phase),
        ..base.clone()
    };
    assert_eq!(
        llm(with(LlmPhase::default())),
        "neither `blockConditions` nor `traceConditions` is given"
    );
    let when = |text: &str| {
        vec![GuardCondition {
            condition: text.into(),
            ..GuardCondition::default()
        }]
    };
    assert_eq!(
        llm(with(LlmPhase {
            block_conditions: when("x"),
            ..LlmPhase::default()
        })),
        "`template` is required"
    );
    let phase = LlmPhase {
        template: "{{ .x }}".into(),
        block_conditions: when("Contains(x"),
        ..LlmPhase::default()
    };
    assert_eq!(
        llm(with(phase)),
        "`condition` `Contains(x`: expected `)`, found the end at byte 10"
    );
    let parallel = build_error(|cx| parallel_llm_guard::build(&ParallelLlmGuard::default(), cx));
    assert_eq!(parallel, "`guards` must have 1 to 16 guards");
}
