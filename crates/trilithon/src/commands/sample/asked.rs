//! What a sample is asked: one request, read whole.

use std::io;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use trilithon_flow::Headers;
use trilithon_wire::{BodyDecoder, Buffer, HeadLimits, Step, parse_request};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 64 * 1024,
    fields: 128,
};
/// Longest body that is read.
const MAX_BODY: usize = 32 << 20;

/// One request.
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Asked {
    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&*self.target, |(path, _)| path)
    }

    /// What stands behind the question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// The next request; `None` when there is none, or none that a sample takes.
pub async fn read(tcp: &mut TcpStream, buffer: &mut Buffer) -> io::Result<Option<Asked>> {
    let Some((mut asked, mut body)) = head(tcp, buffer).await? else {
        return Ok(None);
    };
    loop {
        match body.step(buffer.filled()) {
            Ok(Step::Data { skip, len }) => {
                if asked.body.len() + len > MAX_BODY {
                    return Ok(None);
                }
                asked.body.extend_from_slice(&buffer.filled()[skip..skip + len]);
                buffer.consume(skip + len);
                body.consumed(len);
            }
            Ok(Step::Skip(skip)) => buffer.consume(skip),
            Ok(Step::End { skip }) => {
                buffer.consume(skip);
                return Ok(Some(asked));
            }
            Ok(Step::More) if tcp.read_buf(buffer.reading()).await? > 0 => {}
            _ => return Ok(None),
        }
    }
}

async fn head(tcp: &mut TcpStream, buffer: &mut Buffer) -> io::Result<Option<(Asked, BodyDecoder)>> {
    loop {
        let mut headers = Headers::new();
        let parsed = parse_request(buffer.filled(), &mut headers, &LIMITS).map(|head| {
            head.map(|head| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                (text(head.method), text(head.target), head.len, head.framing)
            })
        });
        match parsed {
            Ok(Some((method, target, len, framing))) => {
                buffer.consume(len);
                let asked = Asked {
                    method,
                    target,
                    headers,
                    body: Vec::new(),
                };
                return Ok(Some((asked, BodyDecoder::new(framing))));
            }
            Ok(None) if tcp.read_buf(buffer.reading()).await? > 0 => {}
            _ => return Ok(None),
        }
    }
}
