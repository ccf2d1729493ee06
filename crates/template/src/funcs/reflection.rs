//! Types: sprig's chapter "Reflection Functions".

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::{Any, Str};
use crate::function::{Function, fixed, text};
use crate::limits::MAX_VALUE_DEPTH;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("typeOf", &[Any], |b, a| b.text(a[0].type_name())),
    fixed("typeIs", &[Str, Any], |_, a| {
        Ok((text(&a[0]) == a[1].type_name()).into())
    }),
    fixed("typeIsLike", &[Str, Any], |_, a| {
        let (want, got) = (text(&a[0]), a[1].type_name());
        Ok((want == got || got.strip_prefix('*') == Some(want)).into())
    }),
    fixed("kindOf", &[Any], |b, a| b.text(a[0].kind_name())),
    fixed("kindIs", &[Str, Any], |_, a| {
        Ok((text(&a[0]) == a[1].kind_name()).into())
    }),
    fixed("deepEqual", &[Any, Any], |b, a| {
        Ok(deep_equal(&a[0], &a[1], b)?.into())
    }),
];

/// Whether two values have one type and equal contents.
pub(super) fn deep_equal(a: &Value, b: &Value, budget: &Budget) -> Result<bool> {
    equal(a, b, budget, 0)
}

fn equal(a: &Value, b: &Value, budget: &Budget, depth: usize) -> Result<bool> {
    budget.step(1)?;
    if depth > MAX_VALUE_DEPTH {
        return Err(Fault::limit("compares what is nested too deep"));
    }
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, kind), Value::Int(b, other)) => a == b && kind == other,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Object(a), Value::Object(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if a.elem != b.elem || a.items().len() != b.items().len() {
                return Ok(false);
            }
            for (a, b) in a.items().iter().zip(b.items()) {
                if !equal(a, b, budget, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Dict(a), Value::Dict(b)) => {
            let (elems, a, b) = (a.elem == b.elem, a.entries(), b.entries());
            if !elems || a.len() != b.len() {
                return Ok(false);
            }
            for ((key, a), (other, b)) in a.iter().zip(b.iter()) {
                if key != other || !equal(a, b, budget, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}
