//! Answers on their way to the client, with the faults that were wished for.

use super::wish::{At, Break, Wish};
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// One event of a stream.
pub struct Event {
    pub name: Option<&'static str>,
    pub data: String,
}

impl Event {
    fn text(&self, wish: &Wish) -> String {
        let end = if wish.crlf { "\r\n" } else { "\n" };
        let name = self
            .name
            .map(|name| format!("event: {name}{end}"))
            .unwrap_or_default();
        format!("{name}data: {}{end}{end}", self.data)
    }
}

/// A text word by word, with the space behind each.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// A text in pieces of so many characters; eight, if nothing is said.
pub fn pieces(text: &str, size: Option<usize>) -> impl Iterator<Item = String> {
    let all: Vec<char> = text.chars().collect();
    let size = size.unwrap_or(8).max(1);
    let parts: Vec<String> = all.chunks(size).map(|part| part.iter().collect()).collect();
    parts.into_iter()
}

/// The connection, while one request is answered.
pub struct Line<'a> {
    tcp: &'a mut TcpStream,
    is_head: bool,
    status: u16,
    events: usize,
    end: &'static str,
}

impl<'a> Line<'a> {
    pub fn new(tcp: &'a mut TcpStream, is_head: bool) -> Line<'a> {
        Line {
            tcp,
            is_head,
            status: 0,
            events: 0,
            end: "complete",
        }
    }

    /// Status that was sent; 0 when none was.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Events that were sent.
    pub fn events(&self) -> usize {
        self.events
    }

    /// How the answer ended.
    pub fn end(&self, outcome: &io::Result<bool>) -> &'static str {
        if outcome.is_err() { "client gone" } else { self.end }
    }

    /// Says no, whatever else was wished for.
    pub async fn refuse(&mut self, status: u16, body: &str, more: &str, wish: &Wish) -> io::Result<bool> {
        self.wait(wish.head).await?;
        let more = format!("{more}Content-Length: {}\r\n", body.len());
        self.head(status, "application/json", &more).await?;
        self.write(body.as_bytes(), wish).await?;
        Ok(true)
    }

    /// Says nothing but a status.
    pub async fn bare(&mut self, status: u16, more: &str) -> io::Result<bool> {
        self.status = status;
        let reason = trilithon_flow::status::text(status);
        let length = if status == 204 {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let head = format!("HTTP/1.1 {status} {reason}\r\n{more}{length}\r\n");
        self.tcp.write_all(head.as_bytes()).await?;
        Ok(true)
    }

    /// Says a body that is whole; `more` are header lines. `false`: the connection is to end.
    pub async fn json(&mut self, status: u16, body: &str, more: &str, wish: &Wish) -> io::Result<bool> {
        self.wait(wish.head).await?;
        let (mut body, mut kind) = (body.to_owned(), "application/json");
        if wish.html {
            (body, kind) = (
                "<html><body>not what you wanted</body></html>\n".to_owned(),
                "text/html",
            );
        }
        if wish.empty {
            body.clear();
        }
        let broken = match wish.breaks {
            Some((what, At::Head)) => return self.fail(what).await,
            Some((what, At::After(n))) => Some((
                what,
                (0..=n.min(body.len()))
                    .rfind(|n| body.is_char_boundary(*n))
                    .unwrap_or(0),
            )),
            None => None,
        };
        if let Some((Break::Malformed, at)) = broken {
            body.truncate(at);
            body.push_str("}{");
        }
        let kind = wish.content_type.as_deref().unwrap_or(kind);
        let more = format!("{more}Content-Length: {}\r\n", body.len());
        self.head(status, kind, &more).await?;
        self.wait(wish.first).await?;
        match broken {
            Some((what, at)) if what != Break::Malformed => {
                self.write(&body.as_bytes()[..at], wish).await?;
                self.fail(what).await
            }
            _ => self.write(body.as_bytes(), wish).await.map(|()| true),
        }
    }

    /// Says one event after the other; `error` is the one that breaks a stream off where that was wished for.
    pub async fn stream(
        &mut self,
        events: &[Event],
        error: &Event,
        more: &str,
        wish: &Wish,
    ) -> io::Result<bool> {
        self.wait(wish.head).await?;
        if let Some((what, At::Head)) = wish.breaks {
            return self.fail(what).await;
        }
        if wish.html || wish.empty {
            return self.json(200, "", more, wish).await;
        }
        let kind = wish
            .content_type
            .as_deref()
            .unwrap_or("text/event-stream; charset=utf-8");
        let more = format!("{more}Transfer-Encoding: chunked\r\nCache-Control: no-cache\r\n");
        self.head(200, kind, &more).await?;
        self.wait(wish.first).await?;
        for (n, event) in events.iter().enumerate() {
            match wish.breaks {
                Some((what, At::After(after))) if after == n => {
                    return self.break_off(what, error, wish).await;
                }
                _ => {}
            }
            if n > 0 {
                self.wait(wish.gap).await?;
            }
            if wish.comments {
                self.chunk(b": a comment\n\n", wish).await?;
            }
            self.chunk(event.text(wish).as_bytes(), wish).await?;
            self.events += 1;
        }
        self.tcp.write_all(b"0\r\n\r\n").await?;
        Ok(true)
    }

    /// What was wished for happens in the middle of a stream.
    async fn break_off(&mut self, what: Break, error: &Event, wish: &Wish) -> io::Result<bool> {
        match what {
            Break::Malformed => self.chunk(b"data: {\"choices\": [}\n\n", wish).await?,
            Break::Error => self.chunk(error.text(wish).as_bytes(), wish).await?,
            Break::End => {}
            Break::Cut | Break::Stall => return self.fail(what).await,
        }
        self.end = "as asked";
        self.tcp.write_all(b"0\r\n\r\n").await?;
        Ok(true)
    }

    /// Nothing more comes.
    async fn fail(&mut self, what: Break) -> io::Result<bool> {
        if what == Break::Stall {
            self.wait(Duration::MAX).await?;
        }
        self.end = "as asked";
        Ok(false)
    }

    async fn head(&mut self, status: u16, kind: &str, more: &str) -> io::Result<()> {
        self.status = status;
        let reason = trilithon_flow::status::text(status);
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nX-Request-Id: req_sample\r\n{more}\r\n"
        );
        self.tcp.write_all(head.as_bytes()).await
    }

    async fn chunk(&mut self, bytes: &[u8], wish: &Wish) -> io::Result<()> {
        for part in bytes.chunks(wish.split.unwrap_or(usize::MAX)) {
            let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
            chunk.extend_from_slice(part);
            chunk.extend_from_slice(b"\r\n");
            self.tcp.write_all(&chunk).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8], wish: &Wish) -> io::Result<()> {
        if self.is_head {
            return Ok(());
        }
        for part in bytes.chunks(wish.split.unwrap_or(usize::MAX)) {
            self.tcp.write_all(part).await?;
        }
        Ok(())
    }

    /// Waits, unless the client goes.
    async fn wait(&mut self, time: Duration) -> io::Result<()> {
        if time.is_zero() {
            return Ok(());
        }
        let mut byte = [0; 1];
        tokio::select! {
            () = tokio::time::sleep(time.min(Duration::from_secs(3600))) => Ok(()),
            gone = gone(self.tcp, &mut byte) => gone,
        }
    }
}

/// Ends when the client has gone. Bytes that it sends meanwhile wait for the next request.
async fn gone(tcp: &TcpStream, byte: &mut [u8]) -> io::Result<()> {
    match tcp.peek(byte).await? {
        0 => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => std::future::pending().await,
    }
}
