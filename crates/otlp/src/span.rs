//! One span, as it is written into a message. The numbers are those of the fields of OpenTelemetry's `Span`, `KeyValue`, `AnyValue`,
//! `Link` and `Status`.

use crate::attribute::cut;
use crate::protobuf::{bytes, fixed32, fixed64, int, message, some_bytes};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use trilithon_flow::trace::{SpanId, TraceId};

/// `ScopeSpans.spans`.
const SPANS: u32 = 2;
/// Sampled (W3C Trace Context §3.2.2.5.1).
const SAMPLED: u32 = 1;

/// Where a span stands.
pub struct Place<'a> {
    pub trace: TraceId,
    pub state: &'a str,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
}

/// A span that has its place and is told the rest: first [`Span::named`], then attributes, [`Span::link`] and
/// [`Span::failed`] at the end.
pub struct Span<'a> {
    out: &'a mut Vec<u8>,
    start: u64,
    end: u64,
}

impl Span<'_> {
    /// Writes the span at `place`, of which `tell` tells the rest, into the spans of a scope.
    pub fn write(out: &mut Vec<u8>, place: &Place<'_>, tell: impl FnOnce(&mut Span<'_>)) {
        message(out, SPANS, |out| {
            bytes(out, 1, &place.trace.bytes());
            bytes(out, 2, &place.id.bytes());
            some_bytes(out, 3, place.state.as_bytes());
            if let Some(parent) = place.parent {
                bytes(out, 4, &parent.bytes());
            }
            tell(&mut Span {
                out,
                start: place.start,
                end: place.end,
            });
            fixed32(out, 16, SAMPLED);
        });
    }

    /// Name and kind.
    pub fn named(&mut self, name: &str, kind: SpanKind) {
        some_bytes(self.out, 5, name.as_bytes());
        int(self.out, 6, i64::from(kind as i32));
        fixed64(self.out, 7, self.start);
        fixed64(self.out, 8, self.end);
    }

    /// An attribute that is text; the end of one that is too long is cut off.
    pub fn text(&mut self, key: &str, value: &str) {
        self.whole_text(key, cut(value));
    }

    /// An attribute that is a text of any length: whoever makes it bounds it.
    pub fn whole_text(&mut self, key: &str, value: &str) {
        self.attribute(key, |out| bytes(out, 1, value.as_bytes()));
    }

    /// An attribute that is text, if there is one.
    pub fn some_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// An attribute that is a number.
    pub fn int(&mut self, key: &str, value: i64) {
        self.attribute(key, |out| int(out, 3, value));
    }

    /// An attribute that is a number without a sign; one beyond what the protocol has is its largest.
    pub fn count(&mut self, key: &str, value: u64) {
        self.int(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// An attribute that is a list of texts.
    pub fn texts<T: AsRef<str>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        self.attribute(key, |out| {
            message(out, 5, |out| {
                for value in values {
                    message(out, 1, |out| bytes(out, 1, cut(value.as_ref()).as_bytes()));
                }
            });
        });
    }

    fn attribute(&mut self, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
        message(self.out, 9, |out| {
            some_bytes(out, 1, key.as_bytes());
            message(out, 2, value);
        });
    }

    /// A span elsewhere that it belongs to.
    pub fn link(&mut self, trace: TraceId, id: SpanId) {
        message(self.out, 13, |out| {
            bytes(out, 1, &trace.bytes());
            bytes(out, 2, &id.bytes());
        });
    }

    /// It failed, for a reason that may be empty.
    pub fn failed(&mut self, why: &str) {
        message(self.out, 15, |out| {
            some_bytes(out, 2, why.as_bytes());
            int(out, 3, i64::from(StatusCode::Error as i32));
        });
    }
}

#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::attribute;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value};
    use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span as Message};
    use prost::Message as _;

    /// The spans that were written, which are written as the library writes them.
    #[track_caller]
    pub fn read(written: &[u8]) -> Vec<Message> {
        let read = ScopeSpans::decode(written).expect("spans");
        assert!(read.encode_to_vec() == written, "another form: {read:?}");
        read.spans
    }

    /// The span that `tell` tells.
    #[track_caller]
    pub fn told(tell: impl FnOnce(&mut Span<'_>)) -> Message {
        let place = Place {
            trace: TraceId::random(),
            state: "",
            id: SpanId::random(),
            parent: None,
            start: 1,
            end: 2,
        };
        let mut out = Vec::new();
        Span::write(&mut out, &place, tell);
        read(&out).pop().expect("a span")
    }

    /// The names of a span's attributes, in order.
    pub fn keys(span: &Message) -> Vec<&str> {
        span.attributes.iter().map(|a| a.key.as_str()).collect()
    }

    /// A list of texts as a value.
    pub fn texts(all: &[&str]) -> AnyValue {
        let values = all.iter().map(|text| attribute::text(text)).collect();
        AnyValue {
            value: Some(any_value::Value::ArrayValue(ArrayValue { values })),
        }
    }

    pub fn value<'a>(span: &'a Message, key: &str) -> Option<&'a AnyValue> {
        span.attributes.iter().find(|a| a.key == key)?.value.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{read, texts, value};
    use super::*;
    use crate::attribute;
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::span::Link;
    use opentelemetry_proto::tonic::trace::v1::{Span as Message, Status};

    #[test]
    fn a_span_is_what_the_library_reads() {
        let place = Place {
            trace: TraceId::random(),
            state: "a=b",
            id: SpanId::random(),
            parent: Some(SpanId::random()),
            start: 1,
            end: u64::MAX,
        };
        let long = "ä".repeat(200);
        let mut out = Vec::new();
        Span::write(&mut out, &place, |span| {
            span.named("GET", SpanKind::Server);
            span.text("text", &long);
            span.text("empty", "");
            span.some_text("none", None);
            span.int("int", -1);
            span.count("count", u64::MAX);
            span.texts("texts", ["a", ""]);
            span.link(place.trace, place.id);
            span.failed("why");
        });
        let attributes = [
            ("text", attribute::text(&long)),
            ("empty", attribute::text("")),
            ("int", attribute::int(-1)),
            ("count", attribute::int(i64::MAX)),
            ("texts", texts(&["a", ""])),
        ];
        let want = Message {
            trace_id: place.trace.bytes().to_vec(),
            span_id: place.id.bytes().to_vec(),
            trace_state: "a=b".to_owned(),
            parent_span_id: place.parent.expect("it has one").bytes().to_vec(),
            flags: 1,
            name: "GET".to_owned(),
            kind: SpanKind::Server as i32,
            start_time_unix_nano: 1,
            end_time_unix_nano: u64::MAX,
            attributes: attributes
                .map(|(key, value)| attribute::named(key, value))
                .to_vec(),
            links: vec![Link {
                trace_id: place.trace.bytes().to_vec(),
                span_id: place.id.bytes().to_vec(),
                ..Link::default()
            }],
            status: Some(Status {
                message: "why".to_owned(),
                code: StatusCode::Error as i32,
            }),
            ..Message::default()
        };
        assert_eq!(read(&out), [want]);
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(1 << 20);
        let span = testing::told(|span| {
            span.text("cut", &long);
            span.texts("each", [&long]);
            span.whole_text("whole", &long);
        });
        assert!(value(&span, "cut") == Some(&attribute::text(&long)));
        assert!(value(&span, "each") == Some(&texts(&[&long])));
        let whole = AnyValue {
            value: Some(Value::StringValue(long)),
        };
        assert!(value(&span, "whole") == Some(&whole));
    }
}
