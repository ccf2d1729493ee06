//! The functions that expressions can call, beside those with a node of their own.

use crate::value::{Failure, Kind, Value};
use std::borrow::Cow;

/// A function of CEL's standard library or of its text extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    Int,
    Double,
    Text,
    LowerAscii,
    UpperAscii,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `f(x)`
    Global,
    /// `x.f()`
    Member,
    /// Either.
    Both,
}

/// Name, how it is called, number of arguments with the one it is called on, type of its value.
const TABLE: [(&str, Function, Style, usize, Kind); 9] = [
    ("size", Function::Size, Style::Both, 1, Kind::Number),
    ("startsWith", Function::StartsWith, Style::Member, 2, Kind::Bool),
    ("endsWith", Function::EndsWith, Style::Member, 2, Kind::Bool),
    ("contains", Function::Contains, Style::Member, 2, Kind::Bool),
    ("int", Function::Int, Style::Global, 1, Kind::Number),
    ("double", Function::Double, Style::Global, 1, Kind::Number),
    ("string", Function::Text, Style::Global, 1, Kind::Text),
    ("lowerAscii", Function::LowerAscii, Style::Member, 1, Kind::Text),
    ("upperAscii", Function::UpperAscii, Style::Member, 1, Kind::Text),
];

/// All names, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    let own = [
        "matches",
        "cidr",
        "containsIP",
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
    ];
    TABLE.iter().map(|row| row.0).chain(own)
}

impl Function {
    /// The function of that name, called so with so many arguments.
    pub fn find(name: &str, member: bool, arguments: usize) -> Option<Function> {
        let fits = |style: Style| match style {
            Style::Both => true,
            Style::Member => member,
            Style::Global => !member,
        };
        TABLE
            .iter()
            .find(|row| row.0 == name && fits(row.2) && row.3 == arguments)
            .map(|row| row.1)
    }

    fn row(self) -> &'static (&'static str, Function, Style, usize, Kind) {
        &TABLE[self as usize]
    }

    /// The type of its value.
    pub fn kind(self) -> Kind {
        self.row().4
    }

    /// Its value.
    ///
    /// # Errors
    /// Arguments that it is not for.
    pub fn call<'a>(self, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure> {
        match (self, arguments) {
            (Function::Size, [Value::Text(text)]) => Ok(size(text.chars().count())),
            (Function::Size, [Value::List(list)]) => Ok(size(list.len())),
            (Function::Size, [Value::Map(map)]) => Ok(size(map.len())),
            (Function::StartsWith, [Value::Text(a), Value::Text(b)]) => Ok(Value::Bool(a.starts_with(&**b))),
            (Function::EndsWith, [Value::Text(a), Value::Text(b)]) => Ok(Value::Bool(a.ends_with(&**b))),
            (Function::Contains, [Value::Text(a), Value::Text(b)]) => Ok(Value::Bool(a.contains(&**b))),
            (Function::Int, [value]) => int(value),
            (Function::Double, [value]) => double(value),
            (Function::Text, [value @ Value::Text(_)]) => Ok(value.clone()),
            (Function::Text, [value @ (Value::Bool(_) | Value::Int(_) | Value::UInt(_))]) => {
                Ok(Value::Text(Cow::Owned(value.to_string())))
            }
            (Function::LowerAscii, [Value::Text(text)]) => {
                Ok(recased(text, |b| b.is_ascii_uppercase(), str::to_ascii_lowercase))
            }
            (Function::UpperAscii, [Value::Text(text)]) => {
                Ok(recased(text, |b| b.is_ascii_lowercase(), str::to_ascii_uppercase))
            }
            (function, values) => {
                let values: Vec<&Value<'_>> = values.iter().collect();
                Err(Failure::mismatch(function.row().0, &values))
            }
        }
    }
}

fn size<'a>(n: usize) -> Value<'a> {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn recased<'a>(text: &Cow<'a, str>, changes: impl Fn(u8) -> bool, to: impl Fn(&str) -> String) -> Value<'a> {
    if text.bytes().any(changes) {
        Value::Text(Cow::Owned(to(text)))
    } else {
        Value::Text(text.clone())
    }
}

fn int<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    let outside = Failure::Overflow("int");
    match value {
        Value::Int(n) => Ok(Value::Int(*n)),
        Value::UInt(n) => i64::try_from(*n).map(Value::Int).map_err(|_| outside),
        // The bounds themselves are no doubles that fit.
        Value::Double(n) if *n > i64::MIN as f64 && *n < i64::MAX as f64 => Ok(Value::Int(*n as i64)),
        Value::Double(_) => Err(outside),
        Value::Text(text) => parsed(text).map(Value::Int),
        other => Err(Failure::mismatch("int", &[other])),
    }
}

fn double<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(n) => Ok(Value::Double(*n as f64)),
        Value::UInt(n) => Ok(Value::Double(*n as f64)),
        Value::Double(n) => Ok(Value::Double(*n)),
        Value::Text(text) => parsed(text).map(Value::Double),
        other => Err(Failure::mismatch("double", &[other])),
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    let shown: String = text.chars().take(40).collect();
    text.parse().map_err(|_| Failure::NotANumber(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_functions() {
        for row in &TABLE {
            assert_eq!(row.1.row().0, row.0);
        }
    }
}
