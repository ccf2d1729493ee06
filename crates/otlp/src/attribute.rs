//! Attributes: named values of OTLP's common messages.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};

/// Bytes of one text that are sent; the rest is cut off.
const MAX_TEXT: usize = 8 * 1024;

/// As much of a text as is sent.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

/// Text as a value.
pub fn text(text: &str) -> AnyValue {
    any(Value::StringValue(cut(text).to_owned()))
}

/// A number as a value.
pub fn int(n: i64) -> AnyValue {
    any(Value::IntValue(n))
}

/// A value of JSON; null is none.
pub fn json(value: &serde_json::Value) -> Option<AnyValue> {
    use serde_json::Value as Json;
    Some(match value {
        Json::Null => return None,
        Json::Bool(b) => any(Value::BoolValue(*b)),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => int(n),
            (None, Some(n)) => any(Value::DoubleValue(n)),
            (None, None) => text(&n.to_string()),
        },
        Json::String(s) => text(s),
        other => text(&other.to_string()),
    })
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// A named value.
pub fn named(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(value),
        ..KeyValue::default()
    }
}

/// Who says all this.
pub fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "github.com/traefik/traefik".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = "ä".repeat(MAX_TEXT);
        let Some(Value::StringValue(cut)) = text(&long).value else {
            panic!("no text")
        };
        assert_eq!(cut.len(), MAX_TEXT);
        assert!(long.starts_with(&cut));
        let odd = format!("x{long}");
        let Some(Value::StringValue(cut)) = text(&odd).value else {
            panic!("no text")
        };
        assert_eq!(cut.len(), MAX_TEXT - 1);
    }

    #[test]
    fn json_values() {
        let check = |json_text: &str, want: Option<Value>| {
            let value = serde_json::from_str(json_text).unwrap();
            assert_eq!(json(&value).and_then(|v| v.value), want, "{json_text}");
        };
        check("1", Some(Value::IntValue(1)));
        check("1.5", Some(Value::DoubleValue(1.5)));
        check("\"a\"", Some(Value::StringValue("a".into())));
        check("true", Some(Value::BoolValue(true)));
        check("null", None);
        check("[1]", Some(Value::StringValue("[1]".into())));
    }
}
