//! Places where text could hide: numbers, tokens told twice, codings, answers that were stored.

use super::*;
use std::io::Write;

/// Hides card numbers in both directions.
fn cards(format: ClientRequestFormat) -> Content {
    let rules = || phase(vec![rule(&["CREDIT_CARD"], mask("*", 0, 4))]);
    Content {
        engine: builtin(),
        client_request_format: format,
        request: rules(),
        response: rules(),
        ..Content::default()
    }
}

#[test]
fn numbers_of_tools_are_judged() {
    use ClientRequestFormat::{Ccr, Custom, MessagesApi, ResponsesApi};
    let check = |format, asked: &str, answer: &'static str| {
        let masked = |text: &str| {
            text.replace(": 4111111111111111", ": \"************1111\"")
                .replace(":4111111111111111", ":\"************1111\"")
                .replace("\\\":4111111111111111.0", "\\\":\\\"************1111.0\\\"")
        };
        let (outcome, seen) = run(&cards(format), asked, JSON, answer);
        assert_eq!(seen, masked(asked));
        assert_eq!((outcome.status, outcome.text()), (200, masked(answer)));
        serde_json::from_str::<serde_json::Value>(&seen).expect("JSON");
    };
    check(
        MessagesApi,
        r#"{"max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"pay","input":{"card": 4111111111111111,"n":[1,2.50]}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"odd","at":4111111111111111}]}]}]}"#,
        r#"{"content":[{"type":"tool_use","id":"t","name":"pay","input":{"card":4111111111111111 ,"n":1e3}}]}"#,
    );
    check(
        ResponsesApi,
        r#"{"input":"a","tools":[{"type":"function","name":"pay","default":4111111111111111}]}"#,
        r#"{"output":[{"type":"mcp_call","input":{"card":4111111111111111}}]}"#,
    );
    check(
        Ccr,
        r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"function":{"name":"pay","default":4111111111111111}}]}"#,
        r#"{"choices":[{"message":{"content":"a","x_card":4111111111111111}}]}"#,
    );
    let queried = |phase: &mut Option<ContentPhase>| {
        phase.as_mut().unwrap().rules[0].json_queries = vec![".card".into()];
    };
    let mut config = cards(Custom);
    queried(&mut config.request);
    queried(&mut config.response);
    let (outcome, seen) = run(
        &config,
        r#"{"card":4111111111111111}"#,
        JSON,
        r#"{"card": 4111111111111111}"#,
    );
    assert_eq!(seen, r#"{"card":"************1111"}"#);
    assert_eq!(outcome.text(), r#"{"card": "************1111"}"#);
}

/// JSON within a string stays JSON.
#[test]
fn numbers_in_arguments_become_strings() {
    let answer = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"pay","arguments":"{\"card\":4111111111111111,\n\"cards\":[\"4111111111111111\", 4111111111111111]}"}}]}}]}"#;
    let want = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"pay","arguments":"{\"card\":\"************1111\",\n\"cards\":[\"************1111\", \"************1111\"]}"}}]}}]}"#;
    let (outcome, _) = run(
        &cards(ClientRequestFormat::Ccr),
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
        JSON,
        answer,
    );
    assert_eq!(outcome.text(), want);
}

#[test]
fn tokens_do_not_tell_what_is_hidden() {
    let check = |format, asked: &str, answer: &'static str, want: &str| {
        let (outcome, _) = run(&hiding(format), asked, JSON, answer);
        assert_eq!(outcome.text(), want);
    };
    check(
        ClientRequestFormat::Ccr,
        r#"{"logprobs":true,"messages":[{"role":"user","content":"SECRET-1"}]}"#,
        r#"{"choices":[{"message":{"content":"SECRET-2"},"logprobs":{"content":[{"token":"SECRET"},{"token":"-2"}]}}]}"#,
        r#"{"choices":[{"message":{"content":"********"},"logprobs":null}]}"#,
    );
    check(
        ClientRequestFormat::ResponsesApi,
        r#"{"input":"a"}"#,
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"SECRET-2","logprobs":[{"token":"SECRET"}],"annotations":[{"url":"http://SECRET-3"}]}]}]}"#,
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"********","logprobs":[],"annotations":[{"url":"http://********"}]}]}]}"#,
    );
}

#[test]
fn coded_answers_are_judged_decoded() {
    let check = |coding: &'static str, body: &'static [u8], status: u16, part: &str| {
        let mut bench = Bench::new(move |_| {
            let mut res = Response::bare(200, body);
            res.headers.set_known(Known::ContentType, JSON);
            res.headers.append("Content-Encoding", coding);
            res
        });
        let chain = guarded(&mut bench, &hiding(ClientRequestFormat::Ccr));
        let asked = r#"{"messages":[{"role":"user","content":"a"}]}"#;
        let outcome = bench.send(&chain, post(asked));
        assert_eq!(
            (outcome.status, outcome.header("Content-Encoding")),
            (status, None),
            "{coding}"
        );
        assert!(outcome.text().contains(part), "{coding}: {}", outcome.text());
    };
    let answer = br#"{"choices":[{"message":{"content":"see SECRET-2"}}]}"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(answer).unwrap();
    let gzip: &[u8] = gzip.finish().unwrap().leak();
    check("gzip", gzip, 200, r#""content":"see ********""#);
    check("br", gzip, 500, "");
    check("compress", gzip, 500, UNJUDGED);
}

/// Whoever asks for what a model said before gets it judged as well.
#[test]
fn stored_answers_are_judged() {
    let check = |config: &Content, kind: &'static str, answer: &'static str, want: (u16, &str)| {
        let mut bench = answering(kind, answer);
        let chain = guarded(&mut bench, config);
        let outcome = bench.send(&chain, request("GET", "/v1/responses/r1", &[]));
        assert_eq!((outcome.status, outcome.text().as_str()), want);
    };
    let config = hiding(ClientRequestFormat::ResponsesApi);
    check(
        &config,
        JSON,
        r#"{"object":"list","data":[{"type":"message","content":[{"text":"SECRET-1"}]}]}"#,
        (
            200,
            r#"{"object":"list","data":[{"type":"message","content":[{"text":"********"}]}]}"#,
        ),
    );
    check(
        &config,
        EVENTS,
        "data: {\"type\":\"response.output_text.done\",\"text\":\"SECRET-1\"}\n\n",
        (
            200,
            "data: {\"type\":\"response.output_text.done\",\"text\":\"********\"}\n\n",
        ),
    );
    let closed = failure(Some(Dialect::Responses), 500, UNJUDGED);
    let closed = String::from_utf8(closed.body.bytes().unwrap().to_vec()).unwrap();
    check(&config, "text/plain", "a file with SECRET-1", (500, &closed));
    let asked_only = Content {
        response: None,
        ..config
    };
    let mut bench = answering(JSON, "SECRET-1");
    let chain = guarded(&mut bench, &asked_only);
    let outcome = bench.send(&chain, request("GET", "/v1/responses/r1", &[]));
    assert_eq!(outcome.text(), "SECRET-1");
}

/// A guard would look at one of them, and whoever reads behind it at the other.
#[test]
fn names_that_are_there_twice_are_not_judged() {
    let asked = r#"{"messages":[{"role":"user","content":"a"}]}"#;
    let check = |asked: &str, kind: &'static str, answer: &'static str, want: (u16, &str)| {
        let (outcome, _) = run(&hiding(ClientRequestFormat::Ccr), asked, kind, answer);
        let text = outcome.text();
        assert_eq!(outcome.status, want.0, "{text}");
        assert!(text.contains(want.1) && !text.contains("SECRET"), "{text}");
    };
    check(
        asked,
        JSON,
        r#"{"choices":[{"message":{"content":"a"},"message":{"content":"SECRET-1"}}]}"#,
        (500, UNJUDGED),
    );
    check(
        asked,
        JSON,
        r#"{"choices":[{"message":{"content":"a"},"Message":{"content":"SECRET-1"}}]}"#,
        (500, UNJUDGED),
    );
    check(
        asked,
        EVENTS,
        "data: {\"choices\":[{\"delta\":{},\"delta\":{\"content\":\"SECRET-1\"}}]}\n\n",
        (500, UNJUDGED),
    );
    let (outcome, seen) = run(
        &hiding(ClientRequestFormat::MessagesApi),
        r#"{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"a"},"source":{"type":"text","data":"SECRET-1"}}]}]}"#,
        JSON,
        "{}",
    );
    assert_eq!((outcome.status, seen.as_str()), (400, ""));
    assert!(outcome.text().contains("ambiguous body"), "{}", outcome.text());
}
