//! Request heads (RFC 9112 §3), as strict as the RFC allows a server to be.

use crate::authority;
use crate::connection::ConnectionOptions;
use crate::field::{line_end, parse_fields};
use crate::framing::{Framing, FramingFacts};
use crate::head::{HeadLimits, RequestHead};
use crate::headers::{Headers, is_token};
use crate::known::Known;
use crate::reject::Reject;
use crate::scan::find_below;

/// Parses one request head at the start of `buf`; `None` when more bytes are needed.
///
/// All fields go to `headers`, which is emptied first: canonical names, values trimmed, `Connection` and the framing
/// headers included. One empty line before the request line is passed over (RFC 9112 §2.2).
///
/// # Errors
/// Whatever leaves room for two readings of the message, and heads beyond `limits`.
pub fn parse_request<'b>(
    buf: &'b [u8],
    headers: &mut Headers,
    limits: &HeadLimits,
) -> Result<Option<RequestHead<'b>>, Reject> {
    headers.clear();
    headers.reserve(16, buf.len().min(limits.bytes).min(2048));
    match parse(buf, headers, limits)? {
        Some(head) if head.len > limits.bytes => Err(Reject::HeadBytes),
        None if buf.len() >= limits.bytes => Err(Reject::HeadBytes),
        head => Ok(head),
    }
}

struct RequestLine<'b> {
    method: &'b [u8],
    target: &'b [u8],
    http10: bool,
    end: usize,
}

fn parse<'b>(
    buf: &'b [u8],
    headers: &mut Headers,
    limits: &HeadLimits,
) -> Result<Option<RequestHead<'b>>, Reject> {
    let at = match buf.first() {
        Some(b'\r') if line_end(buf, 0)? => 2,
        Some(b'\r') | None => return Ok(None),
        Some(_) => 0,
    };
    let Some(line) = request_line(buf, at)? else {
        return Ok(None);
    };
    let Some(len) = parse_fields(buf, line.end, headers, limits.fields)? else {
        return Ok(None);
    };
    understand(line, len, headers).map(Some)
}

/// How a part of the request line ended.
enum Part {
    Space(usize),
    More,
}

fn request_line(buf: &[u8], at: usize) -> Result<Option<RequestLine<'_>>, Reject> {
    let Part::Space(method_end) = method(buf, at)? else {
        return Ok(None);
    };
    let Part::Space(target_end) = target(buf, method_end + 1)? else {
        return Ok(None);
    };
    let Some((http10, end)) = version(buf, target_end + 1)? else {
        return Ok(None);
    };
    let (method, target) = (&buf[at..method_end], &buf[method_end + 1..target_end]);
    check_form(method, target)?;
    Ok(Some(RequestLine {
        method,
        target,
        http10,
        end,
    }))
}

#[inline(always)]
fn method(buf: &[u8], at: usize) -> Result<Part, Reject> {
    let end = buf[at..].iter().position(|&b| !is_token(b)).map(|n| at + n);
    match end.map(|e| buf[e]) {
        None => Ok(Part::More),
        Some(b' ') if end != Some(at) => Ok(end.map_or(Part::More, Part::Space)),
        Some(_) => Err(Reject::RequestLine),
    }
}

#[inline(always)]
fn target(buf: &[u8], at: usize) -> Result<Part, Reject> {
    let end = find_below(buf, at, 0x21);
    match buf.get(end) {
        None => Ok(Part::More),
        Some(b' ') if end > at => Ok(Part::Space(end)),
        Some(b' ' | b'\r' | b'\n') => Err(Reject::RequestLine),
        Some(_) => Err(Reject::Target),
    }
}

/// Whether the version is 1.0, and where the line ends.
#[inline(always)]
fn version(buf: &[u8], at: usize) -> Result<Option<(bool, usize)>, Reject> {
    let rest = &buf[at..];
    if rest.starts_with(b"HTTP/1.1\r\n") {
        return Ok(Some((false, at + 10)));
    }
    other_version(rest).map(|v| v.map(|http10| (http10, at + 10)))
}

#[cold]
fn other_version(rest: &[u8]) -> Result<Option<bool>, Reject> {
    let shape = b"HTTP/d.d\r\n";
    for (&b, &want) in rest.iter().zip(shape) {
        let fits = if want == b'd' {
            b.is_ascii_digit()
        } else {
            b == want
        };
        if !fits {
            return Err(Reject::RequestLine);
        }
    }
    match rest.get(5..10) {
        None => Ok(None),
        Some(b"1.0\r\n") => Ok(Some(true)),
        Some(_) => Err(Reject::Version),
    }
}

/// The four forms of RFC 9112 §3.2.
#[inline]
fn check_form(method: &[u8], target: &[u8]) -> Result<(), Reject> {
    if target[0] == b'/' {
        return Ok(());
    }
    if method == b"CONNECT" {
        return if authority::is_valid(target) {
            Ok(())
        } else {
            Err(Reject::Target)
        };
    }
    if target == b"*" {
        return if method == b"OPTIONS" {
            Ok(())
        } else {
            Err(Reject::Target)
        };
    }
    match authority::of_absolute(target) {
        Some(host) if !host.is_empty() && authority::is_valid(host) => Ok(()),
        Some(_) => Err(Reject::HostInvalid),
        None => Err(Reject::Target),
    }
}

/// What the fields say about the message itself.
#[inline]
fn understand<'b>(line: RequestLine<'b>, len: usize, headers: &Headers) -> Result<RequestHead<'b>, Reject> {
    let mut framing = FramingFacts::default();
    let mut options = ConnectionOptions::default();
    let (mut host, mut expects, mut upgrade) = (false, false, false);
    for (known, _, value) in headers.iter_known() {
        match known {
            Known::Host if host => return Err(Reject::HostRepeated),
            Known::Host if authority::is_valid(value) => host = true,
            Known::Host => return Err(Reject::HostInvalid),
            Known::ContentLength => framing.content_length(value)?,
            Known::TransferEncoding => framing.transfer_encoding(value)?,
            Known::Connection => options.add(value),
            Known::Upgrade => upgrade |= !value.is_empty(),
            Known::Expect if line.http10 => {}
            Known::Expect if value.eq_ignore_ascii_case(b"100-continue") => expects = true,
            Known::Expect => return Err(Reject::Expectation),
            _ => {}
        }
    }
    if !host && !line.http10 {
        return Err(Reject::HostMissing);
    }
    let framing = framing.framing(line.http10)?.unwrap_or(Framing::None);
    Ok(RequestHead {
        len,
        method: line.method,
        target: line.target,
        http10: line.http10,
        framing,
        keep_alive: options.persists(line.http10),
        expect_continue: expects && !framing.is_empty(),
        upgrade: upgrade && options.upgrade && !line.http10,
        connection_named: options.named,
    })
}
