//! `encoding/json`.

use std::fmt::Write;

use super::number;
use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::limits::MAX_VALUE_DEPTH;
use crate::value::Value;

/// How JSON is written.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// `<`, `>` and `&` as escapes, so that the text may stand in HTML.
    pub html: bool,
    /// Two spaces for each level, a member on each line.
    pub pretty: bool,
}

/// A value as JSON.
///
/// # Errors
/// Numbers that JSON does not have, and what is too deep or too large.
pub(crate) fn encode(value: &Value, style: Style, budget: &Budget) -> Result<String> {
    let mut encoder = Encoder {
        out: String::new(),
        style,
        budget,
    };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder<'a> {
    out: String,
    style: Style,
    budget: &'a Budget,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        self.budget.step(1)?;
        if depth > MAX_VALUE_DEPTH {
            return Err(Fault::new("the value is nested too deep for JSON"));
        }
        match value {
            Value::Nil => self.push("null")?,
            Value::Bool(b) => self.push(if *b { "true" } else { "false" })?,
            Value::Int(n, _) => self.push(&n.to_string())?,
            Value::Float(f) => {
                let text = number::json(*f).ok_or_else(|| {
                    Fault::new(format!("json: unsupported value: {}", number::general(*f, None)))
                })?;
                self.push(&text)?;
            }
            Value::Str(text) => self.text(text)?,
            Value::List(list) => {
                let items = list.items();
                self.group('[', ']', items.len(), depth, |this, index| {
                    this.value(&items[index], depth + 1)
                })?;
            }
            Value::Dict(dict) => {
                let entries: Vec<_> = dict
                    .entries()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                self.group('{', '}', entries.len(), depth, |this, index| {
                    let (key, value) = &entries[index];
                    this.text(key)?;
                    this.push(if this.style.pretty { ": " } else { ":" })?;
                    this.value(value, depth + 1)
                })?;
            }
            Value::Object(object) => self.plain(&object.json())?,
        }
        Ok(())
    }

    /// An object's own encoding.
    fn plain(&mut self, value: &serde_json::Value) -> Result<()> {
        match value {
            serde_json::Value::String(text) => self.text(text),
            other => self.push(&other.to_string()),
        }
    }

    fn group(
        &mut self,
        open: char,
        close: char,
        count: usize,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        self.out.push(open);
        for index in 0..count {
            if index > 0 {
                self.out.push(',');
            }
            self.line(depth + 1)?;
            item(self, index)?;
        }
        if count > 0 {
            self.line(depth)?;
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) -> Result<()> {
        if self.style.pretty {
            self.push("\n")?;
            for _ in 0..depth {
                self.push("  ")?;
            }
        }
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<()> {
        self.budget.charge(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.budget.charge(text.len() + 2)?;
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\x08' => self.out.push_str("\\b"),
                '\x0c' => self.out.push_str("\\f"),
                c if c < ' '
                    || matches!(c, '\u{2028}' | '\u{2029}')
                    || (self.style.html && "<>&".contains(c)) =>
                {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }
}

/// JSON as Go decodes it into an empty interface: every number is a `float64`.
///
/// # Errors
/// What is no JSON.
pub(crate) fn decode(text: &str, budget: &Budget) -> Result<Value> {
    // What the parser makes takes several times the text.
    budget.charge(text.len().saturating_mul(4))?;
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| Fault::new(e.to_string()))?;
    value_of(&value, budget)
}

fn value_of(value: &serde_json::Value, budget: &Budget) -> Result<Value> {
    Ok(match value {
        serde_json::Value::Array(items) => {
            let items = items.iter().map(|item| value_of(item, budget));
            budget.list(items.collect::<Result<_>>()?)?
        }
        serde_json::Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| Ok((key.as_str().into(), value_of(value, budget)?)));
            budget.dict(members.collect::<Result<_>>()?)?
        }
        scalar => Value::from(scalar),
    })
}
