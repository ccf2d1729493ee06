//! Response heads (RFC 9112 §4). An upstream is hostile input like any other.

use crate::connection::ConnectionOptions;
use crate::field::parse_fields;
use crate::framing::{Framing, FramingFacts};
use crate::head::{HeadLimits, ResponseHead};
use crate::headers::Headers;
use crate::known::Known;
use crate::reject::Reject;
use crate::scan::find_below;

/// Parses one response head at the start of `buf`; `None` when more bytes are needed. `to_head` and `to_connect` say
/// what the request was.
///
/// All fields go to `headers`, which is emptied first. An interim response (1xx) is a head like any other.
///
/// # Errors
/// Whatever leaves room for two readings of the message, and heads beyond `limits`.
pub fn parse_response(
    buf: &[u8],
    headers: &mut Headers,
    limits: &HeadLimits,
    to_head: bool,
    to_connect: bool,
) -> Result<Option<ResponseHead>, Reject> {
    headers.clear();
    headers.reserve(16, buf.len().min(limits.bytes).min(2048));
    match parse(buf, headers, limits, to_head, to_connect)? {
        Some(head) if head.len > limits.bytes => Err(Reject::HeadBytes),
        None if buf.len() >= limits.bytes => Err(Reject::HeadBytes),
        head => Ok(head),
    }
}

fn parse(
    buf: &[u8],
    headers: &mut Headers,
    limits: &HeadLimits,
    to_head: bool,
    to_connect: bool,
) -> Result<Option<ResponseHead>, Reject> {
    let Some((http10, status, end)) = status_line(buf)? else {
        return Ok(None);
    };
    let Some(len) = parse_fields(buf, end, headers, limits.fields)? else {
        return Ok(None);
    };
    let tunnel = status == 101 || (to_connect && (200..300).contains(&status));
    understand(
        ResponseHead {
            len,
            status,
            http10,
            framing: Framing::None,
            keep_alive: false,
            upgrade: tunnel,
        },
        headers,
        to_head,
    )
    .map(Some)
}

/// Version, status, and where the line ends. The reason may be missing together with its space, as some servers do.
fn status_line(buf: &[u8]) -> Result<Option<(bool, u16, usize)>, Reject> {
    let (version, digits) = match buf.first_chunk() {
        None => return incomplete(buf),
        Some(
            &[
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                version @ b'0'..=b'1',
                b' ',
                a,
                b,
                c,
            ],
        ) => (version, [a, b, c]),
        Some(_) => return Err(Reject::StatusLine),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reject::StatusLine);
    }
    let [a, b, c] = digits;
    let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    if status < 100 {
        return Err(Reject::StatusLine);
    }
    Ok(reason_end(buf, 12)?.map(|end| (version == b'0', status, end)))
}

/// Whether so few bytes may become a status line.
#[cold]
fn incomplete<T>(buf: &[u8]) -> Result<Option<T>, Reject> {
    let fits = |b: u8, want: u8| match want {
        b'v' => matches!(b, b'0' | b'1'),
        b'd' => b.is_ascii_digit(),
        _ => b == want,
    };
    if buf.iter().zip(b"HTTP/1.v ddd").all(|(&b, &want)| fits(b, want)) {
        Ok(None)
    } else {
        Err(Reject::StatusLine)
    }
}

/// Where the line ends whose reason starts, with its space, at `at`.
fn reason_end(buf: &[u8], at: usize) -> Result<Option<usize>, Reject> {
    if buf.get(at).is_some_and(|&b| b != b' ' && b != b'\r') {
        return Err(Reject::StatusLine);
    }
    let mut i = at;
    loop {
        i = find_below(buf, i, 0x20);
        match (buf.get(i), buf.get(i + 1)) {
            (Some(b'\t'), _) => i += 1,
            (Some(b'\r'), Some(b'\n')) => return Ok(Some(i + 2)),
            (None, _) | (Some(b'\r'), None) => return Ok(None),
            _ => return Err(Reject::LineEnd),
        }
    }
}

/// The fields that say something about the message itself.
const MEANINGFUL: u64 = Known::ContentLength.bit() | Known::TransferEncoding.bit() | Known::Connection.bit();

/// What the fields say about the message itself (RFC 9112 §6.3).
fn understand(head: ResponseHead, headers: &Headers, to_head: bool) -> Result<ResponseHead, Reject> {
    let mut facts = FramingFacts::default();
    let mut options = ConnectionOptions::default();
    for (known, value) in headers.iter_among(MEANINGFUL) {
        match known {
            Known::ContentLength => facts.content_length(value)?,
            Known::TransferEncoding => facts.transfer_encoding(value)?,
            Known::Connection => options.add(value),
            _ => {}
        }
    }
    let said = facts.framing(head.http10)?;
    let persists = options.persists(head.http10);
    if head.upgrade {
        return Ok(head);
    }
    let claims_body = said.is_some_and(|f| !f.is_empty());
    let (framing, keep_alive) = match head.status {
        // An interim response that announces a body would have its bytes taken for the final response.
        100..200 if claims_body => return Err(Reject::ContentLength),
        100..200 => (Framing::None, persists),
        // Whether the announced bytes come is anyone's guess: the connection cannot be used again.
        204 => (Framing::None, persists && !claims_body),
        304 => (Framing::None, persists),
        _ if to_head => (Framing::None, persists),
        _ => said.map_or((Framing::Close, false), |f| (f, persists)),
    };
    Ok(ResponseHead {
        framing,
        keep_alive,
        ..head
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 4096,
        fields: 10,
    };

    fn check_for(to_head: bool, to_connect: bool, wire: &str, want: &str) {
        let mut headers = Headers::new();
        let got = match parse_response(wire.as_bytes(), &mut headers, &LIMITS, to_head, to_connect) {
            Err(why) => why.reason().to_owned(),
            Ok(None) => "more".to_owned(),
            Ok(Some(h)) => {
                assert_eq!(h.len, wire.len());
                let flags = [(h.http10, "1.0"), (h.keep_alive, "keep"), (h.upgrade, "upgrade")];
                let flags: Vec<_> = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
                format!("{} {:?} {}", h.status, h.framing, flags.join(","))
            }
        };
        assert_eq!(got, want, "{wire}");
    }

    fn check(fields: &str, want: &str) {
        check_for(false, false, &format!("HTTP/1.1 {fields}\r\n\r\n"), want);
    }

    #[test]
    fn framing() {
        check("200 OK\r\nContent-Length: 5", "200 Length(5) keep");
        check("200 OK\r\nTransfer-Encoding: chunked", "200 Chunked keep");
        check("200 OK", "200 Close ");
        check(
            "200 OK\r\nContent-Length: 5\r\nConnection: close",
            "200 Length(5) ",
        );
        check("304 Not Modified\r\nContent-Length: 5", "304 None keep");
        check("204 No Content", "204 None keep");
        check("100 Continue", "100 None keep");
        check("101 Switching Protocols\r\nContent-Length: 5", "101 None upgrade");
        check_for(
            true,
            false,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "200 None keep",
        );
        check_for(true, false, "HTTP/1.1 200 OK\r\n\r\n", "200 None keep");
        check_for(
            false,
            true,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "200 None upgrade",
        );
        check_for(
            false,
            true,
            "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n",
            "403 Length(5) keep",
        );
        check_for(
            false,
            false,
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            "200 Length(5) 1.0",
        );
        check_for(
            false,
            false,
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
            "200 Length(5) 1.0,keep",
        );
    }

    #[test]
    fn a10_an_answer_to_upgrade_is_an_ordinary_one() {
        check(
            "200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1",
            "200 Length(1) keep",
        );
    }

    #[test]
    fn a14_responses_that_can_be_read_twice() {
        check(
            "200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "both-cl-and-te",
        );
        check(
            "200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
            "bad-content-length",
        );
        check("200 OK\r\nContent-Length: x", "bad-content-length");
        check(
            "200 OK\r\nTransfer-Encoding: gzip, chunked",
            "unknown-transfer-coding",
        );
        check("100 Continue\r\nContent-Length: 5", "bad-content-length");
        check("103 Hints\r\nTransfer-Encoding: chunked", "bad-content-length");
        check("204 No Content\r\nContent-Length: 5", "204 None ");
        check("204 No Content\r\nContent-Length: 0", "204 None keep");
        check("200 OK\r\nHTTP/1.1 200 OK", "bad-header-name");
        check_for(
            false,
            false,
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "bad-transfer-encoding",
        );
    }

    #[test]
    fn status_lines() {
        check("200", "200 Close ");
        check("200 ", "200 Close ");
        check("999 \u{fc}ber\tx", "999 Close ");
        for bad in ["2000 OK", "20 OK", "099 x", " 200 OK", "200OK", "abc", "-20 x"] {
            check(bad, "bad-status-line");
        }
        check("200 O\rK", "bare-line-end");
        check("200 O\nK", "bare-line-end");
        check("200 O\0K", "bare-line-end");
        for bad in [
            "HTTP/2.0 200 OK\r\n\r\n",
            "http/1.1 200 OK\r\n\r\n",
            "garbage",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "ICY 200 OK\r\n",
        ] {
            check_for(false, false, bad, "bad-status-line");
        }
        check_for(
            false,
            false,
            &format!("HTTP/1.1 200 {}", "x".repeat(5000)),
            "head-too-large",
        );
        let whole = "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n";
        for cut in 0..whole.len() {
            check_for(false, false, &whole[..cut], "more");
        }
    }
}
