//! The Common Log Format with Traefik's additions, and without them (`genericCLF`).

use super::Line;
use super::clock::Clock;
use super::fields::{Field, Mode};
use super::text::{ip, number, plain, quoted};
use std::time::SystemTime;

/// Writes one line. `additions`: request count, router, server and duration after the user agent.
pub fn write(line: &Line<'_>, out: &mut Vec<u8>, clock: &mut Clock, additions: bool) {
    let record = line.record;
    client(line, out);
    out.extend_from_slice(b" - ");
    match line.user() {
        user if line.has(Field::ClientUsername) && !user.is_empty() => plain(out, user.as_bytes()),
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b" [");
    time(line, out, clock);
    out.extend_from_slice(b"] \"");
    bare(out, line.has(Field::RequestMethod), &record.method);
    out.push(b' ');
    bare(out, line.has(Field::RequestPath), line.path());
    out.push(b' ');
    bare(out, line.has(Field::RequestProtocol), record.version.as_str());
    out.extend_from_slice(b"\" ");
    count(out, line.has(Field::DownstreamStatus), u64::from(record.status));
    out.push(b' ');
    count(out, line.has(Field::DownstreamContentSize), record.response_bytes);
    header(line, out, "Referer");
    header(line, out, "User-Agent");
    if additions {
        out.push(b' ');
        count(out, line.has(Field::RequestCount), line.count);
        named(out, line.has(Field::RouterName), record.router.as_deref());
        named(out, line.has(Field::ServiceUrl), record.server_url.as_deref());
        out.push(b' ');
        number(
            out,
            if line.has(Field::Duration) {
                record.duration.as_millis() as u64
            } else {
                0
            },
        );
        out.extend_from_slice(b"ms");
    }
    out.push(b'\n');
}

fn client(line: &Line<'_>, out: &mut Vec<u8>) {
    match (&line.record.forwarded_for, line.peer_ip()) {
        _ if !line.has(Field::ClientHost) => out.push(b'-'),
        (Some(forwarded), _) if !forwarded.is_empty() => plain(out, forwarded.as_bytes()),
        (_, Some(peer)) => ip(out, peer),
        _ => out.push(b'-'),
    }
}

fn time(line: &Line<'_>, out: &mut Vec<u8>, clock: &mut Clock) {
    let (second, _) = clock.start(line.record.started_at.unwrap_or(SystemTime::UNIX_EPOCH));
    out.extend_from_slice(match () {
        () if line.has(Field::StartUtc) => second.clf_utc.as_bytes(),
        () if line.has(Field::StartLocal) => second.clf_local.as_bytes(),
        () => b"-",
    });
}

fn bare(out: &mut Vec<u8>, kept: bool, text: &str) {
    if kept && !text.is_empty() {
        quoted(out, text.as_bytes())
    } else {
        out.push(b'-')
    }
}

fn count(out: &mut Vec<u8>, kept: bool, n: u64) {
    if kept { number(out, n) } else { out.push(b'-') }
}

/// A quoted value behind a space; `"-"` without one.
fn named(out: &mut Vec<u8>, kept: bool, text: Option<&str>) {
    out.extend_from_slice(b" \"");
    bare(out, kept, text.unwrap_or_default());
    out.push(b'"');
}

fn header(line: &Line<'_>, out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b" \"");
    let values = line.record.request_headers.as_ref();
    match (
        line.fields.header(name.as_bytes()),
        values.filter(|h| h.contains(name)),
    ) {
        (Mode::Keep, Some(headers)) => {
            let start = out.len();
            for (i, value) in headers.get_all(name.as_bytes()).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                quoted(out, value);
            }
            if out.len() == start {
                out.push(b'-');
            }
        }
        (Mode::Redact, Some(_)) => out.extend_from_slice(b"REDACTED"),
        _ => out.push(b'-'),
    }
    out.push(b'"');
}
