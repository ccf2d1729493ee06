//! A server of the first era that asks while it answers, in the stream of the answer and beside it.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trilithon_testkit::{PATIENCE, Seen, Upstream, until};

/// A server of the first era; sessions are named by number, and know what their client can be asked.
#[derive(Clone, Default)]
pub struct Asking {
    sessions: Arc<Mutex<HashMap<String, Value>>>,
    /// What clients answered, by session and number of the question.
    pub answers: Arc<Mutex<HashMap<(String, String), Value>>>,
    cancelled: Arc<Mutex<Vec<Value>>>,
    /// Who listens to what is said beside answers, by session.
    streams: Arc<Mutex<HashMap<String, Sender<String>>>>,
    /// How many have begun to.
    pub listened: Arc<AtomicUsize>,
    /// What was subscribed to and unsubscribed from.
    subscribed: Arc<Mutex<Vec<(String, Value)>>>,
    number: Arc<AtomicUsize>,
    /// How often the tool was called that needs a page to be looked at.
    pub looked: Arc<AtomicUsize>,
}

/// A call that the server answers.
struct Answering<'a> {
    server: &'a Asking,
    session: String,
    /// The number of the call.
    id: &'a Value,
    out: &'a mut dyn Write,
}

impl Asking {
    pub fn upstream(&self) -> Upstream {
        let server = self.clone();
        Upstream::writing(move |seen, out| server.serve(seen, out))
    }

    fn number(&self) -> usize {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    fn serve(&self, seen: &Seen, out: &mut dyn Write) -> io::Result<()> {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let session = seen.headers.get("Mcp-Session-Id").to_owned();
        let (id, params) = (&message["id"], &message["params"]);
        let known = self.sessions.lock().unwrap().contains_key(&session);
        match message["method"].as_str() {
            _ if known && seen.method == "GET" => self.listen(session, out),
            Some("initialize") => {
                let session = format!("session-{}", self.number());
                let mut sessions = self.sessions.lock().unwrap();
                sessions.insert(session.clone(), params["capabilities"].clone());
                let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": true}, "logging": {}, "resources": {"subscribe": true}},
                    "serverInfo": {"name": "asking", "version": "1"}});
                plain(out, &format!("Mcp-Session-Id: {session}\r\n"), id, &result)
            }
            _ if !known => {
                let status = if session.is_empty() { 400 } else { 404 };
                write!(
                    out,
                    "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
            }
            Some("tools/list") => plain(out, "", id, &json!({"tools": [{"name": "greet"}]})),
            Some(method @ ("resources/subscribe" | "resources/unsubscribe")) => {
                let what = (method.to_owned(), params["uri"].clone());
                self.subscribed.lock().unwrap().push(what);
                plain(out, "", id, &json!({}))
            }
            Some("logging/setLevel") => plain(out, "", id, &json!({})),
            Some("tools/call") if params["name"] == "page" => {
                // The page is looked at when the call comes again.
                let looked = self.looked.fetch_add(1, Ordering::Relaxed) > 0;
                let result = json!({"content": [{"type": "text", "text": "paid"}]});
                match looked {
                    true => plain(out, "", id, &result),
                    false => answered(
                        out,
                        "",
                        &json!({"jsonrpc": "2.0", "id": id, "error": needs_page()}),
                    ),
                }
            }
            Some("tools/call") => {
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                )?;
                let server = self;
                Answering {
                    server,
                    session,
                    id,
                    out,
                }
                .answer(params)
            }
            other => {
                match other {
                    None => {
                        let key = (session, id.to_string());
                        self.answers.lock().unwrap().insert(key, message);
                    }
                    Some("notifications/cancelled") => {
                        self.cancelled.lock().unwrap().push(params["requestId"].clone());
                    }
                    Some(_) => {}
                }
                write!(
                    out,
                    "HTTP/1.1 202 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
            }
        }
    }

    /// The stream of a session, while somebody listens.
    fn listen(&self, session: String, out: &mut dyn Write) -> io::Result<()> {
        let (say, said) = channel();
        self.streams.lock().unwrap().insert(session, say);
        self.listened.fetch_add(1, Ordering::Relaxed);
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )?;
        loop {
            match said.recv_timeout(Duration::from_millis(20)) {
                Ok(event) => write!(out, "data: {event}\n\n")?,
                Err(RecvTimeoutError::Timeout) => write!(out, ":\n\n")?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            out.flush()?;
        }
    }

    /// Says this in the streams of all sessions that have one.
    pub fn say(&self, message: &Value) {
        for stream in self.streams.lock().unwrap().values() {
            // Who has left does not hear it.
            drop(stream.send(message.to_string()));
        }
    }

    /// What was subscribed to and unsubscribed from, in order.
    pub fn subscribed(&self) -> Vec<String> {
        let all = self.subscribed.lock().unwrap();
        all.iter()
            .map(|(method, uri)| format!("{method} {uri}"))
            .collect()
    }

    pub fn cancelled(&self) -> usize {
        self.cancelled.lock().unwrap().len()
    }
}

/// That a page has to be looked at first, as revision 2025-11-25 says it.
fn needs_page() -> Value {
    let page = json!({"mode": "url", "elicitationId": "e1", "url": "https://pay.test/1", "message": "Pay"});
    json!({"code": -32042, "message": "a page has to be looked at", "data": {"elicitations": [page]}})
}

fn plain(out: &mut dyn Write, headers: &str, id: &Value, result: &Value) -> io::Result<()> {
    answered(
        out,
        headers,
        &json!({"jsonrpc": "2.0", "id": id, "result": result}),
    )
}

fn answered(out: &mut dyn Write, headers: &str, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

impl Answering<'_> {
    fn answer(&mut self, params: &Value) -> io::Result<()> {
        let said = match params["name"].as_str().unwrap_or_default() {
            "greet" => {
                let name = self.elicit("name")?;
                format!("hello {name}, {}", params["arguments"]["nonce"])
            }
            "twice" => {
                let name = self.elicit("name")?;
                self.tell(
                    "notifications/progress",
                    &json!({"progressToken": "p", "progress": 1}),
                )?;
                let color = self.elicit("color")?;
                format!("{name} likes {color}")
            }
            "both" => {
                let (name, roots) = (self.server.number(), self.server.number());
                let asked = [
                    question(
                        name,
                        "elicitation/create",
                        &json!({"message": "name?", "requestedSchema": {}}),
                    ),
                    question(roots, "roots/list", &json!({})),
                    question(99_999, "ping", &json!({})),
                ];
                let events: String = asked.iter().map(|asked| format!("data: {asked}\n\n")).collect();
                self.out.write_all(events.as_bytes())?;
                self.out.flush()?;
                let (name, roots) = (self.wait(name)?, self.wait(roots)?);
                let ping = self.wait(99_999)?;
                format!(
                    "{} {} {}",
                    name["result"]["content"]["name"], roots["result"]["roots"], ping["result"]
                )
            }
            "sample" => {
                let number = self.server.number();
                self.event(&question(
                    number,
                    "sampling/createMessage",
                    &json!({"messages": []}),
                ))?;
                self.wait(number)?["error"]["code"].to_string()
            }
            "beside" => {
                let number = self.server.number();
                let asked = question(number, "elicitation/create", &json!({"message": "name?"}));
                let stream = self.server.streams.lock().unwrap().get(&self.session).cloned();
                let said = stream.is_some_and(|stream| stream.send(asked.to_string()).is_ok());
                match said {
                    true => self.wait(number)?["result"]["content"]["name"].to_string(),
                    false => "nobody listens".to_owned(),
                }
            }
            "page_later" => {
                return self.event(&json!({"jsonrpc": "2.0", "id": self.id, "error": needs_page()}));
            }
            "can" => self.server.sessions.lock().unwrap()[&self.session].to_string(),
            "talk" => {
                for level in ["debug", "warning"] {
                    self.tell("notifications/message", &json!({"level": level, "data": level}))?;
                }
                self.tell("notifications/tools/list_changed", &json!({}))?;
                "talked".to_owned()
            }
            _ => {
                // It takes its time, and says so until nobody listens.
                let gone = until(PATIENCE, || {
                    self.tell(
                        "notifications/progress",
                        &json!({"progressToken": "p", "progress": 1}),
                    )
                    .err()
                });
                return gone.map_or(Ok(()), Err);
            }
        };
        let result = json!({"content": [{"type": "text", "text": said}]});
        self.event(&json!({"jsonrpc": "2.0", "id": self.id, "result": result}))
    }

    fn elicit(&mut self, what: &str) -> io::Result<String> {
        let number = self.server.number();
        let params = json!({"message": format!("{what}?"), "requestedSchema": {"type": "object"}});
        self.event(&question(number, "elicitation/create", &params))?;
        let answer = self.wait(number)?;
        Ok(answer["result"]["content"][what]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    fn wait(&self, number: usize) -> io::Result<Value> {
        let key = (self.session.clone(), number.to_string());
        let answer = until(PATIENCE, || {
            let cancelled = self.server.cancelled.lock().unwrap().contains(self.id);
            let answer = self.server.answers.lock().unwrap().remove(&key);
            answer.map(Some).or(cancelled.then_some(None))
        });
        answer.flatten().ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    fn tell(&mut self, method: &str, params: &Value) -> io::Result<()> {
        self.event(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    fn event(&mut self, message: &Value) -> io::Result<()> {
        write!(self.out, "event: message\ndata: {message}\n\n")?;
        self.out.flush()
    }
}

fn question(number: usize, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
}
