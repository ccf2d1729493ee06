//! One JSON object per line, with Traefik's keys in the order of their names.

use super::Line;
use super::clock::{Clock, write_fraction};
use super::decisions;
use super::fields::{Field, Mode};
use super::text::{ip, json, json_inner, number};
use crate::origin;
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use trilithon_flow::Headers;

/// Writes one line.
pub fn write(line: &Line<'_>, out: &mut Vec<u8>, clock: &mut Clock) {
    out.push(b'{');
    let mut object = Object { line, out };
    object.client();
    object.decisions();
    object.sizes_and_times();
    object.request();
    object.route();
    object.start(clock);
    object.tls();
    let record = line.record;
    object.headers("downstream_", record.response_headers.as_ref());
    object.text(Field::EntryPointName, record.entry_point.as_deref());
    object.out.extend_from_slice(b"\"level\":\"info\",\"msg\":\"\",");
    object.headers("origin_", record.origin_headers.as_ref());
    object.headers("request_", record.request_headers.as_ref());
    let end = clock.end(record.started_at.unwrap_or(SystemTime::UNIX_EPOCH) + record.duration);
    for piece in ["\"time\":\"", &end.local, &end.offset, "\"}\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

struct Object<'a> {
    line: &'a Line<'a>,
    out: &'a mut Vec<u8>,
}

impl Object<'_> {
    /// Writes a key if it is kept.
    fn key(&mut self, field: Field) -> bool {
        let kept = self.line.has(field);
        if kept {
            self.out.push(b'"');
            self.out.extend_from_slice(field.name().as_bytes());
            self.out.extend_from_slice(b"\":");
        }
        kept
    }

    fn text(&mut self, field: Field, text: Option<&str>) {
        if let Some(text) = text
            && self.key(field)
        {
            json(self.out, text.as_bytes());
            self.out.push(b',');
        }
    }

    /// Hexadecimal digits, which need no escape.
    fn id(&mut self, digits: &[u8]) {
        for piece in [b"\"", digits, b"\","] {
            self.out.extend_from_slice(piece);
        }
    }

    fn number(&mut self, field: Field, n: u64) {
        if self.key(field) {
            number(self.out, n);
            self.out.push(b',');
        }
    }

    fn nanos(&mut self, field: Field, d: Duration) {
        self.number(field, u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
    }

    fn client(&mut self) {
        let record = self.line.record;
        let ip_of_peer = self.line.peer_ip();
        if let (Some(peer), Some(address)) = (record.peer, ip_of_peer) {
            if self.key(Field::ClientAddr) {
                self.out.push(b'"');
                let v6 = matches!(address, IpAddr::V6(_));
                self.out.extend_from_slice(if v6 { b"[" } else { b"" });
                ip(self.out, address);
                self.out.extend_from_slice(if v6 { b"]:" } else { b":" });
                number(self.out, peer.port());
                self.out.extend_from_slice(b"\",");
            }
            match &record.forwarded_for {
                Some(forwarded) if !forwarded.is_empty() => self.text(Field::ClientHost, Some(forwarded)),
                _ if self.key(Field::ClientHost) => {
                    self.out.push(b'"');
                    ip(self.out, address);
                    self.out.extend_from_slice(b"\",");
                }
                _ => {}
            }
            if self.key(Field::ClientPort) {
                self.out.push(b'"');
                number(self.out, peer.port());
                self.out.extend_from_slice(b"\",");
            }
        }
        self.text(Field::ClientUsername, Some(self.line.user()));
    }

    /// What policies and limits decided; not a field of Traefik's, and absent where none did.
    fn decisions(&mut self) {
        let decisions = &self.line.record.decisions;
        if !decisions.is_empty() && self.key(Field::Decisions) {
            decisions::write(decisions, self.out);
            self.out.push(b',');
        }
    }

    /// What was asked of a language model; not a field of Traefik's, and absent where nothing was.
    fn model_call(&mut self) {
        if let Some(call) = &self.line.record.model_call
            && self.key(Field::ModelCall)
        {
            self.out.extend_from_slice(call.told().to_string().as_bytes());
            self.out.push(b',');
        }
    }

    /// What was asked of a server of tools; likewise.
    fn mcp_call(&mut self) {
        if let Some(call) = &self.line.record.mcp_call
            && self.key(Field::McpCall)
        {
            let told = call.told(&Cow::Borrowed);
            serde_json::to_writer(&mut *self.out, &told).expect("plain data is JSON, and memory takes it");
            self.out.push(b',');
        }
    }

    fn sizes_and_times(&mut self) {
        let record = self.line.record;
        self.number(Field::DownstreamContentSize, record.response_bytes);
        self.number(Field::DownstreamStatus, u64::from(record.status));
        self.nanos(Field::Duration, record.duration);
        let (origin_status, origin_bytes) = origin::answer(record);
        if record.response_bytes != origin_bytes && record.response_bytes != 0 && self.key(Field::GzipRatio) {
            float(self.out, origin_bytes as f64 / record.response_bytes as f64);
            self.out.push(b',');
        }
        self.mcp_call();
        self.model_call();
        self.number(Field::OriginContentSize, origin_bytes);
        self.nanos(Field::OriginDuration, record.origin_duration);
        self.number(Field::OriginStatus, u64::from(origin_status));
        self.nanos(
            Field::Overhead,
            record.duration.saturating_sub(record.origin_duration),
        );
    }

    fn request(&mut self) {
        let record = self.line.record;
        let (host, port) = split_host(&record.host);
        self.text(Field::RequestAddr, Some(&record.host));
        self.number(Field::RequestContentSize, record.request_bytes);
        self.number(Field::RequestCount, self.line.count);
        self.text(Field::RequestHost, Some(host));
        self.text(Field::RequestMethod, Some(&record.method));
        self.text(Field::RequestPath, Some(self.line.path()));
        self.text(Field::RequestPort, Some(port));
        self.text(Field::RequestProtocol, Some(record.version.as_str()));
        self.text(Field::RequestScheme, Some(record.scheme));
        self.number(Field::RetryAttempts, u64::from(record.retries));
    }

    fn route(&mut self) {
        let record = self.line.record;
        self.text(Field::RouterName, record.router.as_deref());
        self.text(Field::ServiceAddr, record.server_addr.as_deref());
        self.text(Field::ServiceName, self.line.service());
        self.text(Field::ServiceUrl, record.server_url.as_deref());
        if let Some(trace) = &record.trace
            && self.key(Field::SpanId)
        {
            self.id(&trace.span.text());
        }
    }

    fn start(&mut self, clock: &mut Clock) {
        let (second, nanos) = clock.start(self.line.record.started_at.unwrap_or(SystemTime::UNIX_EPOCH));
        let times = [
            (Field::StartLocal, &*second.local, &*second.offset),
            (Field::StartUtc, &*second.utc, "Z"),
        ];
        for (field, text, offset) in times {
            if self.key(field) {
                self.out.push(b'"');
                self.out.extend_from_slice(text.as_bytes());
                write_fraction(self.out, nanos);
                self.out.extend_from_slice(offset.as_bytes());
                self.out.extend_from_slice(b"\",");
            }
        }
    }

    fn tls(&mut self) {
        let record = self.line.record;
        let given = |text: &'static str| Some(text).filter(|t| !t.is_empty());
        self.text(Field::TlsCipher, given(record.tls_cipher));
        self.text(Field::TlsClientSubject, record.tls_client_subject.as_deref());
        self.text(Field::TlsVersion, given(record.tls_version));
        if let Some(trace) = &record.trace
            && self.key(Field::TraceId)
        {
            self.id(&trace.id.text());
        }
    }

    /// Headers with `prefix` before their names; the values of one name are joined by commas.
    fn headers(&mut self, prefix: &str, headers: Option<&Headers>) {
        let Some(headers) = headers.filter(|_| self.line.fields.any_header()) else {
            return;
        };
        for (i, (name, _)) in headers.iter().enumerate() {
            let mode = self.line.fields.header(name);
            let again = headers.iter().take(i).any(|(n, _)| n.eq_ignore_ascii_case(name));
            if mode == Mode::Drop || again || name.eq_ignore_ascii_case(b"host") {
                continue;
            }
            self.out.push(b'"');
            self.out.extend_from_slice(prefix.as_bytes());
            json_inner(self.out, name);
            self.out.extend_from_slice(b"\":\"");
            if mode == Mode::Redact {
                self.out.extend_from_slice(b"REDACTED");
            } else {
                for (i, value) in headers.get_all(name).enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    json_inner(self.out, value);
                }
            }
            self.out.extend_from_slice(b"\",");
        }
    }
}

/// Host and port of a `Host` value; `-` for no port. What cannot be taken apart is all host.
fn split_host(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if name.starts_with('[') && name.ends_with(']') => {
            (&name[1..name.len() - 1], port)
        }
        Some((name, port)) if !name.contains([':', '[', ']']) => (name, port),
        _ => (host, "-"),
    }
}

/// A finite number, as JSON.
fn float(out: &mut Vec<u8>, n: f64) {
    use std::io::Write as _;
    // Writing to a vector does not fail.
    let _ = write!(out, "{n}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let check = |host: &str, want: (&str, &str)| assert_eq!(split_host(host), want, "{host}");
        check("a.test", ("a.test", "-"));
        check("a.test:8080", ("a.test", "8080"));
        check("[::1]:80", ("::1", "80"));
        check("[::1]", ("[::1]", "-"));
        check("::1", ("::1", "-"));
        check("", ("", "-"));
    }
}
