//! Clients that leave and come back: what was told meanwhile is told again, and a call goes on without its client.

use super::client::Client;
use crate::world::gateway;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use trilithon_testkit::{Gateway, PATIENCE, RawClient, Seen, Upstream};

const ROUTING: &str = "\
http:
  routers: {all: {rule: 'Host(`all.test`)', service: all}}
  services:
    all: {mcpServers: {replay: {maxAge: @AGE@, maxStreamBytes: 400}, servers: [{name: a, service: a}, {name: b, service: b}]}}
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
                drop(leave.lock().expect("a stream at a time").send(()));
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

/// Writes each message as an event, and comments between, by which it notices that nobody reads.
fn write_all(told: &Receiver<Option<String>>, out: &mut dyn Write) -> io::Result<()> {
    loop {
        match told.recv_timeout(std::time::Duration::from_millis(20)) {
            Ok(Some(message)) => write!(out, "data: {message}\n\n")?,
            Ok(None) => return Ok(()),
            Err(_) => out.write_all(b":\n\n")?,
        }
        out.flush()?;
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

/// A session; each stream of it has a connection of its own.
struct Session<'g> {
    gateway: &'g Gateway,
    line: String,
}

impl Session<'_> {
    fn open(gateway: &Gateway) -> Session<'_> {
        let mut client = Client::new(gateway, "all.test", &[]);
        client.open("ann");
        let line = client.lines.remove(0);
        Session { gateway, line }
    }

    fn stream(&self, method: &str, lines: &str, body: &str) -> Stream {
        let mut http = self.gateway.client("web");
        http.send(format!(
            "{method} /mcp HTTP/1.1\r\nHost: all.test\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2025-11-25\r\n{}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            self.line,
            body.len()
        ));
        let head = String::from_utf8(http.read_until(b"\r\n\r\n")).expect("a head");
        assert!(head.contains(" 200 "), "{head}");
        Stream {
            http,
            last: String::new(),
        }
    }

    fn call(&self) -> Stream {
        self.stream(
            "POST",
            "",
            r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a_x"}}"#,
        )
    }

    fn back(&self, last: &str) -> Stream {
        self.stream("GET", &format!("Last-Event-ID: {last}\r\n"), "")
    }
}

struct Stream {
    http: RawClient,
    /// Where it is.
    last: String,
}

impl Stream {
    /// The next event's message; null for one without.
    fn next(&mut self) -> Value {
        loop {
            let event = String::from_utf8(self.http.read_until(b"\n\n")).expect("an event");
            let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
            if let Some(id) = field("id: ") {
                id.clone_into(&mut self.last);
            }
            if let Some(data) = field("data: ") {
                return serde_json::from_str(data).unwrap_or_default();
            }
        }
    }

    /// The client goes, as if its network did; -> where it was.
    fn cut(self) -> String {
        self.http.reset();
        self.last
    }

    /// Nothing more comes.
    fn ends(mut self) {
        let rest = String::from_utf8(self.http.read_until(b"0\r\n\r\n")).expect("an end");
        assert!(!rest.contains("data:"), "{rest}");
    }
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
    a.tell(&done(&"x".repeat(400)));
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
