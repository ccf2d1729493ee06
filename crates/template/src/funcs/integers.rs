//! Whole numbers: sprig's chapters "Integer Math Functions" and "Integer List Functions". All arithmetic is Go's, which wraps.

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::convert::{to_float, to_int};
use crate::function::Kind::{Any, Int};
use crate::function::{Function, fixed, int, variadic};
use crate::value::{Elem, IntKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("add", &[], Any, |_, a| {
        Ok(long(a.iter().fold(0, |sum, v| sum.wrapping_add(to_int(v)))))
    }),
    fixed("add1", &[Any], |_, a| Ok(long(to_int(&a[0]).wrapping_add(1)))),
    fixed("sub", &[Any, Any], |_, a| {
        Ok(long(to_int(&a[0]).wrapping_sub(to_int(&a[1]))))
    }),
    fixed("div", &[Any, Any], |_, a| {
        Ok(long(to_int(&a[0]).wrapping_div(divisor(&a[1])?)))
    }),
    fixed("mod", &[Any, Any], |_, a| {
        Ok(long(to_int(&a[0]).wrapping_rem(divisor(&a[1])?)))
    }),
    variadic("mul", &[Any], Any, |_, a| {
        Ok(long(
            a.iter().fold(1, |product, v| product.wrapping_mul(to_int(v))),
        ))
    }),
    variadic("max", &[Any], Any, |_, a| Ok(largest(a))),
    variadic("biggest", &[Any], Any, |_, a| Ok(largest(a))),
    variadic("min", &[Any], Any, |_, a| {
        Ok(long(a.iter().map(to_int).min().unwrap_or(0)))
    }),
    fixed("ceil", &[Any], |_, a| Ok(to_float(&a[0]).ceil().into())),
    fixed("floor", &[Any], |_, a| Ok(to_float(&a[0]).floor().into())),
    fixed("until", &[Int], |b, a| {
        let end = int(&a[0]);
        numbers(b, 0, end, if end < 0 { -1 } else { 1 }).and_then(|n| ints(b, n))
    }),
    fixed("untilStep", &[Int, Int, Int], |b, a| {
        numbers(b, int(&a[0]), int(&a[1]), int(&a[2])).and_then(|n| ints(b, n))
    }),
    variadic("seq", &[], Int, sequence),
];

fn long(n: i64) -> Value {
    Value::Int(n, IntKind::Int64)
}

fn largest(args: &[Value]) -> Value {
    long(args.iter().map(to_int).max().unwrap_or(0))
}

fn divisor(value: &Value) -> Result<i64> {
    match to_int(value) {
        0 => Err(Fault::new("integer divide by zero")),
        n => Ok(n),
    }
}

/// From `start` up or down to, but without, `end`; none where the step leads away from it.
fn numbers(budget: &Budget, start: i64, end: i64, step: i64) -> Result<Vec<i64>> {
    let leads = if end < start { step < 0 } else { step > 0 };
    if !leads {
        return Ok(Vec::new());
    }
    let span = (i128::from(end) - i128::from(start)).unsigned_abs();
    let count = span.div_ceil(u128::from(step.unsigned_abs()));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    budget.charge(count.saturating_mul(size_of::<Value>()))?;
    budget.step(count)?;
    Ok((0..count as i64).map(|i| start + i * step).collect())
}

fn ints(budget: &Budget, numbers: Vec<i64>) -> Result<Value> {
    budget.list_of(Elem::Int, numbers.into_iter().map(Value::from).collect())
}

/// As the shell's `seq`: the last number is one of them.
fn sequence(budget: &Budget, args: &[Value]) -> Result<Value> {
    let (start, step, end) = match args {
        [end] => (1, None, int(end)),
        [start, end] => (int(start), None, int(end)),
        [start, step, end] => (int(start), Some(int(step)), int(end)),
        _ => return Ok(Value::from("")),
    };
    let towards = if end < start { -1 } else { 1 };
    if step.is_some_and(|step| end < start && step > 0) {
        return Ok(Value::from(""));
    }
    let all = numbers(
        budget,
        start,
        end.saturating_add(towards),
        step.unwrap_or(towards),
    )?;
    let texts: Vec<String> = all.iter().map(i64::to_string).collect();
    budget.text(texts.join(" "))
}
