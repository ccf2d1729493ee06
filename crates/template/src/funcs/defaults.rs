//! What stands in for what is missing, and JSON: sprig's chapter "Default Functions".

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::{Any, Bool, Str};
use crate::function::{Function, fixed, text, variadic};
use crate::go::json::{self, Style};
use crate::value::Value;

const COMPACT: Style = Style {
    html: true,
    pretty: false,
};
const PRETTY: Style = Style {
    html: true,
    pretty: true,
};
const RAW: Style = Style {
    html: false,
    pretty: false,
};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("default", &[Any], Any, |_, a| {
        let given = a.get(1).filter(|given| given.is_true());
        Ok(given.unwrap_or(&a[0]).clone())
    }),
    fixed("empty", &[Any], |_, a| Ok((!a[0].is_true()).into())),
    variadic("coalesce", &[], Any, |_, a| {
        Ok(a.iter().find(|v| v.is_true()).cloned().unwrap_or_default())
    }),
    variadic("all", &[], Any, |_, a| Ok(a.iter().all(Value::is_true).into())),
    variadic("any", &[], Any, |_, a| Ok(a.iter().any(Value::is_true).into())),
    fixed("ternary", &[Any, Any, Bool], |_, a| {
        Ok(a[usize::from(!a[2].is_true())].clone())
    }),
    fixed("fromJson", &[Str], |b, a| {
        lenient(json::decode(text(&a[0]), b), Value::Nil)
    }),
    fixed("mustFromJson", &[Str], |b, a| json::decode(text(&a[0]), b)),
    fixed("toJson", &[Any], |b, a| {
        lenient(encode(&a[0], COMPACT, b), "".into())
    }),
    fixed("mustToJson", &[Any], |b, a| encode(&a[0], COMPACT, b)),
    fixed("toPrettyJson", &[Any], |b, a| {
        lenient(encode(&a[0], PRETTY, b), "".into())
    }),
    fixed("mustToPrettyJson", &[Any], |b, a| encode(&a[0], PRETTY, b)),
    fixed("toRawJson", &[Any], |b, a| encode(&a[0], RAW, b)),
    fixed("mustToRawJson", &[Any], |b, a| encode(&a[0], RAW, b)),
];

fn encode(value: &Value, style: Style, budget: &Budget) -> Result<Value> {
    Ok(json::encode(value, style, budget)?.into())
}

/// Functions without `must` swallow what goes wrong; a limit is none of it.
fn lenient(result: Result<Value>, instead: Value) -> Result<Value> {
    match result {
        Err(Fault { is_limit: false, .. }) => Ok(instead),
        other => other,
    }
}
