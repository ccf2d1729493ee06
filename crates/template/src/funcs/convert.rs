//! One type to another: sprig's chapter "Type Conversion Functions", and the conversions that other chapters need.

use crate::budget::Budget;
use crate::error::Result;
use crate::format;
use crate::function::Kind::{Any, Str};
use crate::function::{Function, fixed, items, text};
use crate::go::number;
use crate::value::{IntKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Str], |_, a| {
        Ok(Value::from(
            number::int(text(&a[0]), 10).unwrap_or_else(|e| saturated(e, text(&a[0]))),
        ))
    }),
    fixed("int", &[Any], |_, a| Ok(Value::from(to_int(&a[0])))),
    fixed("int64", &[Any], |_, a| {
        Ok(Value::Int(to_int(&a[0]), IntKind::Int64))
    }),
    fixed("float64", &[Any], |_, a| Ok(Value::Float(to_float(&a[0])))),
    fixed("toString", &[Any], |b, a| b.text(display(&a[0], b)?)),
    fixed("toDecimal", &[Any], |b, a| {
        let octal = number::int(&display(&a[0], b)?, 8);
        Ok(Value::Int(octal.unwrap_or(0), IntKind::Int64))
    }),
];

/// `strconv.Atoi` gives the nearest number with its error, and sprig drops the error.
fn saturated(error: number::NotInt, text: &str) -> i64 {
    match error {
        number::NotInt::Syntax => 0,
        number::NotInt::Range if text.starts_with('-') => i64::MIN,
        number::NotInt::Range => i64::MAX,
    }
}

/// As sprig's arithmetic takes a value: texts in any base, floats cut off, 0 where there is no number.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Bool(b) => i64::from(*b),
        Value::Int(n, _) => *n,
        Value::Float(f) => cut(*f),
        Value::Str(text) => number::int_base0(without_zero_fraction(text)).unwrap_or(0),
        _ => 0,
    }
}

/// Go's conversion on the processors it runs on: what does not fit is the smallest number.
fn cut(f: f64) -> i64 {
    let fits = f >= i64::MIN as f64 && f < i64::MAX as f64;
    if fits { f as i64 } else { i64::MIN }
}

/// `12.00` is `12`.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Int(n, _) => *n as f64,
        Value::Float(f) => *f,
        Value::Str(text) => number::float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// A value as sprig's `toString` shows it.
pub(super) fn display(value: &Value, budget: &Budget) -> Result<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        other => format::display(other, budget),
    }
}

/// A list's elements as texts, without those that are nil; anything else is a list of one.
pub(super) fn texts(value: &Value, budget: &Budget) -> Result<Vec<String>> {
    let all = match value {
        Value::List(_) => items(value),
        other => std::slice::from_ref(other),
    };
    let some = all.iter().filter(|item| !matches!(item, Value::Nil));
    some.map(|item| {
        budget.step(1)?;
        budget.charge(size_of::<String>())?;
        display(item, budget)
    })
    .collect()
}
