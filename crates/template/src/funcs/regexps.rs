//! Regular expressions: sprig's chapter "Regular Expressions". The syntax is Go's.

use regex::bytes::{Captures, Regex};
use trilithon_rule::Regexp;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::{Int, Str};
use crate::function::{Function, fixed, int, text};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[Str, Str], |b, a| {
        // What does not compile matches nothing, says sprig.
        let regex = compile(b, &a[0], &a[1]);
        Ok(regex.is_ok_and(|r| r.is_match(text(&a[1]).as_bytes())).into())
    }),
    fixed("mustRegexMatch", &[Str, Str], |b, a| {
        Ok(compile(b, &a[0], &a[1])?.is_match(text(&a[1]).as_bytes()).into())
    }),
    fixed("regexFind", &[Str, Str], find),
    fixed("mustRegexFind", &[Str, Str], find),
    fixed("regexFindAll", &[Str, Str, Int], find_all),
    fixed("mustRegexFindAll", &[Str, Str, Int], find_all),
    fixed("regexReplaceAll", &[Str, Str, Str], replace),
    fixed("mustRegexReplaceAll", &[Str, Str, Str], replace),
    fixed("regexReplaceAllLiteral", &[Str, Str, Str], replace_literal),
    fixed("mustRegexReplaceAllLiteral", &[Str, Str, Str], replace_literal),
    fixed("regexSplit", &[Str, Str, Int], split),
    fixed("mustRegexSplit", &[Str, Str, Int], split),
    fixed("regexQuoteMeta", &[Str], |b, a| {
        let mut out = String::new();
        for c in text(&a[0]).chars() {
            if r"\.+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        b.text(out)
    }),
];

/// The compiled expression; the text it will go over is paid for here.
fn compile(budget: &Budget, regex: &Value, text_of: &Value) -> Result<Regex> {
    budget.step(text(text_of).len())?;
    let regex = Regexp::new(text(regex)).map_err(|bad| {
        let (why, regex) = (bad.reason, text(regex));
        Fault::new(format!("error parsing regexp: {why}: `{regex}`"))
    })?;
    Ok(regex.regex().clone())
}

/// A stretch of the text; matches begin and end between characters.
fn at(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}

fn find(budget: &Budget, args: &[Value]) -> Result<Value> {
    let (regex, s) = (compile(budget, &args[0], &args[1])?, text(&args[1]));
    let found = regex.find(s.as_bytes());
    budget.text(found.map_or("", |m| at(s, m.start(), m.end())))
}

/// At most so many matches; all where the number is negative.
fn limit(value: &Value) -> usize {
    usize::try_from(int(value)).unwrap_or(usize::MAX)
}

fn find_all(budget: &Budget, args: &[Value]) -> Result<Value> {
    let (regex, s) = (compile(budget, &args[0], &args[1])?, text(&args[1]));
    let found = regex.find_iter(s.as_bytes()).take(limit(&args[2]));
    budget.texts(found.map(|m| at(s, m.start(), m.end())))
}

fn replace(budget: &Budget, args: &[Value]) -> Result<Value> {
    replaced(budget, args, |captures, template, out| {
        expand(captures, template, out);
    })
}

fn replace_literal(budget: &Budget, args: &[Value]) -> Result<Value> {
    replaced(budget, args, |_, replacement, out| out.push_str(replacement))
}

fn replaced(
    budget: &Budget,
    args: &[Value],
    push: impl Fn(&Captures<'_>, &str, &mut String),
) -> Result<Value> {
    let (regex, s, replacement) = (
        compile(budget, &args[0], &args[1])?,
        text(&args[1]),
        text(&args[2]),
    );
    let mut out = String::with_capacity(s.len());
    let mut last = 0;
    for captures in regex.captures_iter(s.as_bytes()) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        out.push_str(at(s, last, whole.start()));
        let before = out.len();
        push(&captures, replacement, &mut out);
        budget.step(1)?;
        budget.charge(out.len() - before)?;
        last = whole.end();
    }
    out.push_str(at(s, last, s.len()));
    budget.text(out)
}

/// Go's `Regexp.Expand`: `$1`, `${1}`, `$name`, `${name}`, `$$`; a name is as long as can be.
fn expand(captures: &Captures<'_>, template: &str, out: &mut String) {
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.starts_with('{');
        let name = &rest[usize::from(braced)..];
        let length = name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        let (name, after) = name.split_at(length);
        let after = if braced {
            after.strip_prefix('}')
        } else {
            Some(after)
        };
        match after.filter(|_| !name.is_empty()) {
            Some(after) => {
                let group = match name.parse::<usize>() {
                    Ok(index) => captures.get(index),
                    Err(_) => captures.name(name),
                };
                if let Some(group) = group {
                    out.push_str(&String::from_utf8_lossy(group.as_bytes()));
                }
                rest = after;
            }
            // What is no name is text.
            None => out.push('$'),
        }
    }
    out.push_str(rest);
}

/// Go's `Regexp.Split`.
fn split(budget: &Budget, args: &[Value]) -> Result<Value> {
    let (regex, s, limit) = (
        compile(budget, &args[0], &args[1])?,
        text(&args[1]),
        limit(&args[2]),
    );
    if limit == 0 {
        return budget.texts::<&str>([]);
    }
    if s.is_empty() {
        return budget.texts([""]);
    }
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in regex.find_iter(s.as_bytes()).take(limit) {
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        // An empty match at the start splits nothing.
        if found.end() != 0 {
            budget.charge(size_of::<Value>())?;
            parts.push(at(s, start, end));
        }
        start = found.end();
    }
    if end != s.len() {
        parts.push(at(s, start, s.len()));
    }
    budget.texts(parts)
}
