//! Answers to what is not a request, counted and logged with the reason.

use crate::entry_point::EntryPoint;
use trilithon_flow::{Connection, metrics, status};
use trilithon_wire::Reject;

/// One counter and one log line say why.
pub fn report(entry_point: &EntryPoint, connection: &Connection, reason: &'static str) {
    metrics::rejected(&entry_point.name, reason);
    tracing::debug!(entryPointName = %entry_point.name, client = %connection.peer, reason, "malformed request refused");
}

/// The whole answer, as Go's server writes it: a line of text, and the connection closes.
pub fn answer(reject: Reject) -> Vec<u8> {
    let code = reject.status();
    let text = status::text(code);
    let said = match detail(reject) {
        "" => format!("{code} {text}"),
        detail => format!("{code} {text}: {detail}"),
    };
    let body = match reject {
        Reject::TransferCoding => "Unsupported transfer encoding",
        // These come from where Go has a response to write to; it says nothing.
        Reject::Expectation | Reject::Fragment => {
            return format!("HTTP/1.1 {said}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes();
        }
        _ => said.as_str(),
    };
    format!("HTTP/1.1 {said}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// What Go's server says more than the status.
fn detail(reject: Reject) -> &'static str {
    match reject {
        Reject::HostMissing => "missing required Host header",
        Reject::HostInvalid => "malformed Host header",
        Reject::FieldName => "invalid header name",
        Reject::Version => "unsupported protocol version",
        _ => "",
    }
}

/// Whether the first line has three words of which the last is no HTTP version: another protocol, such as a broken
/// HTTP/2 preface.
pub fn is_foreign(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|&b| b == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    let mut words = line.split(|&b| b == b' ');
    let version = words.nth(2);
    let is_http = |v: &[u8]| v.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"HTTP"));
    words.next().is_none() && version.is_some_and(|v| !v.is_empty() && !is_http(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let check = |reject: Reject, want: &str| {
            let text = String::from_utf8(answer(reject)).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(format!("{} | {body}", head.lines().next().unwrap()), want);
        };
        check(
            Reject::HostMissing,
            "HTTP/1.1 400 Bad Request: missing required Host header | 400 Bad Request: missing required Host header",
        );
        check(
            Reject::FieldName,
            "HTTP/1.1 400 Bad Request: invalid header name | 400 Bad Request: invalid header name",
        );
        check(
            Reject::TransferCoding,
            "HTTP/1.1 501 Not Implemented | Unsupported transfer encoding",
        );
        check(Reject::Expectation, "HTTP/1.1 417 Expectation Failed | ");
        check(Reject::Fragment, "HTTP/1.1 400 Bad Request | ");
    }

    #[test]
    fn foreign_lines() {
        let check = |line: &str, want| assert_eq!(is_foreign(line.as_bytes()), want, "{line}");
        check("INVALID CONNECTION PREFACE\r\n\r\n", true);
        check("GET / HTTP/1.1\r\n", false);
        check("GET / HTTP/9.9\r\n", false);
        check("GET / http/1.1\r\n", false);
        check("GET /\r\n", false);
        check("GET /a b HTTP/1.1\r\n", false);
        check("", false);
    }
}
