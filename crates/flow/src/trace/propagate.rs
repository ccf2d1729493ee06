//! How a trace goes from one process to the next: the formats of `OTEL_PROPAGATORS`.
//!
//! `baggage` has nothing to read or write here: the header goes through a gateway like any other ([`super::baggage`] is about one
//! member of it).

use super::id::{SpanId, TraceId, hex};
use super::w3c;
use crate::Headers;

/// A caller's place in its trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    pub trace: TraceId,
    pub span: SpanId,
    /// Whether the caller records; `None` when it left that open.
    pub sampled: Option<bool>,
    /// What vendors told each other (`tracestate`), well formed.
    pub state: Option<Box<str>>,
}

/// One format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagator {
    /// `traceparent`, `tracestate`.
    TraceContext,
    /// `b3` in one header.
    B3,
    /// `X-B3-*`.
    B3Multi,
    /// `uber-trace-id`.
    Jaeger,
}

/// The formats in use, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Propagators([Option<Propagator>; 4]);

impl Propagators {
    /// The formats of `OTEL_PROPAGATORS`, its default without one, and the names in it that are not known. `none` is none.
    pub fn read(names: Option<&str>) -> (Propagators, Vec<String>) {
        let mut formats = Vec::new();
        let mut unknown = Vec::new();
        let names = names
            .filter(|n| !n.trim().is_empty())
            .unwrap_or("tracecontext,baggage");
        for name in names.split(',').map(str::trim) {
            let format = match name.to_ascii_lowercase().as_str() {
                "tracecontext" => Propagator::TraceContext,
                "b3" => Propagator::B3,
                "b3multi" => Propagator::B3Multi,
                "jaeger" => Propagator::Jaeger,
                "baggage" | "none" | "" => continue,
                _ => {
                    unknown.push(name.to_owned());
                    continue;
                }
            };
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        let mut formats = formats.into_iter();
        (Propagators(std::array::from_fn(|_| formats.next())), unknown)
    }

    /// Whether W3C Trace Context is one of them.
    pub(super) fn has_w3c(self) -> bool {
        self.each().any(|format| format == Propagator::TraceContext)
    }

    fn each(self) -> impl Iterator<Item = Propagator> {
        self.0.into_iter().flatten()
    }

    /// The caller's place; a later format has the last word.
    pub fn extract(self, headers: &Headers) -> Option<Remote> {
        self.each()
            .filter_map(|format| match format {
                Propagator::TraceContext => w3c::extract(headers),
                Propagator::B3 => b3(headers.get("B3")?),
                Propagator::B3Multi => b3_multi(headers),
                Propagator::Jaeger => jaeger(headers.get("Uber-Trace-Id")?),
            })
            .last()
    }

    /// Tells the next one: `place` is where it will stand, `state` what goes with it.
    pub fn inject(self, headers: &mut Headers, place: &Remote, state: Option<&str>) {
        let (id, span, sampled) = (place.trace, place.span, place.sampled == Some(true));
        for format in self.each() {
            match format {
                Propagator::TraceContext => w3c::inject(headers, id, span, sampled, state),
                Propagator::B3 => headers.set("B3", format!("{id}-{span}-{}", u8::from(sampled))),
                Propagator::B3Multi => {
                    headers.remove("X-B3-Parentspanid");
                    headers.remove("X-B3-Flags");
                    headers.set("X-B3-Traceid", id.text());
                    headers.set("X-B3-Spanid", span.text());
                    headers.set("X-B3-Sampled", if sampled { "1" } else { "0" });
                }
                Propagator::Jaeger => {
                    headers.set("Uber-Trace-Id", format!("{id}:{span}:0:{}", u8::from(sampled)));
                }
            }
        }
    }
}

/// `trace-span[-sampled[-parent]]`. A lone decision names no trace.
fn b3(value: &[u8]) -> Option<Remote> {
    let mut parts = value.split(|b| *b == b'-');
    let (trace, span) = (b3_trace(parts.next()?)?, SpanId::parse(parts.next()?)?);
    let sampled = match parts.next() {
        None => None,
        Some(b"1" | b"d") => Some(true),
        Some(b"0") => Some(false),
        Some(_) => return None,
    };
    if parts.next().is_some_and(|parent| SpanId::parse(parent).is_none()) || parts.next().is_some() {
        return None;
    }
    Some(remote(trace, span, sampled))
}

fn b3_multi(headers: &Headers) -> Option<Remote> {
    let trace = b3_trace(headers.get("X-B3-Traceid")?)?;
    let span = SpanId::parse(headers.get("X-B3-Spanid")?)?;
    let sampled = match (headers.get("X-B3-Flags"), headers.get("X-B3-Sampled")) {
        (Some(b"1"), _) | (_, Some(b"1" | b"true")) => Some(true),
        (_, Some(b"0" | b"false")) => Some(false),
        (_, None) => None,
        (_, Some(_)) => return None,
    };
    Some(remote(trace, span, sampled))
}

/// 128 bits, or the lower 64 of them.
fn b3_trace(text: &[u8]) -> Option<TraceId> {
    matches!(text.len(), 16 | 32)
        .then(|| hex(text))?
        .and_then(TraceId::from_number)
}

/// `trace:span:parent:flags`, each without leading zeros.
fn jaeger(value: &[u8]) -> Option<Remote> {
    let parts: Vec<&[u8]> = value.splitn(5, |b| *b == b':').collect();
    let [trace, span, parent, flags] = parts[..] else {
        return None;
    };
    hex(parent)?;
    let flags = hex(flags).filter(|f| *f <= 0xff)?;
    let (trace, span) = (
        TraceId::from_number(hex(trace)?)?,
        SpanId::from_number(hex(span)?)?,
    );
    Some(remote(trace, span, Some(flags & 1 == 1)))
}

fn remote(trace: TraceId, span: SpanId, sampled: Option<bool>) -> Remote {
    Remote {
        trace,
        span,
        sampled,
        state: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn names() {
        let check = |names: Option<&str>, want: &[Propagator], unknown: &[&str]| {
            let (formats, others) = Propagators::read(names);
            assert_eq!(formats.each().collect::<Vec<_>>(), want, "{names:?}");
            assert_eq!(others, unknown);
        };
        use Propagator::{B3, B3Multi, Jaeger, TraceContext};
        check(None, &[TraceContext], &[]);
        check(Some(" "), &[TraceContext], &[]);
        check(Some("none"), &[], &[]);
        check(Some("b3multi, jaeger,B3,b3"), &[B3Multi, Jaeger, B3], &[]);
        check(
            Some("xray,tracecontext,ottrace"),
            &[TraceContext],
            &["xray", "ottrace"],
        );
    }

    #[test]
    fn extraction() {
        let check = |format: &str, fields: &[(&str, &str)], want: Option<(&str, Option<bool>)>| {
            let got = Propagators::read(Some(format))
                .0
                .extract(&fields.iter().copied().collect());
            let got = got.map(|r| (r.trace.to_string(), r.sampled));
            assert_eq!(got, want.map(|(id, s)| (id.to_owned(), s)), "{fields:?}");
        };
        let b3 = |value: &str, want| check("b3", &[("b3", value)], want);
        b3(&format!("{ID}-00f067aa0ba902b7-1"), Some((ID, Some(true))));
        b3(&format!("{ID}-00f067aa0ba902b7-d"), Some((ID, Some(true))));
        b3(
            &format!("{ID}-00f067aa0ba902b7-0-00f067aa0ba902b8"),
            Some((ID, Some(false))),
        );
        b3(&format!("{ID}-00f067aa0ba902b7"), Some((ID, None)));
        b3(
            "a3ce929d0e0e4736-00f067aa0ba902b7-1",
            Some(("0000000000000000a3ce929d0e0e4736", Some(true))),
        );
        for bad in ["0", "", "x-y-1", "a3ce-00f067aa0ba902b7-1"] {
            b3(bad, None);
        }
        b3(&format!("{ID}-00f067aa0ba902b7-2"), None);
        let span = ("X-B3-SpanId", "00f067aa0ba902b7");
        check("b3multi", &[("x-b3-traceid", ID), span], Some((ID, None)));
        check(
            "b3multi",
            &[("x-b3-traceid", ID), span, ("x-b3-sampled", "0")],
            Some((ID, Some(false))),
        );
        check(
            "b3multi",
            &[("x-b3-traceid", ID), span, ("x-b3-flags", "1")],
            Some((ID, Some(true))),
        );
        check(
            "b3multi",
            &[("x-b3-traceid", ID), span, ("x-b3-sampled", "?")],
            None,
        );
        check("b3multi", &[("x-b3-traceid", ID)], None);
        let jaeger = |value: &str, want| check("jaeger", &[("uber-trace-id", value)], want);
        jaeger(&format!("{ID}:f067aa0ba902b7:0:1"), Some((ID, Some(true))));
        jaeger(
            "a3ce929d0e0e4736:1:0:0",
            Some(("0000000000000000a3ce929d0e0e4736", Some(false))),
        );
        for bad in [
            "1:1:0",
            "1:0:0:1",
            "1:1:0:1:1",
            "1:1:0:fff",
            "1:11111111111111111:0:1",
            ":::",
        ] {
            jaeger(bad, None);
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for format in ["tracecontext", "b3", "b3multi", "jaeger"] {
            let formats = Propagators::read(Some(format)).0;
            let place = remote(TraceId::random(), SpanId::random(), Some(true));
            let mut headers = Headers::new();
            formats.inject(&mut headers, &place, None);
            assert_eq!(formats.extract(&headers), Some(place), "{format}");
        }
    }

    /// Bytes of good headers, changed at random: nothing panics, and what is read can be told and read again.
    #[test]
    fn hostile_headers() {
        let good = [
            ("traceparent", format!("00-{ID}-00f067aa0ba902b7-01")),
            (
                "tracestate",
                "rojo=00f067aa0ba902b7,tenant@congo=t61rcWkgMzE".to_owned(),
            ),
            ("b3", format!("{ID}-00f067aa0ba902b7-1-00f067aa0ba902b8")),
            ("x-b3-traceid", ID.to_owned()),
            ("x-b3-spanid", "00f067aa0ba902b7".to_owned()),
            ("uber-trace-id", format!("{ID}:00f067aa0ba902b7:0:1")),
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let mut change = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..random.usize(..3) {
                let at = random.usize(..bytes.len());
                match random.u8(..3) {
                    0 => bytes[at] = random.u8(..),
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, random.choice(*b"0-=,:@af").unwrap_or(b'-')),
                }
            }
            bytes
        };
        for round in 0..20_000 {
            let mut headers = Headers::new();
            good.iter()
                .for_each(|(name, value)| headers.append(name, change(value)));
            for format in ["tracecontext", "b3", "b3multi", "jaeger"] {
                let formats = Propagators::read(Some(format)).0;
                let Some(read) = formats.extract(&headers) else {
                    continue;
                };
                let mut told = headers.clone();
                let place = Remote {
                    sampled: Some(read.sampled == Some(true)),
                    ..read.clone()
                };
                formats.inject(&mut told, &place, read.state.as_deref());
                assert_eq!(formats.extract(&told), Some(place), "round {round}, {format}");
            }
        }
    }
}
