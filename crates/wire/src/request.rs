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
        // A later minor version is answered as the highest one that is known (RFC 9110 §2.5).
        Some([b'1', ..]) => Ok(Some(false)),
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

/// The fields that say something about the message itself.
const MEANINGFUL: u64 = Known::Host.bit()
    | Known::ContentLength.bit()
    | Known::TransferEncoding.bit()
    | Known::Connection.bit()
    | Known::Upgrade.bit()
    | Known::Expect.bit();

/// What the fields say about the message itself.
#[inline]
fn understand<'b>(line: RequestLine<'b>, len: usize, headers: &Headers) -> Result<RequestHead<'b>, Reject> {
    let mut framing = FramingFacts::default();
    let mut options = ConnectionOptions::default();
    let (mut host, mut expects, mut upgrade) = (false, false, false);
    for (known, value) in headers.iter_among(MEANINGFUL) {
        match known {
            Known::Host if host => return Err(Reject::HostRepeated),
            Known::Host if authority::is_valid(value) => host = true,
            Known::Host => return Err(Reject::HostInvalid),
            Known::ContentLength => framing.content_length(value)?,
            Known::TransferEncoding => framing.transfer_encoding(value)?,
            Known::Connection => options.add(value),
            Known::Upgrade => upgrade |= crate::connection::switches(value),
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 4096,
        fields: 10,
    };

    fn show(wire: &[u8]) -> String {
        let mut headers = Headers::new();
        match parse_request(wire, &mut headers, &LIMITS) {
            Err(why) => format!("{} {}", why.status(), why.reason()),
            Ok(None) => "more".to_owned(),
            Ok(Some(h)) => {
                let flags = [
                    (h.http10, "1.0"),
                    (h.keep_alive, "keep"),
                    (h.expect_continue, "expect"),
                    (h.upgrade, "upgrade"),
                    (h.connection_named, "named"),
                ];
                let flags: Vec<_> = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
                format!("{:?} {}", h.framing, flags.join(","))
            }
        }
    }

    /// `fields` behind `GET / HTTP/1.1` and `Host: a`, or a whole head if there is an empty line in it.
    fn check(id: &str, fields: impl AsRef<[u8]>, want: &str) {
        let fields = fields.as_ref();
        let whole = fields.windows(4).any(|w| w == b"\r\n\r\n") || fields.windows(6).any(|w| w == b" HTTP/");
        let wire = if whole {
            fields.to_vec()
        } else {
            [b"GET / HTTP/1.1\r\nHost: a\r\n", fields, b"\r\n\r\n"].concat()
        };
        assert_eq!(show(&wire), want, "{id}: {}", String::from_utf8_lossy(&wire));
    }

    #[test]
    fn a1_length_and_chunked_together() {
        check(
            "A1",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "400 both-cl-and-te",
        );
        check(
            "A1",
            "Transfer-Encoding: chunked\r\nX: 1\r\nContent-Length: 5",
            "400 both-cl-and-te",
        );
        check(
            "A1",
            "transfer-encoding: CHUNKED\r\ncontent-length: 0",
            "400 both-cl-and-te",
        );
    }

    #[test]
    fn a2_content_length() {
        check("A2", "Content-Length: 5", "Length(5) keep");
        check("A2", "Content-Length: 0", "Length(0) keep");
        check("A2", "Content-Length: \t 5 \t", "Length(5) keep");
        check(
            "A2",
            "Content-Length: 9223372036854775807",
            "Length(9223372036854775807) keep",
        );
        for bad in [
            "+5",
            "-0",
            "-1",
            "0x5",
            "5 5",
            "5,5",
            "5, 5",
            "",
            "9223372036854775808",
            "00000000000000000005",
            "5a",
            "\u{a0}5",
            "1e3",
            "5;",
        ] {
            check("A2", format!("Content-Length: {bad}"), "400 bad-content-length");
        }
        check(
            "A2",
            "Content-Length: 5\r\nContent-Length: 5",
            "400 bad-content-length",
        );
        check(
            "A2",
            "Content-Length: 5\r\ncontent-length: 6",
            "400 bad-content-length",
        );
    }

    #[test]
    fn a3_transfer_encoding() {
        check("A3", "Transfer-Encoding: chunked", "Chunked keep");
        check("A3", "tRANSFER-eNCODING: Chunked", "Chunked keep");
        for unknown in ["xchunked", "gzip", "gzip, chunked", "identity"] {
            check(
                "A3",
                format!("Transfer-Encoding: {unknown}"),
                "501 unknown-transfer-coding",
            );
        }
        for bad in [
            "chunked, identity",
            "chunked, chunked",
            "\"chunked\"",
            "chunked;a=b",
            "",
            ",chunked",
            "chunked,",
            "\u{a0}chunked",
            "ch unked",
        ] {
            check(
                "A3",
                format!("Transfer-Encoding: {bad}"),
                "400 bad-transfer-encoding",
            );
        }
        check(
            "A3",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "400 bad-transfer-encoding",
        );
        check("A3", "Transfer-Encoding: \x0bchunked", "400 bad-header-value");
        check("A3", "Transfer-Encoding:\r\n chunked", "400 folded-header");
        check("A3", "Transfer-Encoding : chunked", "400 bad-header-name");
        check("A3", "Transfer_Encoding: chunked", "400 framing-alias");
        check("A3", "content.length: 5", "400 framing-alias");
        check("A3", "Trans\u{17f}er-Encoding: chunked", "400 bad-header-name");
    }

    #[test]
    fn a4_http_1_0() {
        check(
            "A4",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 bad-transfer-encoding",
        );
        check("A4", "POST / HTTP/1.0\r\n\r\n", "None 1.0");
        check(
            "A4",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "None ",
        );
        check(
            "A4",
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nExpect: x\r\n\r\n",
            "None 1.0,keep",
        );
    }

    #[test]
    fn a6_line_ends_and_control_bytes() {
        check("A6", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400 bad-request-line");
        check("A6", "X: 1\nY: 2", "400 bare-line-end");
        check("A6", "X: 1\rY: 2", "400 bare-line-end");
        check("A6", "X: 1\r\r\nY: 2", "400 bare-line-end");
        check("A6", "X: a\0b", "400 bare-line-end");
        check("A6", "X\0: a", "400 bare-line-end");
        check("A6", "X: a\x7fb", "400 bad-header-value");
        check("A6", "X\r\n: a", "400 bare-line-end");
        check(
            "A6",
            "X: long enough for words of eight\nY: 2",
            "400 bare-line-end",
        );
        check("A6", "GET / HTTP/1.1\r\nHost: a\r\n\n HTTP/", "400 bare-line-end");
        check(
            "A6",
            "GET / HTTP/1.1\r\nHost: a\r\n\rx HTTP/",
            "400 bare-line-end",
        );
        check("A6", "X: tab\tand \u{e9} pass", "None keep");
        check("A6", "X: 1\r\n\tY: 2", "400 folded-header");
        check("A6", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 folded-header");
    }

    #[test]
    fn a10_upgrade() {
        check(
            "A10",
            "Connection: Upgrade\r\nUpgrade: websocket",
            "None keep,upgrade",
        );
        check(
            "A10",
            "Connection: keep-alive, UPGRADE\r\nUpgrade: x",
            "None keep,upgrade",
        );
        check("A10", "Upgrade: websocket", "None keep");
        check("A10", "Connection: Upgrade", "None keep");
        check(
            "A10",
            "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "None 1.0",
        );
        check(
            "A11",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x",
            "None keep",
        );
        check(
            "A11",
            "Connection: Upgrade\r\nUpgrade: h2c, websocket",
            "None keep,upgrade",
        );
    }

    #[test]
    fn a12_connect() {
        check(
            "A12",
            "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "None keep",
        );
        check(
            "A12",
            "CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 bad-target",
        );
        check(
            "A12",
            "CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 bad-target",
        );
    }

    #[test]
    fn a13_expect() {
        check(
            "A13",
            "Expect: 100-Continue\r\nContent-Length: 1",
            "Length(1) keep,expect",
        );
        check("A13", "Expect: 100-continue", "None keep");
        check(
            "A13",
            "Expect: 100-continue\r\nContent-Length: 0",
            "Length(0) keep",
        );
        check("A13", "Expect: x 100-continue", "417 unknown-expectation");
        check(
            "A13",
            "Expect: 100-continue, 100-continue",
            "417 unknown-expectation",
        );
    }

    #[test]
    fn a16_host_and_target() {
        let host = |fields: &str, want| check("A16", format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n"), want);
        host("X: 1", "400 no-host");
        host("Host: a\r\nHost: a", "400 repeated-host");
        host("Host:", "None keep");
        host("Host: a.test:80", "None keep");
        for bad in ["a,b", "a, b", "u@a", "a/b", "a:0", "a:70000", "a b", "[::1"] {
            host(&format!("Host: {bad}"), "400 bad-host");
        }
        let target = |method: &str, target: &str, want| {
            check(
                "A16",
                format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
                want,
            );
        };
        target("GET", "http://b.test/x", "None keep");
        target("GET", "http://u@b.test/x", "400 bad-host");
        target("GET", "http:///x", "400 bad-host");
        target("GET", "http://b,c/", "400 bad-host");
        target("GET", "x", "400 bad-target");
        target("GET", "*", "400 bad-target");
        target("OPTIONS", "*", "None keep");
        target("GET", "/\u{e9}\"<>", "None keep");
        target("GET", "/a\tb", "400 bad-target");
        target("GET", "/a\x7f", "400 bad-target");
        target("GET", "/a b", "400 bad-request-line");
        target("GET", "", "400 bad-request-line");
        target("G(T", "/", "400 bad-request-line");
        target("", "/", "400 bad-request-line");
    }

    #[test]
    fn a20_names_and_limits() {
        check("A20", ": v", "400 bad-header-name");
        check("A20", ": a value longer than a word", "400 bad-header-name");
        check("A20", "no colon here", "400 bad-header-name");
        check("A20", "a b: v", "400 bad-header-name");
        check("A20", "a(b: v", "400 bad-header-name");
        check("A20", "X: 1\r\n".repeat(9).trim_end(), "None keep");
        check("A20", "X: 1\r\n".repeat(10).trim_end(), "431 too-many-headers");
        check("A20", format!("X: {}", "x".repeat(4100)), "431 head-too-large");
        check(
            "A20",
            format!("GET /{} HTTP/", "x".repeat(4100)),
            "431 head-too-large",
        );
        check(
            "A20",
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(4100)),
            "431 head-too-large",
        );
    }

    #[test]
    fn versions_and_empty_lines() {
        let host = "Host: a\r\n\r\n";
        check(
            "version",
            format!("GET / HTTP/2.0\r\n{host}"),
            "505 unsupported-version",
        );
        check(
            "version",
            format!("GET / HTTP/0.9\r\n{host}"),
            "505 unsupported-version",
        );
        check("version", format!("GET / HTTP/1.2\r\n{host}"), "None keep");
        check("version", format!("GET / HTTP/1.9\r\n{host}"), "None keep");
        check(
            "version",
            format!("GET / HTTP/1.10\r\n{host}"),
            "400 bad-request-line",
        );
        check(
            "version",
            format!("GET / http/1.1\r\n{host}"),
            "400 bad-request-line",
        );
        check(
            "version",
            format!("GET / HTTP/1.1 \r\n{host}"),
            "400 bad-request-line",
        );
        check("version", format!("GET /\r\n{host}"), "400 bad-request-line");
        check("empty", format!("\r\nGET / HTTP/1.1\r\n{host}"), "None keep");
        check(
            "empty",
            format!("\r\n\r\nGET / HTTP/1.1\r\n{host}"),
            "400 bad-request-line",
        );
        check(
            "empty",
            format!("\nGET / HTTP/1.1\r\n{host}"),
            "400 bad-request-line",
        );
        check(
            "empty",
            format!(" GET / HTTP/1.1\r\n{host}"),
            "400 bad-request-line",
        );
    }

    #[test]
    fn connection_options() {
        check("options", "Connection: close", "None ");
        check("options", "Connection: keep-alive, close", "None ");
        check("options", "Connection: X-Foo", "None keep,named");
        check("options", "Connection: Te, Keep-Alive,, ", "None keep");
    }

    #[test]
    fn facts_and_fields() {
        let wire = b"\r\nPOST /x?y HTTP/1.1\r\nhost:a\r\nX-long-name-of-mine:  two  words \t\r\nx_y: \r\ncontent-length: 2\r\n\r\nab";
        let mut headers = Headers::new();
        let head = parse_request(wire, &mut headers, &LIMITS).unwrap().unwrap();
        assert_eq!(
            (head.method, head.target, head.len),
            (&b"POST"[..], &b"/x?y"[..], wire.len() - 2)
        );
        let fields: Vec<_> = headers.iter().map(|(n, v)| [n, b"=", v].concat()).collect();
        assert_eq!(
            fields,
            [
                &b"Host=a"[..],
                b"X-Long-Name-Of-Mine=two  words",
                b"X_y=",
                b"Content-Length=2"
            ]
        );
        assert_eq!(headers.known(Known::ContentLength), Some(&b"2"[..]));
        for cut in 0..head.len {
            assert_eq!(
                parse_request(&wire[..cut], &mut headers, &LIMITS),
                Ok(None),
                "{cut}"
            );
        }
    }
}
