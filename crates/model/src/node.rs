//! One tree for every dialect, and the place of each value in its source.

use std::fmt;
use std::sync::Arc;

use crate::rendered::{Rendered, Stretch};

/// Where a piece of configuration comes from.
#[derive(Debug)]
pub struct Source {
    /// The path as the user gave it, or `flags`, `environment`.
    pub name: String,
    /// How a place in it is written.
    pub places: Places,
}

/// How a place in a source is written.
#[derive(Debug)]
pub enum Places {
    /// `name:line:column`; the text is kept for excerpts.
    Lines(String),
    /// One word per line number: `--entryPoints.web.address`, `TRAEFIK_PING`.
    Words(Vec<String>),
    /// The text was made by a template: a place in it is one in the template.
    Rendered(Rendered),
}

impl Source {
    /// A file or any other text.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            places: Places::Lines(text.into()),
        })
    }

    /// Words of their own, such as flags.
    pub fn words(name: impl Into<String>, words: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            places: Places::Words(words),
        })
    }

    /// What a template became; every [`Span`] of it is a place in the template.
    pub fn rendered(template: &Arc<Self>, text: impl Into<String>, stretches: Vec<Stretch>) -> Arc<Self> {
        Arc::new(Self {
            name: template.name.clone(),
            places: Places::Rendered(Rendered::new(template.clone(), text.into(), stretches)),
        })
    }

    /// The text, when the source has one.
    pub fn content(&self) -> Option<&str> {
        match &self.places {
            Places::Lines(text) => Some(text),
            Places::Rendered(rendered) => Some(&rendered.text),
            Places::Words(_) => None,
        }
    }
}

/// A place in a source. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// The source; none for values that nobody wrote.
    pub source: Option<Arc<Source>>,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
}

impl Span {
    /// The place of a value that nobody wrote.
    pub fn none() -> Self {
        Self::default()
    }

    /// A stretch of a text; of the template's, where one made it.
    pub fn new(source: &Arc<Source>, line: u32, column: u32, end_line: u32, end_column: u32) -> Self {
        if let Places::Rendered(rendered) = &source.places {
            let (start, end) = (rendered.place(line, column), rendered.place(end_line, end_column));
            // What was written by two actions ends before it begins.
            let end = if end > start { end } else { (start.0, start.1 + 1) };
            return Self::new(&rendered.template, start.0, start.1, end.0, end.1);
        }
        Self {
            source: Some(source.clone()),
            line,
            column,
            end_line,
            end_column,
        }
    }

    /// The word number `index`, counted from 0.
    pub fn word(source: &Arc<Source>, index: usize) -> Self {
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        Self::new(source, line, 1, line, 1)
    }

    /// The first place of a source, for what concerns it as a whole.
    pub fn start(source: &Arc<Source>) -> Self {
        Self::new(source, 1, 1, 1, 1)
    }

    /// True when nobody wrote the value.
    pub fn is_none(&self) -> bool {
        self.source.is_none()
    }

    /// The path of the file, when the value comes from one.
    pub fn file(&self) -> Option<&str> {
        let source = self.source.as_deref()?;
        matches!(source.places, Places::Lines(_)).then_some(source.name.as_str())
    }

    /// The line of the source it starts on, for excerpts.
    pub fn excerpt(&self) -> Option<&str> {
        self.source
            .as_deref()?
            .content()?
            .lines()
            .nth(self.line.checked_sub(1)? as usize)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(source) = self.source.as_deref() else {
            return f.write_str("-");
        };
        match &source.places {
            Places::Lines(_) | Places::Rendered(_) => {
                write!(f, "{}:{}:{}", source.name, self.line, self.column)
            }
            Places::Words(words) => {
                let index = (self.line as usize).saturating_sub(1);
                f.write_str(words.get(index).map_or(source.name.as_str(), String::as_str))
            }
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub span: Span,
}

/// The four forms every dialect has.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing was written: the option counts as absent.
    #[default]
    Null,
    /// Text, a number or a truth value.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// Names and values in the order written.
    Map(Vec<Entry>),
}

impl Value {
    pub(crate) fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}

/// A value without parts, kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text after escapes; numbers and truth values in their plain spelling.
    pub text: String,
    /// What its spelling makes it.
    pub kind: ScalarKind,
}

/// What a scalar's spelling makes it. The decoder is weakly typed; this is for values handed on as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    /// Quoted, or plain and nothing else.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction or exponent.
    Float,
    /// From flags or environment, where everything is text: commas make lists, `true` may be a truth value.
    Bare,
}

/// One member of a map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name as written.
    pub key: String,
    /// Where the name was written.
    pub key_span: Span,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// A scalar.
    pub fn scalar(text: impl Into<String>, kind: ScalarKind, span: Span) -> Self {
        Self {
            value: Value::Scalar(Scalar {
                text: text.into(),
                kind,
            }),
            span,
        }
    }

    /// The members, when it is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The first member of this name, in any case.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|e| e.key.eq_ignore_ascii_case(key))
    }

    /// The place of an option, by the names that lead to it: its value's when that is a scalar, else its name's.
    pub fn place(&self, path: &[&str]) -> Option<Span> {
        let (last, before) = path.split_last()?;
        let entry = before
            .iter()
            .try_fold(self, |node, name| node.get(name).map(|e| &e.node))?
            .get(last)?;
        let scalar = matches!(entry.node.value, Value::Scalar(_));
        Some(if scalar {
            entry.node.span.clone()
        } else {
            entry.key_span.clone()
        })
    }

    /// True when nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What it is, for messages.
    pub fn noun(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(s) => match s.kind {
                ScalarKind::Text => "text",
                ScalarKind::Bool => "a truth value",
                ScalarKind::Int | ScalarKind::Float => "a number",
                ScalarKind::Bare => "a value",
            },
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
        }
    }

    /// The value as JSON, for options that are handed on as they are.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar(scalar) => scalar.to_json(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => {
                let members = entries.iter().map(|e| (e.key.clone(), e.node.to_json()));
                members.collect::<serde_json::Map<_, _>>().into()
            }
        }
    }
}

impl Scalar {
    fn to_json(&self) -> serde_json::Value {
        let text = || self.text.clone().into();
        match self.kind {
            ScalarKind::Text | ScalarKind::Bare => text(),
            ScalarKind::Bool => (self.text == "true").into(),
            ScalarKind::Int => self.text.parse::<i64>().map_or_else(|_| text(), Into::into),
            ScalarKind::Float => self.text.parse::<f64>().map_or_else(|_| text(), Into::into),
        }
    }
}
