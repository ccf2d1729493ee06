//! Lists: sprig's chapter "Lists and List Functions". A list never changes: each function makes a new one.

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::convert::to_int;
use crate::funcs::reflection::deep_equal;
use crate::function::Kind::{Any, Int};
use crate::function::{Function, fixed, int, variadic};
use crate::value::{Elem, List, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("list", &[], Any, |b, a| b.list(a.to_vec())),
    variadic("tuple", &[], Any, |b, a| b.list(a.to_vec())),
    fixed("first", &[Any], first),
    fixed("mustFirst", &[Any], first),
    fixed("last", &[Any], last),
    fixed("mustLast", &[Any], last),
    fixed("rest", &[Any], rest),
    fixed("mustRest", &[Any], rest),
    fixed("initial", &[Any], initial),
    fixed("mustInitial", &[Any], initial),
    fixed("append", &[Any, Any], append),
    fixed("mustAppend", &[Any, Any], append),
    fixed("push", &[Any, Any], append),
    fixed("mustPush", &[Any, Any], append),
    fixed("prepend", &[Any, Any], prepend),
    fixed("mustPrepend", &[Any, Any], prepend),
    variadic("concat", &[], Any, |b, a| {
        let mut all = Vec::new();
        for value in a {
            let items = of(value, "concat")?.items();
            b.charge(size_of_val(items))?;
            all.extend_from_slice(items);
        }
        b.list(all)
    }),
    fixed("reverse", &[Any], reverse),
    fixed("mustReverse", &[Any], reverse),
    fixed("uniq", &[Any], uniq),
    fixed("mustUniq", &[Any], uniq),
    variadic("without", &[Any], Any, without),
    variadic("mustWithout", &[Any], Any, without),
    fixed("has", &[Any, Any], has),
    fixed("mustHas", &[Any, Any], has),
    fixed("compact", &[Any], compact),
    fixed("mustCompact", &[Any], compact),
    variadic("slice", &[Any], Any, slice),
    variadic("mustSlice", &[Any], Any, slice),
    fixed("chunk", &[Int, Any], chunk),
    fixed("mustChunk", &[Int, Any], chunk),
];

/// The list that a function works on.
fn of<'a>(value: &'a Value, function: &str) -> Result<&'a List> {
    match value {
        Value::List(list) => Ok(list),
        other => {
            let kind = other.kind_name();
            Err(Fault::new(format!("Cannot find {function} on type {kind}")))
        }
    }
}

fn first(_: &Budget, args: &[Value]) -> Result<Value> {
    Ok(of(&args[0], "first")?
        .items()
        .first()
        .cloned()
        .unwrap_or_default())
}

fn last(_: &Budget, args: &[Value]) -> Result<Value> {
    Ok(of(&args[0], "last")?.items().last().cloned().unwrap_or_default())
}

fn rest(budget: &Budget, args: &[Value]) -> Result<Value> {
    let items = of(&args[0], "rest")?.items();
    budget.list(items.get(1..).unwrap_or_default().to_vec())
}

fn initial(budget: &Budget, args: &[Value]) -> Result<Value> {
    let items = of(&args[0], "initial")?.items();
    budget.list(items[..items.len().saturating_sub(1)].to_vec())
}

fn append(budget: &Budget, args: &[Value]) -> Result<Value> {
    let items = of(&args[0], "push")?.items();
    budget.list(items.iter().chain([&args[1]]).cloned().collect())
}

fn prepend(budget: &Budget, args: &[Value]) -> Result<Value> {
    let items = of(&args[0], "prepend")?.items();
    budget.list([&args[1]].into_iter().chain(items).cloned().collect())
}

fn reverse(budget: &Budget, args: &[Value]) -> Result<Value> {
    budget.list(of(&args[0], "reverse")?.items().iter().rev().cloned().collect())
}

fn contains(items: &[Value], value: &Value, budget: &Budget) -> Result<bool> {
    for item in items {
        if deep_equal(item, value, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(budget: &Budget, args: &[Value]) -> Result<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in of(&args[0], "uniq")?.items() {
        if !contains(&kept, item, budget)? {
            kept.push(item.clone());
        }
    }
    budget.list(kept)
}

fn without(budget: &Budget, args: &[Value]) -> Result<Value> {
    let mut kept = Vec::new();
    for item in of(&args[0], "without")?.items() {
        if !contains(&args[1..], item, budget)? {
            kept.push(item.clone());
        }
    }
    budget.list(kept)
}

/// Whether the second argument has the first one in it.
fn has(budget: &Budget, args: &[Value]) -> Result<Value> {
    if matches!(args[1], Value::Nil) {
        return Ok(false.into());
    }
    Ok(contains(of(&args[1], "has")?.items(), &args[0], budget)?.into())
}

fn compact(budget: &Budget, args: &[Value]) -> Result<Value> {
    let items = of(&args[0], "compact")?.items();
    budget.list(items.iter().filter(|item| item.is_true()).cloned().collect())
}

/// Elements from the second argument on, up to the third.
fn slice(budget: &Budget, args: &[Value]) -> Result<Value> {
    let list = of(&args[0], "slice")?;
    let items = list.items();
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = args.get(1).map_or(0, to_int);
    let end = args.get(2).map_or(items.len() as i64, to_int);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let part = range
        .and_then(|(start, end)| items.get(start..end))
        .ok_or_else(|| {
            let length = items.len();
            Fault::new(format!(
                "slice bounds out of range [{start}:{end}] with length {length}"
            ))
        })?;
    budget.list_of(list.elem, part.to_vec())
}

/// Lists of so many elements; the last one may have fewer.
fn chunk(budget: &Budget, args: &[Value]) -> Result<Value> {
    let items = of(&args[1], "chunk")?.items();
    let size = usize::try_from(int(&args[0])).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| Fault::new("a chunk has at least one element"))?;
    let chunks = items.chunks(size).map(|part| budget.list(part.to_vec()));
    budget.list_of(Elem::List, chunks.collect::<Result<_>>()?)
}
