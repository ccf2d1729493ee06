//! Dicts: sprig's chapter "Dictionaries and Dict Functions". `set`, `unset` and the merges change the dict they are given.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::convert::display;
use crate::function::Kind::{Any, Dict as D, Str};
use crate::function::{Function, fixed, text, variadic};
use crate::limits::MAX_VALUE_DEPTH;
use crate::value::{Dict, Value};

type Entries = BTreeMap<Arc<str>, Value>;

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Any, |b, a| {
        let mut entries = Entries::new();
        for pair in a.chunks(2) {
            let value = pair.get(1).cloned().unwrap_or_else(|| "".into());
            entries.insert(display(&pair[0], b)?.into(), value);
        }
        b.dict(entries)
    }),
    fixed("get", &[D, Str], |_, a| {
        let found = dict(&a[0]).and_then(|d| d.get(text(&a[1])));
        Ok(found.unwrap_or_else(|| "".into()))
    }),
    fixed("set", &[D, Str, Any], |b, a| {
        let key: Arc<str> = text(&a[1]).into();
        b.charge(key.len() + 2 * size_of::<Value>())?;
        changing(&a[0])?.change()?.insert(key, a[2].clone());
        Ok(a[0].clone())
    }),
    fixed("unset", &[D, Str], |_, a| {
        if let Some(dict) = dict(&a[0]) {
            dict.change()?.remove(text(&a[1]));
        }
        Ok(a[0].clone())
    }),
    fixed("hasKey", &[D, Str], |_, a| {
        Ok(dict(&a[0])
            .is_some_and(|d| d.entries().contains_key(text(&a[1])))
            .into())
    }),
    variadic("pluck", &[Str], D, |b, a| {
        let key = text(&a[0]);
        b.list(a[1..].iter().filter_map(|d| dict(d)?.get(key)).collect())
    }),
    variadic("keys", &[], D, |b, a| {
        let mut keys: Vec<Arc<str>> = Vec::new();
        for dict in a.iter().filter_map(dict) {
            b.charge(dict.entries().len() * size_of::<Value>())?;
            keys.extend(dict.entries().keys().cloned());
        }
        b.texts(keys)
    }),
    variadic("pick", &[D], Str, |b, a| {
        let entries = snapshot(&a[0], b)?;
        let picked = entries.into_iter().filter(|(key, _)| names(&a[1..], key));
        b.dict(picked.collect())
    }),
    variadic("omit", &[D], Str, |b, a| {
        let entries = snapshot(&a[0], b)?;
        let kept = entries.into_iter().filter(|(key, _)| !names(&a[1..], key));
        b.dict(kept.collect())
    }),
    fixed("values", &[D], |b, a| {
        b.list(snapshot(&a[0], b)?.into_values().collect())
    }),
    variadic("merge", &[D], D, |b, a| merge_all(b, a, false)),
    variadic("mustMerge", &[D], D, |b, a| merge_all(b, a, false)),
    variadic("mergeOverwrite", &[D], D, |b, a| merge_all(b, a, true)),
    variadic("mustMergeOverwrite", &[D], D, |b, a| merge_all(b, a, true)),
    variadic("dig", &[], Any, |_, a| dig(a)),
    fixed("deepCopy", &[Any], |b, a| deep_copy(&a[0], b, 0)),
    fixed("mustDeepCopy", &[Any], |b, a| deep_copy(&a[0], b, 0)),
];

fn dict(value: &Value) -> Option<&Rc<Dict>> {
    match value {
        Value::Dict(dict) => Some(dict),
        _ => None,
    }
}

fn changing(value: &Value) -> Result<&Rc<Dict>> {
    dict(value).ok_or_else(|| Fault::new("assignment to entry in nil map"))
}

fn names(keys: &[Value], key: &str) -> bool {
    keys.iter().any(|k| text(k) == key)
}

/// The entries as they are now.
fn snapshot(value: &Value, budget: &Budget) -> Result<Entries> {
    let Some(dict) = dict(value) else {
        return Ok(Entries::new());
    };
    let entries = dict.entries();
    budget.step(entries.len())?;
    budget.charge(entries.len() * 2 * size_of::<Value>())?;
    Ok(entries.clone())
}

fn merge_all(budget: &Budget, args: &[Value], overwrite: bool) -> Result<Value> {
    for source in &args[1..] {
        merge(&args[0], source, overwrite, budget, 0)?;
    }
    Ok(args[0].clone())
}

/// Adds what the target lacks or has empty, everything where it overwrites; dicts in both are merged.
fn merge(target: &Value, source: &Value, overwrite: bool, budget: &Budget, depth: usize) -> Result<()> {
    if depth > MAX_VALUE_DEPTH {
        return Err(Fault::limit("merges dicts that are nested too deep"));
    }
    for (key, new) in snapshot(source, budget)? {
        let target = changing(target)?;
        let old = target.get(&key);
        let change = match (&old, &new) {
            (_, Value::Nil) => overwrite,
            (Some(Value::Dict(_)), Value::Dict(_)) => {
                merge(
                    old.as_ref().unwrap_or(&Value::Nil),
                    &new,
                    overwrite,
                    budget,
                    depth + 1,
                )?;
                old.as_ref().is_some_and(|old| !old.is_true())
            }
            (Some(old), _) => overwrite || !old.is_true(),
            (None, _) => true,
        };
        if change {
            budget.charge(2 * size_of::<Value>())?;
            target.change()?.insert(key, new);
        }
    }
    Ok(())
}

/// The value that keys lead to, through dicts; the last argument but one where a key is missing.
fn dig(args: &[Value]) -> Result<Value> {
    let [keys @ .., default, start] = args else {
        return Err(Fault::new("dig needs at least three arguments"));
    };
    if keys.is_empty() {
        return Err(Fault::new("dig needs at least three arguments"));
    }
    let mut value = start.clone();
    for key in keys {
        let Value::Str(key) = key else {
            return Err(Fault::new(format!("a key is a string, not {}", key.type_name())));
        };
        let Value::Dict(dict) = &value else {
            let got = value.type_name();
            return Err(Fault::new(format!("interface conversion: {got} is no dict")));
        };
        match dict.get(key) {
            Some(next) => value = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}

fn deep_copy(value: &Value, budget: &Budget, depth: usize) -> Result<Value> {
    budget.step(1)?;
    if depth > MAX_VALUE_DEPTH {
        return Err(Fault::limit("copies what is nested too deep"));
    }
    match value {
        Value::List(list) => {
            let items = list.items().iter().map(|item| deep_copy(item, budget, depth + 1));
            budget.list_of(list.elem, items.collect::<Result<_>>()?)
        }
        Value::Dict(dict) => {
            let entries = snapshot(value, budget)?.into_iter();
            let entries = entries.map(|(key, value)| Ok((key, deep_copy(&value, budget, depth + 1)?)));
            budget.dict_of(dict.elem, entries.collect::<Result<_>>()?)
        }
        plain => Ok(plain.clone()),
    }
}
