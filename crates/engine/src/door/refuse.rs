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
