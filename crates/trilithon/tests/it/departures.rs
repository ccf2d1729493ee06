//! Clients of models that leave: the server notices within a second, wherever the answer was held up, and the call is settled.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use trilithon_testkit::{Answer, Gateway, PATIENCE, Upstream, eventually};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
providers: {file: {filename: '@DIR@/routing.yml'}}
";

const EVENT: &str = "data: {\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bread and butter\"}}]}\n\n";
const BODY: &str =
    r#"{"model":"gpt-4o","stream":true,"max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;

/// A model that begins a stream and goes on thinking: tells when it was asked, and when its client had gone.
fn model() -> (u16, Receiver<()>, Receiver<Instant>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let ((asked, was_asked), (gone, was_gone)) = (channel(), channel());
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let (asked, gone) = (asked.clone(), gone.clone());
            std::thread::spawn(move || {
                if begin(&tcp).is_ok() {
                    let _ = asked.send(());
                    let mut rest = Vec::new();
                    // Nothing more comes: this ends when the connection does.
                    let _ = (&tcp).read_to_end(&mut rest);
                    let _ = gone.send(Instant::now());
                }
            });
        }
    });
    (port, was_asked, was_gone)
}

/// Reads a request with its body, and begins to answer it.
fn begin(tcp: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(tcp);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut out = tcp;
    out.write_all(format!("{head}{:x}\r\n{EVENT}\r\n", EVENT.len()).as_bytes())
}

fn check(what: &str, middlewares: &str, service: &str) {
    let (port, was_asked, was_gone) = model();
    let routing = format!(
        "\
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [{middlewares}]}}}}
  services:
    s: {{{service}}}
    model: {{middlewares: [inner], loadBalancer: {{servers: [{{url: 'http://127.0.0.1:{port}'}}]}}}}
  middlewares:
    own: {{chat-completion: {{}}}}
    inner: {{chat-completion: {{}}}}
    m: {{ai-quota: {{totalTokenLimit: {{limit: 4000, period: 87648h}}, clientRequestFormat: ccr}}}}
    patterns:
      content-guard:
        engine: {{regex: {{}}}}
        clientRequestFormat: ccr
        response: {{rules: [{{entities: ['SECRET'], mask: {{}}}}]}}
    judge:
      llm-guard:
        endpoint: 'http://127.0.0.1:@judge@/v1/chat/completions'
        clientRequestFormat: ccr
        format: {{ccr: {{model: j}}}}
        response: {{blockConditions: [{{condition: 'Contains(\"unsafe\")'}}]}}
"
    );
    let gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(&routing)
        .upstream(
            "judge",
            Upstream::answering(|_| Answer::new(200, "{}").after(PATIENCE)),
        )
        .start();
    let open = |calls: u64| {
        let series = format!("trilithon_token_limit_open_calls{{policy=\"m@file\"}} {calls}");
        gateway.metrics().lines().any(|line| line == series)
    };
    let mut client = gateway.client("web");
    let length = BODY.len();
    client.send(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n{BODY}"
    ));
    was_asked
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("{what}: the model is asked"));
    eventually("the call is open", || open(1));
    let left = Instant::now();
    drop(client);
    let gone = was_gone
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("{what}: the model is not told"));
    assert!(gone - left < Duration::from_secs(1), "{what}: {:?}", gone - left);
    eventually("the call is settled", || open(0));
}

const PLAIN: &str = "weighted: {services: [{name: model}]}";

#[test]
fn the_model_is_told_within_a_second() {
    check("plain", "m, own", PLAIN);
    check("guarded by patterns", "m, patterns, own", PLAIN);
    check("guarded by a silent judge", "m, own, judge", PLAIN);
    check("behind failover", "m", "models: {targets: [{service: model}]}");
    check(
        "behind failover that holds streams",
        "m",
        "models: {targets: [{service: model}], failover: {holdStreams: true}}",
    );
}
