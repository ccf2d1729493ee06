//! The values of facts and expressions: CEL's types without bytes, timestamps and messages. They borrow from the request, the
//! identity or the expression wherever they can.

use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// One value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Whole numbers beyond `i64`, and those written with `u`.
    UInt(u64),
    Double(f64),
    Text(Cow<'a, str>),
    List(List<'a>),
    Map(&'a Map<String, Json>),
}

/// Several values, wherever they are.
#[derive(Clone, Debug)]
pub enum List<'a> {
    Json(&'a [Json]),
    Texts(&'a [Arc<str>]),
    Lent(&'a [Value<'a>]),
    Own(Vec<Value<'a>>),
}

/// The type of a value, as far as it is known before there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// Numbers of all kinds compare with each other.
    Number,
    Text,
    List,
    Map,
    Null,
}

impl Kind {
    /// As the manual and messages name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Bool => "truth value",
            Kind::Number => "number",
            Kind::Text => "text",
            Kind::List => "list",
            Kind::Map => "object",
            Kind::Null => "null",
        }
    }
}

/// Why an expression has no value. It counts as a denial.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    #[error("there is no `{0}`")]
    Absent(String),
    #[error("`{0}` is there in another spelling")]
    Misspelt(String),
    #[error("`{0}` comes more than once")]
    Repeated(String),
    #[error("`{0}` is not text in UTF-8")]
    NotText(String),
    #[error("`{operation}` has no meaning for {of}")]
    Mismatch { operation: &'static str, of: String },
    #[error("`{0}` leaves the range of its numbers")]
    Overflow(&'static str),
    #[error("division by zero")]
    DivisionByZero,
    #[error("the list has no item {0}")]
    NoItem(i64),
    #[error("`{0}` cannot be read as a number")]
    NotANumber(String),
    #[error("it takes more than {} steps", crate::cel::MAX_STEPS)]
    TooLong,
}

impl Failure {
    /// An operation on values of types that it is not for.
    pub fn mismatch(operation: &'static str, values: &[&Value<'_>]) -> Failure {
        let kinds: Vec<&str> = values.iter().map(|v| v.kind().as_str()).collect();
        Failure::Mismatch {
            operation,
            of: kinds.join(" and "),
        }
    }
}

impl<'a> Value<'a> {
    /// A text that is borrowed.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }

    /// What JSON holds.
    pub fn of_json(json: &'a Json) -> Value<'a> {
        match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(n), _) => Value::Int(n),
                (None, Some(n)) => Value::UInt(n),
                _ => Value::Double(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::text(text),
            Json::Array(items) => Value::List(List::Json(items)),
            Json::Object(map) => Value::Map(map),
        }
    }

    /// The same value, borrowed.
    pub fn lend(&'a self) -> Value<'a> {
        match self {
            Value::Text(text) => Value::text(text),
            Value::List(List::Own(items)) => Value::List(List::Lent(items)),
            other => other.clone(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) | Value::UInt(_) | Value::Double(_) => Kind::Number,
            Value::Text(_) => Kind::Text,
            Value::List(_) => Kind::List,
            Value::Map(_) => Kind::Map,
        }
    }

    /// Whether it says nothing: what a fact is when there is none.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.len() == 0,
            Value::Map(map) => map.is_empty(),
            Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Double(_) => false,
        }
    }

    /// A member of an object.
    ///
    /// # Errors
    /// There is none of that name, or this is no object.
    pub fn member(&self, name: &str) -> Result<Value<'a>, Failure> {
        match self {
            Value::Map(map) => map
                .get(name)
                .map(Value::of_json)
                .ok_or_else(|| Failure::Absent(name.to_owned())),
            other => Err(Failure::mismatch(".", &[other])),
        }
    }

    /// CEL's equality: numbers by value, everything else by type and value; different types are unequal.
    pub fn same(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.same(&b))
            }
            (Value::Map(a), Value::Map(b)) => {
                let equal = |(name, value): (&String, &Json)| {
                    b.get(name)
                        .is_some_and(|other| Value::of_json(value).same(&Value::of_json(other)))
                };
                a.len() == b.len() && a.iter().all(equal)
            }
            (a, b) if a.kind() == Kind::Number && b.kind() == Kind::Number => {
                numeric_order(a, b) == Some(Ordering::Equal)
            }
            _ => false,
        }
    }

    /// Which comes first; `None` when a number is none.
    ///
    /// # Errors
    /// Types that have no order, or not the same one.
    pub fn order(&self, other: &Value<'_>, operation: &'static str) -> Result<Option<Ordering>, Failure> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(b))),
            (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
            (a, b) if a.kind() == Kind::Number && b.kind() == Kind::Number => Ok(numeric_order(a, b)),
            (a, b) => Err(Failure::mismatch(operation, &[a, b])),
        }
    }
}

/// The order of two numbers by their value, whatever their types.
fn numeric_order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => with_double(a, double(b)),
        (None, Some(b)) => with_double(b, double(a)).map(Ordering::reverse),
        (None, None) => double(a).partial_cmp(&double(b)),
    }
}

fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(n) => Some((*n).into()),
        Value::UInt(n) => Some((*n).into()),
        _ => None,
    }
}

fn double(value: &Value<'_>) -> f64 {
    match value {
        Value::Double(n) => *n,
        _ => f64::NAN,
    }
}

/// Compares without loss: the whole numbers here are within 65 bits, and the double is compared by its whole part first.
fn with_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double.abs() >= 1e30 {
        return Some(if double > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        });
    }
    let floor = double.floor();
    let order = whole.cmp(&(floor as i128));
    Some(if order == Ordering::Equal && double > floor {
        Ordering::Less
    } else {
        order
    })
}

impl<'a> List<'a> {
    pub fn len(&self) -> usize {
        match self {
            List::Json(items) => items.len(),
            List::Texts(items) => items.len(),
            List::Lent(items) => items.len(),
            List::Own(items) => items.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at `index`, from 0.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            List::Json(items) => items.get(index).map(Value::of_json),
            List::Texts(items) => items.get(index).map(|t| Value::text(t)),
            List::Lent(items) => items.get(index).map(|v| v.lend()),
            List::Own(items) => items.get(index).cloned(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|i| self.get(i))
    }

    /// Whether an item is the same as `wanted`.
    pub fn contains(&self, wanted: &Value<'_>) -> bool {
        match (self, wanted) {
            // The common case, without making values.
            (List::Texts(items), Value::Text(text)) => items.iter().any(|t| **t == **text),
            (List::Json(items), Value::Text(text)) => items.iter().any(|t| t.as_str() == Some(text)),
            (List::Lent(items), _) => items.iter().any(|v| v.same(wanted)),
            (List::Own(items), _) => items.iter().any(|v| v.same(wanted)),
            _ => self.iter().any(|v| v.same(wanted)),
        }
    }
}

/// For people: text as it is, lists and objects as JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::UInt(n) => write!(f, "{n}"),
            Value::Double(n) => write!(f, "{n}"),
            Value::Text(text) => f.write_str(text),
            Value::Map(map) => write_json(f, map),
            Value::List(list) => {
                f.write_str("[")?;
                for (i, item) in list.iter().enumerate() {
                    f.write_str(if i > 0 { ", " } else { "" })?;
                    match item {
                        Value::Text(text) => write_json(f, &text)?,
                        other => write!(f, "{other}")?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

fn write_json(f: &mut fmt::Formatter<'_>, value: &impl serde::Serialize) -> fmt::Result {
    f.write_str(&serde_json::to_string(value).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equality() {
        let check = |a: Json, b: Json, want: bool| {
            assert_eq!(Value::of_json(&a).same(&Value::of_json(&b)), want, "{a} {b}");
            assert_eq!(Value::of_json(&b).same(&Value::of_json(&a)), want, "{b} {a}");
        };
        check(json!(1), json!(1.0), true);
        check(json!(1), json!(1.5), false);
        check(json!(u64::MAX), json!(-1), false);
        check(json!(u64::MAX), json!(u64::MAX), true);
        check(json!("1"), json!(1), false);
        check(json!(null), json!(null), true);
        check(json!(null), json!(false), false);
        check(json!([1, "a"]), json!([1.0, "a"]), true);
        check(json!([1]), json!([1, 2]), false);
        check(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true);
        check(json!({"a": 1}), json!({"a": 2}), false);
    }

    #[test]
    fn order_of_numbers_is_exact() {
        let check = |a: Value<'_>, b: Value<'_>, want: Ordering| {
            assert_eq!(a.order(&b, "<").unwrap(), Some(want), "{a} {b}");
            assert_eq!(b.order(&a, "<").unwrap(), Some(want.reverse()), "{b} {a}");
        };
        check(Value::Int(1), Value::Double(1.5), Ordering::Less);
        check(Value::Int(-1), Value::Double(-1.5), Ordering::Greater);
        check(Value::Int(-1), Value::UInt(u64::MAX), Ordering::Less);
        // 2^53 + 1 is no double.
        check(
            Value::Int((1 << 53) + 1),
            Value::Double((1_u64 << 53) as f64),
            Ordering::Greater,
        );
        check(Value::Int(i64::MAX), Value::Double(f64::INFINITY), Ordering::Less);
        assert_eq!(Value::Int(1).order(&Value::Double(f64::NAN), "<").unwrap(), None);
        assert!(Value::Int(1).order(&Value::text("1"), "<").is_err());
    }

    #[test]
    fn shown() {
        let check = |json: Json, want: &str| assert_eq!(Value::of_json(&json).to_string(), want);
        check(json!("a \"b\""), "a \"b\"");
        check(json!(["a", 1, null]), "[\"a\", 1, null]");
        check(json!({"a": [1]}), "{\"a\":[1]}");
    }
}
