//! One request to an HTTP/1.1 server on a connection of its own: what samples ask each other with.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trilithon_flow::Headers;
use trilithon_wire::{BodyDecoder, Buffer, Framing, HeadLimits, Step, parse_response};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 64 * 1024,
    fields: 128,
};
/// Longest body that is read.
const MAX_BODY: usize = 8 << 20;
/// Longest wait for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is asked. The URL is one of plain HTTP.
pub struct Question<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// What came of it.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Question<'_> {
    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// Nobody answers, not in time, or not with HTTP/1.1.
    pub async fn ask(&self) -> Result<Answer> {
        let late = || Error::new(ErrorKind::TimedOut, "there was no answer in time");
        tokio::time::timeout(TIMEOUT, self.exchange())
            .await
            .map_err(|_| late())?
    }

    async fn exchange(&self) -> Result<Answer> {
        let rest = self.url.strip_prefix("http://");
        let rest = rest.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("`{}` does not begin with `http://`", self.url),
            )
        })?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let mut head = format!(
            "{} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.method,
            self.body.len()
        );
        for (name, value) in self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let address = match authority.contains(':') {
            true => authority.to_owned(),
            false => format!("{authority}:80"),
        };
        let mut tcp = TcpStream::connect(address).await?;
        tcp.write_all(&[head.as_bytes(), self.body].concat()).await?;
        self.read(&mut tcp).await
    }

    async fn read(&self, tcp: &mut TcpStream) -> Result<Answer> {
        let mut buffer = Buffer::new();
        let (mut answer, framing) = head(tcp, &mut buffer, self.method == "HEAD").await?;
        let mut decoder = BodyDecoder::new(framing);
        loop {
            match decoder.step(buffer.filled()).map_err(|_| broken())? {
                Step::Data { skip, len } => {
                    if answer.body.len() + len > MAX_BODY {
                        return Err(broken());
                    }
                    answer.body.extend_from_slice(&buffer.filled()[skip..skip + len]);
                    buffer.consume(skip + len);
                    decoder.consumed(len);
                }
                Step::Skip(skip) => buffer.consume(skip),
                Step::More if tcp.read_buf(buffer.reading()).await? > 0 => {}
                Step::More if framing == Framing::Close => return Ok(answer),
                Step::More => return Err(broken()),
                _ => return Ok(answer),
            }
        }
    }
}

async fn head(tcp: &mut TcpStream, buffer: &mut Buffer, to_head: bool) -> Result<(Answer, Framing)> {
    loop {
        let mut headers = Headers::new();
        let parsed = parse_response(buffer.filled(), &mut headers, &LIMITS, to_head, false);
        match parsed.map_err(|_| broken())? {
            Some(head) => {
                buffer.consume(head.len);
                if (100..200).contains(&head.status) {
                    continue;
                }
                let answer = Answer {
                    status: head.status,
                    body: Vec::new(),
                };
                return Ok((answer, head.framing));
            }
            None if tcp.read_buf(buffer.reading()).await? > 0 => {}
            None => return Err(broken()),
        }
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer broke off or is no HTTP/1.1")
}
