//! A number that goes on as it is written: no digit of it is lost on the way.

use serde_json::Value;

use crate::decode::{Cx, Decode, Kind};
use crate::encode::{Encode, Secrets};
use crate::node::{Node, Value as Written};
use crate::problem::{Problem, code};
use crate::shape::Shape;

/// A number in JSON's grammar, kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Reads a number; what only other grammars take (`1.`, `+1`, `inf`) is written anew.
    pub fn parse(text: &str) -> Option<Number> {
        let value: f64 = text.parse().ok().filter(|n: &f64| n.is_finite())?;
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(_) => Some(Number(text.to_owned())),
            Err(_) => serde_json::Number::from_f64(value).map(|n| Number(n.to_string())),
        }
    }

    /// As JSON writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Number {
    fn default() -> Number {
        Number("0".to_owned())
    }
}

impl Decode for Number {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let text = match &node.value {
            Written::Scalar(scalar) => scalar.text.trim(),
            Written::Null => return,
            _ => return cx.wrong_type("a number", node),
        };
        match Number::parse(text) {
            Some(number) => *self = number,
            None => {
                let message = format!("`{}` expects a number, found `{text}`", cx.path());
                cx.refuse(Problem::error(code::BAD_FLOAT, node.span.clone(), message));
            }
        }
    }

    fn shape() -> Shape {
        Shape::Float
    }
}

impl Encode for Number {
    fn encode(&self, _: Secrets) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(Number::parse(text).as_ref().map(Number::as_str), want, "{text}");
        };
        check("0.70", Some("0.70"));
        check("4096", Some("4096"));
        check("-1e3", Some("-1e3"));
        check("1.", Some("1.0"));
        check("+1", Some("1.0"));
        check(".5", Some("0.5"));
        for bad in ["", "x", "inf", "NaN", "1,5", "0x10"] {
            check(bad, None);
        }
    }
}
