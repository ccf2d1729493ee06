//! Clients of the first era before a server of the second: they cancel, subscribe and listen in their own way.

use super::client::Client;
use super::stream::{Session, write_all};
use crate::world::gateway;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use trilithon_testkit::{Gateway, PATIENCE, Upstream, eventually};

const ROUTING: &str = "\
http:
  routers: {all: {rule: 'Host(`all.test`)', service: all}}
  services:
    all: {mcpServers: {servers: [{name: a, service: a, prefix: a}]}}
    a: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@a@'}]}}
";

/// A server of the second era: calls are not answered before they are left, and who subscribes hears what it is handed.
struct Modern {
    tell: Sender<Option<String>>,
    /// What was subscribed to.
    subscribed: Receiver<Value>,
    /// A call was left.
    left: Receiver<()>,
}

impl Modern {
    fn new() -> (Modern, Upstream) {
        let (tell, told) = channel();
        let (subscribe, subscribed) = channel();
        let (leave, left) = channel();
        let shared = Arc::new((Mutex::new(told), Mutex::new(subscribe), Mutex::new(leave)));
        let upstream = Upstream::writing(move |seen, out| {
            let (told, subscribe, leave) = &*shared;
            let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
            let mut stream = |first: &str| {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                write!(out, "{head}{first}")?;
                out.flush()
            };
            match message["method"].as_str().unwrap_or_default() {
                "subscriptions/listen" => {
                    let wanted = &message["params"]["notifications"];
                    let acknowledged = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {"notifications": wanted}});
                    stream(&format!("data: {acknowledged}\n\n"))?;
                    let uris = wanted["resourceSubscriptions"].clone();
                    // The one before may still write: what it is handed would be lost.
                    let told = told.lock().expect("no panic");
                    let _ = subscribe.lock().expect("no panic").send(uris);
                    write_all(&told, out)
                }
                "tools/call" => {
                    stream("")?;
                    let (_silent, silence) = channel();
                    let written = write_all(&silence, out);
                    let _ = leave.lock().expect("no panic").send(());
                    written
                }
                method => reply(method, &message["id"], out),
            }
        });
        let modern = Modern {
            tell,
            subscribed,
            left,
        };
        (modern, upstream)
    }

    fn tell(&self, message: &Value) {
        self.tell.send(Some(message.to_string())).expect("a stream");
    }

    fn subscribed(&self) -> Value {
        self.subscribed.recv_timeout(PATIENCE).expect("a subscription")
    }
}

fn reply(method: &str, id: &Value, out: &mut dyn Write) -> io::Result<()> {
    let (status, body) = match method {
        "server/discover" => {
            let capabilities = json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}});
            let result = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities, "ttlMs": 0, "cacheScope": "public"});
            (200, json!({"jsonrpc": "2.0", "id": id, "result": result}))
        }
        _ => (
            400,
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "no"}}),
        ),
    };
    let body = body.to_string();
    write!(
        out,
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn start() -> (Modern, Gateway) {
    let (modern, a) = Modern::new();
    (modern, gateway().routing(ROUTING).upstream("a", a).start())
}

#[test]
fn a_message_cancels_a_call() {
    let (modern, gateway) = start();
    let session = Session::open(&gateway);
    let mut call = session.call();
    assert_eq!(call.next(), Value::Null, "it is under way");
    let mut beside = Client::new(&gateway, "all.test", &[&session.line]);
    let cancel = |id: u32| {
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
            .to_string()
    };
    assert_eq!(beside.send("POST", &cancel(4)).status, 202);
    assert!(modern.left.try_recv().is_err(), "another call was meant");
    assert_eq!(beside.send("POST", &cancel(5)).status, 202);
    modern.left.recv_timeout(PATIENCE).expect("the call is left");
    call.ends();
}

#[test]
fn who_subscribes_by_messages_hears_of_changes() {
    let (modern, gateway) = start();
    let mut client = Client::new(&gateway, "all.test", &[]);
    let hello = client.open("ann")["result"].clone();
    let want = json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}});
    assert_eq!(hello["capabilities"], want);
    let session = Session {
        gateway: &gateway,
        line: client.lines[0].clone(),
    };
    let mut listener = session.stream("GET", "", "");
    assert_eq!(modern.subscribed(), json!([]));
    assert_eq!(listener.next(), Value::Null, "nothing of the subscription itself");
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    modern.tell(&changed);
    assert_eq!(listener.next(), changed);

    let mut ask = |method: &str, uri: &str| {
        let answer = client.ask(method, &json!({"uri": uri}));
        assert_eq!(answer["result"], json!({}), "{answer}");
    };
    let updated = |uri: &str| json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
    ask("resources/subscribe", "a+note:1");
    assert_eq!(modern.subscribed(), json!(["note:1"]));
    modern.tell(&updated("note:1"));
    assert_eq!(listener.next(), updated("a+note:1"));
    // The server ends it; the client does not notice.
    modern.tell.send(None).expect("a stream");
    assert_eq!(modern.subscribed(), json!(["note:1"]));
    modern.tell(&updated("note:1"));
    assert_eq!(listener.next(), updated("a+note:1"));
    ask("resources/subscribe", "a+note:2");
    assert_eq!(modern.subscribed(), json!(["note:1", "note:2"]));
    ask("resources/unsubscribe", "a+note:1");
    assert_eq!(modern.subscribed(), json!(["note:2"]));

    // What it did not tell while it was down may be that its lists are others.
    gateway.upstream("a").down();
    eventually("it is tried", || {
        gateway.log().contains("a server of tools cannot be listened to")
    });
    gateway.upstream("a").back();
    assert_eq!(modern.subscribed(), json!(["note:2"]));
    assert_eq!(listener.next(), changed);
}
