//! `traceparent` and `tracestate` (W3C Trace Context §3.2, §3.3). Read strictly: what is wrong is as if it were not there.

use super::id::{SpanId, TraceId, hex};
use super::propagate::Remote;
use crate::{Headers, Known};

const PARENT: &str = "Traceparent";
const STATE: &str = "Tracestate";

/// Bytes of a `tracestate` that is passed on: twice what everybody has to take (§3.3.1.5).
const MAX_STATE: usize = 1024;
/// Members of a `tracestate` (§3.3.1.1).
const MAX_MEMBERS: usize = 32;

/// The caller's place in its trace.
pub fn extract(headers: &Headers) -> Option<Remote> {
    let mut values = headers.get_all(PARENT.as_bytes());
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    place(value, || state(headers.get_all(STATE.as_bytes())))
}

/// The caller's place as a message tells it.
pub fn read(parent: &str, state_text: Option<&str>) -> Option<Remote> {
    place(parent.as_bytes(), || {
        state(state_text.map(str::as_bytes).into_iter())
    })
}

fn place(value: &[u8], state: impl FnOnce() -> Option<Box<str>>) -> Option<Remote> {
    let (trace, span, sampled) = parent(value)?;
    Some(Remote {
        trace,
        span,
        sampled: Some(sampled),
        state: state(),
    })
}

/// Writes both; a state that is not ours to tell is taken away.
pub fn inject(headers: &mut Headers, trace: TraceId, span: SpanId, sampled: bool, state: Option<&str>) {
    headers.set_known(Known::Traceparent, parent_text(trace, span, sampled));
    match state {
        Some(state) => headers.set(STATE, state),
        None => drop(headers.remove(STATE)),
    }
}

/// `traceparent` as it is written.
pub fn parent_text(trace: TraceId, span: SpanId, sampled: bool) -> [u8; 55] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    text[3..35].copy_from_slice(&trace.text());
    text[36..52].copy_from_slice(&span.text());
    text[54] += u8::from(sampled);
    text
}

/// `version-trace-span-flags`. Later versions may say more behind a further hyphen; version `ff` is none.
fn parent(value: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    let fields = value.get(..55)?;
    let hyphens = [2, 35, 52].iter().all(|&at| fields[at] == b'-');
    let version = hex(&fields[..2])?;
    let ends = match version {
        0xff => false,
        0 => value.len() == 55,
        _ => value.get(55).is_none_or(|b| *b == b'-'),
    };
    if !hyphens || !ends {
        return None;
    }
    let flags = hex(&fields[53..])?;
    Some((
        TraceId::parse(&fields[3..35])?,
        SpanId::parse(&fields[36..52])?,
        flags & 1 == 1,
    ))
}

/// The state of all lines in one, if every member is well formed.
fn state<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Box<str>> {
    let mut all = String::new();
    for line in lines {
        if all.len() + line.len() > MAX_STATE {
            return None;
        }
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(std::str::from_utf8(line).ok()?);
    }
    let mut keys = Vec::new();
    for member in all.split(',').map(|m| m.trim_matches([' ', '\t'])) {
        // Empty members are allowed, and nothing.
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MAX_MEMBERS {
            return None;
        }
        keys.push(key);
    }
    (!keys.is_empty()).then(|| all.into())
}

/// §3.3.1.3.1: `vendor` or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    let well = |part: &str, digit_first: bool, max: usize| {
        let first = part
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || (digit_first && b.is_ascii_digit()));
        let rest = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
        first && part.len() <= max && part.bytes().all(rest)
    };
    match key.split_once('@') {
        Some((tenant, vendor)) => well(tenant, true, 241) && well(vendor, false, 14),
        None => well(key, true, 256),
    }
}

/// §3.3.1.3.2: visible ASCII and inner spaces without `,` and `=`.
fn is_value(value: &str) -> bool {
    let allowed = |b: u8| matches!(b, b' '..=b'~') && b != b',' && b != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(allowed) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn list(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    #[test]
    fn parents() {
        let check = |value: &str, want: Option<bool>| {
            let got = extract(&list(&[("traceparent", value)]));
            assert_eq!(got.and_then(|r| r.sampled), want, "{value}");
        };
        check(GOOD, Some(true));
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            Some(false),
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            Some(true),
        );
        check(
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Some(true),
        );
        check(
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
            Some(true),
        );
        check(
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            None,
        );
        check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", None);
        check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", None);
        check("0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é1", None);
        check("", None);
        let twice = list(&[("Traceparent", GOOD), ("traceparent", GOOD)]);
        assert!(extract(&twice).is_none(), "two parents are none");
    }

    #[test]
    fn states() {
        let check = |lines: &[&str], want: Option<&str>| {
            let mut headers = list(&[("traceparent", GOOD)]);
            lines.iter().for_each(|line| headers.append("tracestate", line));
            assert_eq!(extract(&headers).unwrap().state.as_deref(), want, "{lines:?}");
        };
        check(&[], None);
        check(
            &["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"],
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        );
        check(&["a=1", "b=2"], Some("a=1,b=2"));
        check(&["tenant@vendor=x y"], Some("tenant@vendor=x y"));
        check(&["a=1,,b=2"], Some("a=1,,b=2"));
        for bad in [
            "A=1", "a", "a=", "=1", "a=1,a=2", "a=x=y", "1@2=x", "a=\u{e9}", " , ",
        ] {
            check(&[bad], None);
        }
        check(&[&format!("a={}", "x".repeat(257))], None);
        let many: Vec<String> = (0..33).map(|i| format!("k{i}=1")).collect();
        check(&[&many.join(",")], None);
        check(&[&many[..32].join(",")], Some(&many[..32].join(",")));
        check(
            &[
                "a=1",
                &format!("b={}", "x".repeat(250)),
                &["c=", &"y".repeat(1000)].concat(),
            ],
            None,
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut headers = list(&[("tracestate", "theirs=1"), ("Traceparent", "nonsense")]);
        let (trace, span) = (TraceId::random(), SpanId::random());
        inject(&mut headers, trace, span, true, Some("ours=1"));
        let read = extract(&headers).unwrap();
        assert_eq!((read.trace, read.span, read.sampled), (trace, span, Some(true)));
        assert_eq!(read.state.as_deref(), Some("ours=1"));
        inject(&mut headers, trace, span, false, None);
        let read = extract(&headers).unwrap();
        assert_eq!((read.sampled, read.state), (Some(false), None));
    }
}
