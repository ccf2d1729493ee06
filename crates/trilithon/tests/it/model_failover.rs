//! `models` services: what one vendor of models fails in, another one answers, with its own token and model, and never after
//! the client got a byte. The faults are told as a table.

use std::time::Duration;
use trilithon_testkit::{Act, Answer, Gateway, Seen, Upstream};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
";

/// Vendor `a` first, then `b`, each with a format, a token and a model of its own. `url` is `a`'s.
fn routing(url: &str) -> String {
    format!(
        "\
http:
  routers: {{chat: {{rule: 'PathPrefix(`/v1`)', service: chat}}}}
  services:
    chat:
      models:
        targets: [{{service: a, priority: 1}}, {{service: b}}]
        failover: {{firstByteTimeout: 300ms}}
    a: {{middlewares: [as-a], loadBalancer: {{servers: [{{url: '{url}'}}]}}}}
    b: {{middlewares: [as-b], loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b@'}}]}}}}
  middlewares:
    as-a: {{chat-completion: {{token: key-a, model: model-a, keepAlive: 50ms}}}}
    as-b: {{chat-completion: {{token: key-b, model: model-b}}}}
"
    )
}

const WELL: &str = r#"{"id":"1","object":"chat.completion","model":"model-b","choices":[{"index":0,"message":{"role":"assistant","content":"from b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
const CALL: &str = r#"{"model":"any","messages":[{"role":"user","content":"hello"}]}"#;

fn gateway(url: &str, a: Upstream) -> Gateway {
    let well = |_: &Seen| Answer::new(200, WELL).header("Content-Type", "application/json");
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(&routing(url))
        .upstream("a", a)
        .upstream("b", Upstream::answering(well))
        .start()
}

fn ask(gateway: &Gateway) -> (u16, String) {
    let res = gateway.post("a.test", "/v1/chat/completions", CALL);
    (res.status, String::from_utf8_lossy(&res.body).into_owned())
}

fn status(code: u16) -> Upstream {
    Upstream::answering(move |_| Answer::new(code, r#"{"error":{"message":"no"}}"#))
}

fn stream(begins: &str, then: Act) -> Upstream {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    Upstream::script([Act::Request, Act::Send(format!("{head}{begins}").into()), then])
}

/// Takes no stream of the connection (RFC 9113 §6.8).
fn going_away() -> Upstream {
    let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let goaway: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // The preface reads like a request without a body.
    Upstream::script([Act::Request, Act::Send([settings, goaway].concat()), Act::Drain])
}

#[test]
fn another_vendor_answers_what_one_fails_in() {
    let plain = "http://127.0.0.1:@a@";
    let well = || status(200);
    let faults: Vec<(&str, &str, Upstream)> = vec![
        ("rate limited (429)", plain, status(429)),
        ("server error (500)", plain, status(500)),
        ("bad gateway (502)", plain, status(502)),
        ("unavailable (503)", plain, status(503)),
        ("gateway time-out (504)", plain, status(504)),
        ("overloaded (529)", plain, status(529)),
        ("name not found", "http://no-such-host.invalid:1", well()),
        ("TLS failure", "https://127.0.0.1:@a@", well()),
        ("slow head", plain, Upstream::silent()),
        (
            "slow headers",
            plain,
            Upstream::script([
                Act::Request,
                Act::Send(b"HTTP/1.1 200 OK\r\nX-A: ".to_vec()),
                Act::Drain,
            ]),
        ),
        ("HTTP/2 GOAWAY", "h2c://127.0.0.1:@a@", going_away()),
        ("slow first byte", plain, stream("", Act::Drain)),
        (
            "closed before an answer",
            plain,
            Upstream::script([Act::Request, Act::Close]),
        ),
        (
            "reset before an answer",
            plain,
            Upstream::script([Act::Request, Act::Reset]),
        ),
        ("no HTTP", plain, Upstream::bytes("nonsense\r\n\r\n")),
        ("empty stream", plain, stream("", Act::Close)),
        (
            "stream of an error",
            plain,
            stream("data: {\"error\":{}}\n\n", Act::Close),
        ),
    ];
    let mut failed = Vec::new();
    let count = faults.len();
    for (name, url, a) in faults {
        let gateway = gateway(url, a);
        let answer = ask(&gateway);
        let ok = answer == (200, WELL.to_owned());
        println!("{name:<26} {}", if ok { "answered by b" } else { "FAILED" });
        if !ok {
            failed.push((name, answer));
        }
    }
    println!("{} of {count}", count - failed.len());
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn each_vendor_has_its_own_token_and_model() {
    let gateway = gateway("http://127.0.0.1:@a@", status(500));
    assert_eq!(ask(&gateway).0, 200);
    for name in ["a", "b"] {
        let seen = gateway.upstream(name).seen();
        assert_eq!(seen.len(), 1, "{name}");
        let body = String::from_utf8_lossy(&seen[0].body).into_owned();
        assert_eq!(body, CALL.replace("any", &format!("model-{name}")));
        let head = String::from_utf8_lossy(&seen[0].head).into_owned();
        assert!(
            head.contains(&format!("Authorization: Bearer key-{name}")),
            "{head}"
        );
    }
}

#[test]
fn what_is_the_clients_fault_is_the_clients() {
    let gateway = gateway("http://127.0.0.1:@a@", status(400));
    assert_eq!(ask(&gateway).0, 400);
    assert!(gateway.upstream("b").seen().is_empty());
}

#[test]
fn nobody_else_is_asked_after_the_first_byte() {
    let begun = "data: {\"choices\":[]}\n\n";
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let one = format!("{chunked}{:x}\r\n{begun}\r\n", begun.len());
    let a = Upstream::script([
        Act::Request,
        Act::Send(one.into()),
        Act::Pause(Duration::from_millis(400)),
        Act::Reset,
    ]);
    let gateway = gateway("http://127.0.0.1:@a@", a);
    let mut client = gateway.client("web");
    let length = CALL.len();
    client.send(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n{CALL}"
    ));
    let told = client.response().text();
    assert!(told.contains(begun) && !told.contains("from b"), "{told}");
    assert!(
        told.contains(r#"data: {"error":"#) && !told.contains("[DONE]"),
        "no clean end: {told}"
    );
    assert!(gateway.upstream("b").seen().is_empty());
}

#[test]
fn retry_after_puts_a_vendor_aside() {
    let a = Upstream::answering(|_| Answer::new(429, "no").header("Retry-After", "600"));
    let gateway = gateway("http://127.0.0.1:@a@", a);
    assert_eq!(ask(&gateway).0, 200);
    assert_eq!(ask(&gateway).0, 200);
    assert_eq!(gateway.upstream("a").seen().len(), 1);
}
