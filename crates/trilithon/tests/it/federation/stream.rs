//! Sessions whose streams are read event by event, and what writes such streams.

use super::client::Client;
use serde_json::Value;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use trilithon_testkit::{Gateway, RawClient};

/// A session; each stream of it has a connection of its own.
pub struct Session<'g> {
    pub gateway: &'g Gateway,
    pub line: String,
}

impl Session<'_> {
    pub fn open(gateway: &Gateway) -> Session<'_> {
        let mut client = Client::new(gateway, "all.test", &[]);
        client.open("ann");
        let line = client.lines.remove(0);
        Session { gateway, line }
    }

    pub fn stream(&self, method: &str, lines: &str, body: &str) -> Stream {
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

    /// Calls tool `x` of server `a`, as message 5.
    pub fn call(&self) -> Stream {
        self.stream(
            "POST",
            "",
            r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a_x"}}"#,
        )
    }

    pub fn back(&self, last: &str) -> Stream {
        self.stream("GET", &format!("Last-Event-ID: {last}\r\n"), "")
    }
}

pub struct Stream {
    pub http: RawClient,
    /// Where it is.
    pub last: String,
}

impl Stream {
    /// The next event's message; null for one without.
    pub fn next(&mut self) -> Value {
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
    pub fn cut(self) -> String {
        self.http.reset();
        self.last
    }

    /// Nothing more comes.
    pub fn ends(mut self) {
        let rest = String::from_utf8(self.http.read_until(b"0\r\n\r\n")).expect("an end");
        assert!(!rest.contains("data:"), "{rest}");
    }
}

/// Writes each message as an event, and comments between, by which it notices that nobody reads.
pub fn write_all(told: &Receiver<Option<String>>, out: &mut dyn Write) -> io::Result<()> {
    loop {
        match told.recv_timeout(Duration::from_millis(20)) {
            Ok(Some(message)) => write!(out, "data: {message}\n\n")?,
            Ok(None) => return Ok(()),
            Err(_) => out.write_all(b":\n\n")?,
        }
        out.flush()?;
    }
}
