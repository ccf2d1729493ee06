//! Lists of texts: sprig's chapter "String List Functions".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::Result;
use crate::funcs::convert::{display, texts};
use crate::function::Kind::{Any, Int, Str};
use crate::function::{Function, fixed, int, text};
use crate::value::{Elem, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("join", &[Str, Any], |b, a| {
        let (separator, parts) = (text(&a[0]), texts(&a[1], b)?);
        b.charge(separator.len().saturating_mul(parts.len()))?;
        b.text(parts.join(separator))
    }),
    fixed("splitList", &[Str, Str], |b, a| {
        b.texts(pieces(b, text(&a[0]), text(&a[1]), -1)?)
    }),
    // Traefik's: the text comes first, and what it makes is a list; sprig's takes the separator first and makes a dict.
    fixed("split", &[Str, Str], |b, a| {
        b.texts(pieces(b, text(&a[1]), text(&a[0]), -1)?)
    }),
    fixed("splitn", &[Str, Int, Str], |b, a| {
        let parts = pieces(b, text(&a[0]), text(&a[2]), int(&a[1]))?;
        let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        for (index, part) in parts.iter().enumerate() {
            entries.insert(format!("_{index}").into(), b.text(*part)?);
        }
        b.dict_of(Elem::Str, entries)
    }),
    fixed("sortAlpha", &[Any], |b, a| {
        if !matches!(a[0], Value::List(_)) {
            return b.texts([display(&a[0], b)?]);
        }
        let mut sorted = texts(&a[0], b)?;
        sorted.sort();
        b.texts(sorted)
    }),
    fixed("toStrings", &[Any], |b, a| b.texts(texts(&a[0], b)?)),
];

/// `strings.SplitN`: at most `limit` pieces, all where it is negative; without a separator every character is one.
fn pieces<'a>(budget: &Budget, separator: &str, text: &'a str, limit: i64) -> Result<Vec<&'a str>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if separator.is_empty() {
        return characters(budget, text, limit);
    }
    let count = (text.matches(separator).count() + 1).min(limit);
    budget.charge(count.saturating_mul(size_of::<Value>()))?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    Ok(text.splitn(limit, separator).collect())
}

fn characters<'a>(budget: &Budget, text: &'a str, limit: usize) -> Result<Vec<&'a str>> {
    budget.charge(text.len().min(limit).saturating_mul(size_of::<Value>()))?;
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next().filter(|_| parts.len() < limit) {
        let length = if parts.len() + 1 == limit {
            rest.len()
        } else {
            c.len_utf8()
        };
        let (part, after) = rest.split_at(length);
        parts.push(part);
        rest = after;
    }
    Ok(parts)
}
