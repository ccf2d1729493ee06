//! Clients that leave and come back: what was told meanwhile is told again, and a call goes on without its client.

use super::stream::{Session, write_all};
use crate::world::gateway;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use trilithon_testkit::{Gateway, PATIENCE, Seen, Upstream};

const ROUTING: &str = "\
http:
  routers: {all: {rule: 'Host(`all.test`)', service: all}}
  services:
    all: {mcpServers: {replay: {maxAge: @AGE@, maxStreamBytes: 600}, servers: [{name: a, service: a}, {name: b, service: b}]}}
    a: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@a@'}]}}
    b: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b@'}]}}
";

/// A server of tools without ids in its streams: it writes what it is handed, until it is told to end.
struct Teller {
    answer: Sender<Option<String>>,
    listened: Sender<Option<String>>,
    /// A stream ended because the gateway left it.
    left: Receiver<()>,
}

impl Teller {
    fn new() -> (Teller, Upstream) {
        let (answer, answered) = channel();
        let (listened, listening) = channel();
        let (leave, left) = channel();
        let shared = Arc::new((Mutex::new(answered), Mutex::new(listening), Mutex::new(leave)));
        let upstream = Upstream::writing(move |seen, out| {
            let (answered, listening, leave) = &*shared;
            let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
            let told = match (seen.method.as_str(), message["method"].as_str()) {
                ("GET", _) => listening,
                (_, Some("tools/call")) => answered,
                _ => return greet(seen, &message, out),
            };
            out.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
            )?;
            let told = told.lock().expect("a stream at a time");
            let written = write_all(&told, out);
            if written.is_err() {
                let _ = leave.lock().expect("a stream at a time").send(());
            }
            written
        });
        let teller = Teller {
            answer,
            listened,
            left,
        };
        (teller, upstream)
    }

    fn tell(&self, message: &Value) {
        self.answer.send(Some(message.to_string())).expect("a stream");
    }

    fn tell_listener(&self, message: &Value) {
        self.listened.send(Some(message.to_string())).expect("a stream");
    }
}

fn greet(seen: &Seen, message: &Value, out: &mut dyn Write) -> io::Result<()> {
    let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "a", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    let body = if seen.method == "POST" && !message["id"].is_null() {
        body
    } else {
        String::new()
    };
    let status = if body.is_empty() { 202 } else { 200 };
    write!(
        out,
        "HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn start(age: &str) -> (Teller, Gateway) {
    let (teller, a) = Teller::new();
    let b = Upstream::writing(|seen, out| match seen.method.as_str() {
        "GET" => out.write_all(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        _ => greet(seen, &serde_json::from_slice(&seen.body).unwrap_or_default(), out),
    });
    let gateway = gateway()
        .routing(&ROUTING.replace("@AGE@", age))
        .upstream("a", a)
        .upstream("b", b)
        .start();
    (teller, gateway)
}

fn progress(n: u32) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": n}})
}

fn done(text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 5, "result": {"content": [{"type": "text", "text": text}]}})
}

#[test]
fn a_call_goes_on_while_its_client_is_away() {
    let (a, gateway) = start("60s");
    let session = Session::open(&gateway);
    let mut call = session.call();
    assert_eq!(call.next(), Value::Null, "it is told where it can come back");
    let primed = call.last.clone();
    a.tell(&progress(1));
    assert_eq!(call.next(), progress(1));
    let last = call.cut();
    a.tell(&progress(2));

    let mut back = session.back(&last);
    assert_eq!(back.next(), progress(2), "what came meanwhile");
    a.tell(&progress(3));
    assert_eq!(back.next(), progress(3), "and what comes now");
    let last = back.cut();
    a.tell(&done("whole"));
    a.answer.send(None).expect("a stream");
    let mut back = session.back(&last);
    assert_eq!(back.next(), done("whole"));
    back.ends();
    // Who lost more is told more, and another session nothing.
    let mut back = session.back(&primed);
    let all = [back.next(), back.next(), back.next(), back.next()];
    assert_eq!(all, [progress(1), progress(2), progress(3), done("whole")]);
    back.ends();
    let mut other = Session::open(&gateway).back(&primed);
    assert_eq!(other.next()["error"]["code"], -32603);
    other.ends();
}

#[test]
fn what_is_beyond_the_bounds_is_told_to_be_lost() {
    let (a, gateway) = start("60s");
    let session = Session::open(&gateway);
    let mut call = session.call();
    call.next();
    let primed = call.last.clone();
    // All that is kept is the end of it.
    for n in 1..10 {
        a.tell(&progress(n));
        assert_eq!(call.next(), progress(n));
    }
    call.cut();
    let mut back = session.back(&primed);
    assert!(back.next()["params"]["progress"].as_u64().expect("progress") > 1);
    while back.next() != progress(9) {}
    let last = back.cut();
    a.tell(&done(&"x".repeat(600)));
    a.answer.send(None).expect("a stream");
    let mut back = session.back(&last);
    let lost = back.next();
    assert_eq!((&lost["id"], &lost["error"]["code"]), (&json!(5), &json!(-32603)));
    back.ends();
}

#[test]
fn a_client_that_stays_away_gives_its_call_up() {
    let (a, gateway) = start("1s");
    let session = Session::open(&gateway);
    let mut call = session.call();
    call.next();
    let last = call.cut();
    a.left.recv_timeout(PATIENCE).expect("the server is left");
    let mut back = session.back(&last);
    assert_eq!(back.next()["error"]["code"], -32603);
    back.ends();
}

#[test]
fn what_a_server_says_by_itself_waits_for_its_client() {
    let (a, gateway) = start("60s");
    let session = Session::open(&gateway);
    let mut listener = session.stream("GET", "", "");
    assert_eq!(listener.next(), Value::Null);
    a.tell_listener(&progress(1));
    assert_eq!(listener.next(), progress(1));
    let last = listener.cut();
    a.tell_listener(&progress(2));
    a.tell_listener(&progress(3));
    let mut back = session.back(&last);
    assert_eq!([back.next(), back.next()], [progress(2), progress(3)]);
    a.tell_listener(&progress(4));
    assert_eq!(back.next(), progress(4));
    back.cut();

    // Whoever listens anew does not wait for what was before.
    let mut anew = session.stream("GET", "", "");
    a.left.recv_timeout(PATIENCE).expect("the first stream is left");
    assert_eq!(anew.next(), Value::Null);
    a.tell_listener(&progress(5));
    assert_eq!(anew.next(), progress(5));
}
