//! The functions that Go's `text/template` brings along.

use std::cmp::Ordering;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::format;
use crate::function::Kind::{Any, Str};
use crate::function::{Form, Function, fixed, lazy, text, variadic};
use crate::go::escape;
use crate::object::Object;
use crate::value::{IntKind, Value};

pub(crate) const FUNCTIONS: &[Function] = &[
    lazy("and", Form::And),
    lazy("or", Form::Or),
    fixed("not", &[Any], |_, a| Ok(Value::Bool(!a[0].is_true()))),
    fixed("len", &[Any], |_, a| len(&a[0])),
    variadic("index", &[Any], Any, |_, a| {
        a[1..]
            .iter()
            .try_fold(a[0].clone(), |value, key| index(&value, key))
    }),
    variadic("call", &[Any], Any, |_, a| {
        Err(Fault::new(format!("non-function of type {}", a[0].type_name())))
    }),
    variadic("print", &[], Any, |b, a| Ok(format::sprint(a, b)?.into())),
    variadic("println", &[], Any, |b, a| Ok(format::sprintln(a, b)?.into())),
    variadic("printf", &[Str], Any, |b, a| {
        Ok(format::sprintf(text(&a[0]), &a[1..], b)?.into())
    }),
    variadic("html", &[], Any, |b, a| b.text(escape::html(&joined(b, a)?))),
    variadic("js", &[], Any, |b, a| b.text(escape::js(&joined(b, a)?))),
    variadic("urlquery", &[], Any, |b, a| b.text(escape::query(&joined(b, a)?))),
    variadic("eq", &[Any], Any, |_, a| equal_to_any(&a[0], &a[1..])),
    fixed("ne", &[Any, Any], |_, a| Ok(Value::Bool(!equal(&a[0], &a[1])?))),
    fixed("lt", &[Any, Any], |_, a| compare(a, Ordering::is_lt)),
    fixed("le", &[Any, Any], |_, a| compare(a, Ordering::is_le)),
    fixed("gt", &[Any, Any], |_, a| compare(a, Ordering::is_gt)),
    fixed("ge", &[Any, Any], |_, a| compare(a, Ordering::is_ge)),
];

fn len(value: &Value) -> Result<Value> {
    let length = match value {
        Value::Str(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::Dict(dict) => dict.entries().len(),
        Value::Nil => return Err(Fault::new("len of nil pointer")),
        other => return Err(Fault::new(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::from(length as i64))
}

fn index(value: &Value, key: &Value) -> Result<Value> {
    match value {
        Value::Dict(dict) => {
            let Value::Str(key) = key else {
                let got = key.type_name();
                return Err(Fault::new(format!("value has type {got}; should be string")));
            };
            Ok(dict.get(key).unwrap_or_else(|| dict.elem.zero()))
        }
        Value::List(list) => {
            let at = position(key, list.items().len())?;
            Ok(list.items()[at].clone())
        }
        Value::Str(text) => {
            let at = position(key, text.len())?;
            Ok(Value::Int(text.as_bytes()[at].into(), IntKind::Uint8))
        }
        Value::Nil => Err(Fault::new("index of untyped nil")),
        other => Err(Fault::new(format!(
            "can't index item of type {}",
            other.type_name()
        ))),
    }
}

fn position(key: &Value, length: usize) -> Result<usize> {
    match key {
        Value::Int(n, _) => usize::try_from(*n)
            .ok()
            .filter(|at| *at < length)
            .ok_or_else(|| Fault::new(format!("index out of range: {n}"))),
        Value::Nil => Err(Fault::new("cannot index slice/array with nil")),
        other => {
            let of = other.type_name();
            Err(Fault::new(format!("cannot index slice/array with type {of}")))
        }
    }
}

/// The arguments of an escape as one text.
fn joined(budget: &Budget, args: &[Value]) -> Result<String> {
    let shown: Vec<Value> = args
        .iter()
        .map(|arg| match arg {
            Value::Nil => Value::from("<no value>"),
            other => other.clone(),
        })
        .collect();
    format::sprint(&shown, budget)
}

fn equal_to_any(first: &Value, others: &[Value]) -> Result<Value> {
    if others.is_empty() {
        return Err(Fault::new("missing argument for comparison"));
    }
    for other in others {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Go's `eq`: only values of one basic type can be compared.
fn equal(a: &Value, b: &Value) -> Result<bool> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Nil, _) | (_, Value::Nil) => matches!((a, b), (Value::Nil, Value::Nil)),
        (Value::Object(a), Value::Object(b)) if a.type_name() == b.type_name() => same(a, b),
        (Value::List(_) | Value::Dict(_), Value::List(_) | Value::Dict(_)) => {
            let (a, b) = (a.type_name(), b.type_name());
            return Err(Fault::new(format!("non-comparable types {a} and {b}")));
        }
        _ => return Err(Fault::new("incompatible types for comparison")),
    })
}

/// Versions are pointers to Go: the same one is equal, another is not.
fn same(a: &std::rc::Rc<Object>, b: &std::rc::Rc<Object>) -> bool {
    match (&**a, &**b) {
        (Object::Version(_), Object::Version(_)) => std::rc::Rc::ptr_eq(a, b),
        (a, b) => a == b,
    }
}

fn compare(args: &[Value], holds: fn(Ordering) -> bool) -> Result<Value> {
    let order = match (&args[0], &args[1]) {
        (Value::Int(a, _), Value::Int(b, _)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (
            Value::Int(..) | Value::Float(_) | Value::Str(_),
            Value::Int(..) | Value::Float(_) | Value::Str(_),
        ) => {
            return Err(Fault::new("incompatible types for comparison"));
        }
        _ => return Err(Fault::new("invalid type for comparison")),
    };
    Ok(Value::Bool(order.is_some_and(holds)))
}
