//! HTTP/1 messages as a test wants them: the raw head kept, the rest easy to ask. Lenient on purpose; not a parser to copy.

use std::io::{self, BufRead, Read};

/// Header lines in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Headers {
        Headers(
            lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }

    /// The first value of `name`, in any case; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What an upstream saw of one request.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub version: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
    /// The head exactly as it came, up to and with the empty line.
    pub head: Vec<u8>,
    /// Which of the upstream's connections it came on, from 0.
    pub connection: usize,
}

impl Seen {
    pub(crate) fn read(stream: &mut impl BufRead, connection: usize) -> io::Result<Option<Seen>> {
        let Some(head) = read_head(stream)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.split("\r\n");
        let mut start = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
        let mut word = || start.next().unwrap_or_default();
        let (method, target, version) = (word(), word(), word());
        let (headers, body, trailers) = (Headers::parse(lines), Vec::new(), Headers::default());
        Ok(Some(Seen {
            method,
            target,
            version,
            headers,
            body,
            trailers,
            head,
            connection,
        }))
    }

    pub(crate) fn read_body(&mut self, stream: &mut impl BufRead) -> io::Result<()> {
        (self.body, self.trailers) = match Framing::of(&self.headers) {
            Framing::Close => (Vec::new(), Headers::default()),
            framing => framing.read(stream)?,
        };
        Ok(())
    }
}

/// An answer as a client sees it.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub version: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
    /// The head exactly as it came.
    pub head: Vec<u8>,
    /// The 1xx answers before it.
    pub interim: Vec<Response>,
}

impl Response {
    /// Reads one answer to a request with `method`; `None` when the connection ended before the first byte.
    pub(crate) fn read(stream: &mut impl BufRead, method: &str) -> io::Result<Option<Response>> {
        let mut interim = Vec::new();
        loop {
            let Some(mut response) = Response::read_head(stream)? else {
                return Ok(None);
            };
            if matches!(response.status, 100..=199) && response.status != 101 {
                interim.push(response);
                continue;
            }
            if method != "HEAD" && !matches!(response.status, 101 | 204 | 304) {
                (response.body, response.trailers) = Framing::of(&response.headers).read(stream)?;
            }
            response.interim = interim;
            return Ok(Some(response));
        }
    }

    fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Response>> {
        let Some(head) = read_head(stream)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.split("\r\n");
        let mut start = lines.next().unwrap_or_default().splitn(3, ' ');
        let version = start.next().unwrap_or_default().to_owned();
        let status = start.next().unwrap_or_default();
        let status = status
            .parse()
            .map_err(|_| invalid(format!("status `{status}` is no number")))?;
        let reason = start.next().unwrap_or_default().to_owned();
        let headers = Headers::parse(lines);
        let (body, trailers, interim) = (Vec::new(), Headers::default(), Vec::new());
        Ok(Some(Response {
            status,
            reason,
            version,
            headers,
            body,
            trailers,
            head,
            interim,
        }))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The value of `name`, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name)
    }

    /// Which echoing upstream answered, empty when none did.
    pub fn backend(&self) -> String {
        self.json()["backend"].as_str().unwrap_or_default().to_owned()
    }

    /// What the echoing upstream saw under header `name`, empty when it saw none.
    pub fn saw(&self, name: &str) -> String {
        let json = self.json();
        let lines = json["headers"].as_array().into_iter().flatten();
        let mut values = lines.filter(|l| l[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        values
            .next()
            .and_then(|l| l[1].as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

enum Framing {
    Length(u64),
    Chunked,
    Close,
}

impl Framing {
    fn of(headers: &Headers) -> Framing {
        if headers
            .get("transfer-encoding")
            .to_ascii_lowercase()
            .contains("chunked")
        {
            return Framing::Chunked;
        }
        headers
            .get("content-length")
            .parse()
            .map_or(Framing::Close, Framing::Length)
    }

    fn read(self, stream: &mut impl BufRead) -> io::Result<(Vec<u8>, Headers)> {
        let mut body = Vec::new();
        match self {
            Framing::Length(length) => {
                stream.take(length).read_to_end(&mut body)?;
                if (body.len() as u64) < length {
                    return Err(invalid(format!(
                        "body ends after {} of {length} bytes",
                        body.len()
                    )));
                }
            }
            Framing::Close => drop(stream.read_to_end(&mut body)?),
            Framing::Chunked => return read_chunked(stream),
        }
        Ok((body, Headers::default()))
    }
}

fn read_chunked(stream: &mut impl BufRead) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid(format!("chunk size `{line}`")))?;
        if size == 0 {
            break;
        }
        Framing::Length(size)
            .read(stream)
            .map(|(bytes, _)| body.extend(bytes))?;
        read_line(stream)?;
    }
    let mut trailers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok((body, Headers::parse(trailers.iter().map(String::as_str))));
        }
        trailers.push(line);
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(invalid("the stream ends inside a line".to_owned()));
    }
    line.pop_if(|byte| *byte == b'\r');
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head)? == 0 {
            if head.is_empty() {
                return Ok(None);
            }
            return Err(invalid(format!(
                "the stream ends inside a head: {:?}",
                String::from_utf8_lossy(&head)
            )));
        }
    }
    Ok(Some(head))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
