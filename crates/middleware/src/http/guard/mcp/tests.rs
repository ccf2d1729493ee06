//! What agents and servers of tools say to each other, in front of a server that says anything.

use crate::http::kit::{Act, Asked, Bench, Outcome, Script};
use crate::http::testing::request;
use crate::http::{content_guard, mcp};
use trilithon_flow::{Body, Chain, Known, Request, Response};
use trilithon_model::dynamic::http::*;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const DONE: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#;
const REFUSED: &str =
    r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"the content was refused by a guard"}}"#;

/// Hides `SECRET-1`, refuses `POISON`, in both directions.
fn config() -> ContentGuard {
    let rule = |entity: &str, mask: Option<ContentMask>| ContentRule {
        entities: vec![entity.into()],
        block: mask.is_none(),
        mask,
        ..ContentRule::default()
    };
    let phase = || {
        Some(ContentPhase {
            rules: vec![
                rule("POISON", None),
                rule("SECRET-[0-9]+|4111[0-9]+", Some(ContentMask::default())),
            ],
            on_deny_response: None,
        })
    };
    ContentGuard {
        engine: Some(ContentEngine {
            regex: Some(RegexEngine::default()),
            ..ContentEngine::default()
        }),
        mcp: Some(GuardMcp::default()),
        request: phase(),
        response: phase(),
        ..ContentGuard::default()
    }
}

fn post(body: &str) -> Request {
    let mut req = request("POST", "/mcp", &[("Content-Type", JSON)]);
    req.body = Body::from(body.to_owned());
    req
}

fn server(status: u16, kind: &'static str, answer: &str) -> Bench {
    let answer = answer.to_owned();
    Bench::new(move |_: &Asked| {
        let mut res = Response::bare(status, answer.clone());
        res.headers.set_known(Known::ContentType, kind);
        res
    })
}

fn around(bench: &mut Bench, config: &ContentGuard) -> Chain {
    bench.around(|cx| content_guard::build(config, cx))
}

/// What the server saw, and what the client did.
fn run(config: &ContentGuard, asked: &str, kind: &'static str, answer: &str) -> (String, Outcome) {
    let mut bench = server(200, kind, answer);
    let chain = around(&mut bench, config);
    let outcome = bench.send(&chain, post(asked));
    let seen = if bench.asked() > 0 {
        bench.last().body
    } else {
        String::new()
    };
    (seen, outcome)
}

fn hidden(text: &str) -> String {
    text.replace(": 4111222233334444", ": \"****************\"")
        .replace("SECRET-1", "********")
}

/// Every message of a client, with the secret in it.
#[test]
fn what_clients_send_is_judged() {
    let check = |message: &str| {
        let asked = format!(r#"{{"jsonrpc":"2.0","id":7,{message}}}"#);
        let (seen, outcome) = run(&config(), &asked, JSON, DONE);
        assert_eq!((seen, outcome.status), (hidden(&asked), 200), "{asked}");
        let call = outcome.record.mcp_call.expect("told");
        let judged = &call.coverage[0];
        assert_eq!(
            (judged.verdict.as_str(), judged.phase.as_str()),
            ("mask", "request")
        );
        let (seen, outcome) = run(&config(), &asked.replace("SECRET-1", "POISON"), JSON, DONE);
        assert_eq!(
            (seen.as_str(), outcome.status, &*outcome.text()),
            ("", 403, REFUSED),
            "{asked}"
        );
        let call = outcome.record.mcp_call.expect("told");
        assert_eq!(call.denied_by.as_deref(), Some("m@file"));
    };
    check(r#""method":"tools/call","params":{"name":"t","arguments":{"a":["SECR\u0045T-1 SECRET-1", {"b": 4111222233334444}]}}"#
        .replace(r"SECR\u0045T-1 ", "").as_str());
    check(r#""method":"tools/call","params":{"name":"t","arguments":{"SECRET-1":1}}"#);
    check(r#""method":"prompts/get","params":{"name":"p","arguments":{"a":"SECRET-1"}}"#);
    check(r#""method":"resources/read","params":{"uri":"file:///SECRET-1"}"#);
    check(r#""result":{"action":"accept","content":{"password":"SECRET-1"}}"#);
    check(r#""result":{"role":"assistant","content":{"type":"text","text":"SECRET-1"},"model":"m"}"#);
    check(
        r#""method":"tools/call","params":{"name":"t","inputResponses":{"q":{"action":"accept","content":{"p":"SECRET-1"}}},"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}"#,
    );
}

/// Every message of a server, whole and as an event of a stream.
#[test]
fn what_servers_say_is_judged_whole_and_in_streams() {
    let check = |message: &str| {
        let said = format!(r#"{{"jsonrpc":"2.0","id":7,{message}}}"#);
        let (_, outcome) = run(&config(), CALL, JSON, &said);
        assert_eq!((outcome.status, outcome.text()), (200, hidden(&said)), "{said}");
        let call = outcome.record.mcp_call.expect("told");
        assert!(
            call.coverage
                .iter()
                .any(|c| c.verdict.as_str() == "mask" && c.judged >= 8)
        );
        let stream = |said: &str| {
            format!(": hi\n\nid: 1\ndata: \n\nevent: message\nid: 2\ndata: {said}\n\ndata: {DONE}\n\n")
        };
        let (_, outcome) = run(&config(), CALL, EVENTS, &stream(&said));
        assert_eq!(outcome.text(), stream(&hidden(&said)));
        let poisoned = said.replace("SECRET-1", "POISON");
        let (_, outcome) = run(&config(), CALL, JSON, &poisoned);
        assert_eq!((outcome.status, &*outcome.text()), (403, REFUSED), "{said}");
        let (_, outcome) = run(&config(), CALL, EVENTS, &stream(&poisoned));
        assert_eq!(outcome.text(), stream(REFUSED), "what follows goes on");
    };
    check(r#""result":{"content":[{"type":"text","text":"SECRET-1"}]}"#);
    check(r#""result":{"content":[],"structuredContent":{"a":[{"b": 4111222233334444,"c":"SECRET-1"}]}}"#);
    check(r#""result":{"content":[{"type":"resource","resource":{"uri":"u","text":"SECRET-1"}}]}"#);
    check(r#""result":{"contents":[{"uri":"u","text":"SECRET-1"}]}"#);
    check(r#""result":{"messages":[{"role":"user","content":{"type":"text","text":"SECRET-1"}}]}"#);
    check(r#""error":{"code":-32000,"message":"SECRET-1","data":["x"]}"#);
    check(r#""result":{"tools":[{"name":"t","description":"SECRET-1"}]}"#);
    check(r#""result":{"tools":[{"name":"t","inputSchema":{"properties":{"a":{"default":"SECRET-1"}}}}]}"#);
    check(r#""result":{"prompts":[{"name":"t","arguments":[{"name":"a","description":"SECRET-1"}]}]}"#);
    check(r#""result":{"resources":[{"name":"SECRET-1"}]}"#);
    check(r#""result":{"serverInfo":{"name":"s"},"instructions":"SECRET-1"}"#);
    check(
        r#""result":{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"SECRET-1"}}}}"#,
    );
}

/// What nobody answers is left out; a question of the server ends the call, for only the client could answer it.
#[test]
fn what_is_no_answer_is_left_out_or_ends_the_call() {
    let told =
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"POISON"}}"#;
    let asks =
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"systemPrompt":"POISON"}}"#;
    let stream = format!("data: {told}\n\ndata: {DONE}\n\n");
    let (_, outcome) = run(&config(), CALL, EVENTS, &stream);
    assert_eq!(outcome.text(), format!("data: {DONE}\n\n"));
    let stream = format!("id: 1\ndata: {asks}\n\ndata: {DONE}\n\n");
    let (_, outcome) = run(&config(), CALL, EVENTS, &stream);
    assert_eq!(outcome.text(), format!("id: 1\ndata: {REFUSED}\n\n"));
    // Whoever listens without having asked is not told.
    let mut bench = server(200, EVENTS, &stream);
    let chain = around(&mut bench, &config());
    let outcome = bench.send(&chain, request("GET", "/mcp", &[]));
    assert_eq!(outcome.text(), format!("data: {DONE}\n\n"));
}

/// An event is judged whole, however it comes.
#[test]
fn events_are_judged_over_every_split() {
    let said = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"a SECRET-1"}]}}"#;
    let stream = format!("data: {said}\n\nevent: endpoint\ndata: /SECRET-1\n\n");
    let want = format!("data: {}\n\nevent: endpoint\ndata: /SECRET-1\n\n", hidden(said));
    for at in 0..=stream.len() {
        let (a, b) = stream.split_at(at);
        let pieces = [a, b].map(|piece| &*piece.to_owned().leak());
        let mut bench = Bench::raw(move |_| {
            let acts = pieces.into_iter().filter(|p| !p.is_empty());
            let acts = acts.flat_map(|piece| [Act::Data(piece.as_bytes()), Act::Pause]);
            let mut res = Response {
                body: Script::new(acts).body(),
                ..Response::new(200)
            };
            res.headers.set_known(Known::ContentType, EVENTS);
            res
        });
        let chain = around(&mut bench, &config());
        assert_eq!(bench.send(&chain, post(CALL)).text(), want, "cut at {at}");
    }
}

#[test]
fn refusals_are_of_the_callers_era_or_results() {
    let check = |before: Option<Mcp>, body: &str, status: Option<i64>, want: (u16, &str)| {
        let mut config = config();
        config.mcp = before.is_none().then(GuardMcp::default);
        let deny = OnDenyResponse {
            status_code: status,
            message: "no".into(),
            ..OnDenyResponse::default()
        };
        config.request.as_mut().unwrap().on_deny_response = Some(deny);
        let mut bench = server(200, JSON, DONE);
        let mut steps = Vec::new();
        if let Some(before) = before {
            steps.push(bench.build(|cx| mcp::build(&before, cx)).unwrap());
        }
        steps.push(bench.build(|cx| content_guard::build(&config, cx)).unwrap());
        let chain = bench.chain(steps);
        let outcome = bench.send(&chain, post(body));
        assert_eq!((outcome.status, &*outcome.text()), want, "{body}");
        assert_eq!(bench.asked(), 0);
    };
    let call = CALL.replace("\"t\"", r#""t","arguments":{"a":"POISON"}"#);
    let modern = call.replace(
        "\"arguments\"",
        r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"arguments""#,
    );
    let prompt = call.replace("tools/call", "prompts/get");
    let error = |code: i64| format!(r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":{code},"message":"no"}}}}"#);
    let result =
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"no"}],"isError":true}}"#;
    check(None, &call, None, (403, &error(-32003)));
    check(None, &modern, Some(451), (451, &error(403)));
    check(None, &call, Some(200), (200, result));
    check(None, &prompt, Some(200), (200, &error(-32003)));
    let graceful = Mcp {
        graceful_errors: true,
        ..Mcp::default()
    };
    check(Some(graceful), &call, None, (200, result));
    check(Some(Mcp::default()), &call, None, (403, &error(-32003)));
}

/// Guards that let nothing pass unjudged refuse what they cannot read; others let it pass, and say so.
#[test]
fn what_cannot_be_judged() {
    let unjudged =
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"the content could not be judged"}}"#;
    let open = || ContentGuard {
        on_error: OnError::Allow,
        ..config()
    };
    let check = |asked: &str, kind: &'static str, said: &str, closed: (u16, &str)| {
        let (_, outcome) = run(&config(), asked, kind, said);
        assert_eq!(outcome.status, closed.0, "{said}");
        assert_eq!(outcome.text(), closed.1, "{said}");
        let (seen, outcome) = run(&open(), asked, kind, said);
        assert_eq!((&*seen, outcome.status, &*outcome.text()), (asked, 200, said));
        let call = outcome.record.mcp_call.expect("told");
        assert!(
            call.coverage.iter().any(|c| c.verdict.as_str() == "error"),
            "{call:?}"
        );
    };
    check(CALL, "text/html", "<p>", (500, unjudged));
    check(
        CALL,
        EVENTS,
        "data: {\n\n",
        (200, &format!("data: {unjudged}\n\n")),
    );
    let twice = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":{"a":1,"a":"POISON"}}}"#;
    let not_alike = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"not the same to all readers: a name is there twice at byte 87"}}"#;
    check(twice, JSON, DONE, (400, not_alike));
    let not_json =
        r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"no JSON: it ends too early at byte 1"}}"#;
    check("{", JSON, DONE, (400, not_json));
}

/// Of an answer in chunks it is not known before its end that it says nothing.
#[test]
fn what_says_nothing_passes() {
    let mut bench = Bench::new(|_: &Asked| {
        let mut res = Response::new(202);
        res.body = Script::new([Act::Pause, Act::End]).body();
        res
    });
    let chain = around(&mut bench, &config());
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let outcome = bench.send(&chain, post(told));
    assert_eq!((outcome.status, &*outcome.text()), (202, ""));
}

/// An HTTP error may be text; its status stays.
#[test]
fn errors_of_http_are_judged_too() {
    let check = |kind: &'static str, said: &str, want: (u16, &str)| {
        let mut bench = server(404, kind, said);
        let chain = around(&mut bench, &config());
        let outcome = bench.send(&chain, post(CALL));
        assert_eq!((outcome.status, &*outcome.text()), want, "{said}");
    };
    check("text/plain", "no session\n", (404, "no session\n"));
    check("text/plain", "no \"SECRET-1\"\n", (404, "no \"********\"\n"));
    check("text/plain", "POISON", (403, REFUSED));
    check(
        JSON,
        r#"{"error":{"message":"SECRET-1"}}"#,
        (404, r#"{"error":{"message":"********"}}"#),
    );
}

/// In shadow not a byte changes; the record tells what would have.
#[test]
fn shadow_changes_nothing() {
    let config = ContentGuard {
        mode: trilithon_model::rollout::Mode::Shadow,
        ..config()
    };
    let asked = CALL.replace("\"t\"", r#""t","arguments":{"a":"POISON"}"#);
    let said = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"SECRET-1"}]}}"#;
    for (kind, said) in [(JSON, said.to_owned()), (EVENTS, format!("data: {said}\n\n"))] {
        let (seen, outcome) = run(&config, &asked, kind, &said);
        assert_eq!((seen, outcome.status, outcome.text()), (asked.clone(), 200, said));
        let call = outcome.record.mcp_call.expect("told");
        let verdicts: Vec<&str> = call.coverage.iter().map(|c| c.verdict.as_str()).collect();
        assert_eq!(verdicts, ["block", "mask"]);
    }
}

#[test]
fn only_the_parts_that_are_written_are_judged() {
    let config = ContentGuard {
        mcp: Some(GuardMcp {
            parts: vec![McpPart::Descriptions],
        }),
        ..config()
    };
    let asked = CALL.replace("\"t\"", r#""t","arguments":{"a":"POISON"}"#);
    let (seen, outcome) = run(&config, &asked, JSON, DONE);
    assert_eq!((&*seen, outcome.status), (&*asked, 200));
    let list = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"POISON"}]}}"#;
    assert_eq!(run(&config, CALL, JSON, list).1.status, 403);
}

/// Rules with queries say themselves where the text is, as in Traefik Hub.
#[test]
fn queries_are_asked_in_place_of_parts() {
    let mut config = config();
    for rule in &mut config.request.as_mut().unwrap().rules {
        rule.json_queries = vec![".params.arguments.a".into()];
    }
    let asked = CALL.replace("\"t\"", r#""t","arguments":{"a":"SECRET-1","b":"SECRET-2"}"#);
    let (seen, _) = run(&config, &asked, JSON, DONE);
    assert_eq!(seen, hidden(&asked));
}

/// Headers that repeat arguments do not tell what is hidden in them; those of other arguments stay.
#[test]
fn headers_say_what_is_left_of_what_they_repeat() {
    let mut bench = server(200, JSON, DONE);
    let chain = around(&mut bench, &config());
    let mut req = post(&CALL.replace("\"t\"", r#""t","arguments":{"a":"of SECRET-1","b":"eu"}"#));
    req.headers.set("Mcp-Param-A", "of SECRET-1");
    req.headers.set("Mcp-Param-B", "eu");
    bench.send(&chain, req);
    let seen = bench.last();
    assert_eq!(seen.header("Mcp-Param-A"), Some("of ********"));
    assert_eq!(seen.header("Mcp-Param-B"), Some("eu"));
    let mut req =
        post(r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///SECRET-1"}}"#);
    req.headers.set("Mcp-Name", "file:///SECRET-1");
    bench.send(&chain, req);
    assert_eq!(bench.last().header("Mcp-Name"), Some("file:///********"));
}
