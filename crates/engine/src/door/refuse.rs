//! Answers to what is not a request, counted and logged with the reason.

use crate::entry_point::EntryPoint;
use trilithon_flow::{Connection, metrics, status};

/// One counter and one log line say why.
pub fn report(entry_point: &EntryPoint, connection: &Connection, reason: &'static str) {
    metrics::rejected(&entry_point.name, reason);
    tracing::debug!(entryPointName = %entry_point.name, client = %connection.peer, reason, "malformed request refused");
}

/// The whole answer, as Go's server writes it: a line of text, and the connection closes.
pub fn answer(code: u16, detail: &str) -> Vec<u8> {
    let text = status::text(code);
    let colon = if detail.is_empty() { "" } else { ": " };
    format!(
        "HTTP/1.1 {code} {text}{colon}{detail}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{code} {text}{colon}{detail}"
    )
    .into_bytes()
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
    words.next().is_none() && version.is_some_and(|v| !v.is_empty() && !v.starts_with(b"HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lines() {
        let check = |line: &str, want| assert_eq!(is_foreign(line.as_bytes()), want, "{line}");
        check("INVALID CONNECTION PREFACE\r\n\r\n", true);
        check("GET / HTTP/1.1\r\n", false);
        check("GET / HTTP/9.9\r\n", false);
        check("GET /\r\n", false);
        check("GET /a b HTTP/1.1\r\n", false);
        check("", false);
    }
}
