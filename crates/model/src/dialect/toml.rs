//! TOML 1.0.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, InlineTable, Item, Key, Table, Value as TomlValue};

use super::small;
use crate::node::{Entry, Node, ScalarKind, Source, Span, Value};
use crate::problem::{Problem, Problems, code};

/// Reads a document; nothing when it is broken.
pub fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    let text = source.content()?;
    let places = Places::new(source, text);
    match Document::parse(text) {
        Ok(document) => Some(Node {
            value: places.table(document.as_table()),
            span: Span::start(source),
        }),
        Err(error) => {
            let message = error.message().lines().next().unwrap_or("unreadable").to_owned();
            let twice = message.starts_with("duplicate key");
            let code = if twice { code::DUPLICATE_KEY } else { code::SYNTAX };
            let problem = Problem::error(code, places.span(error.span()), format!("not TOML: {message}"));
            problems.push(problem.voiding());
            None
        }
    }
}

/// Turns byte offsets into lines and columns.
struct Places<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(source: &'a Arc<Source>, text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(i, _)| i + 1);
        Self {
            source,
            text,
            starts: std::iter::once(0).chain(after).collect(),
        }
    }

    fn at(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |s| s.chars().count());
        (small(line), small(column + 1))
    }

    fn span(&self, range: Option<Range<usize>>) -> Span {
        let Some(range) = range else {
            return Span::start(self.source);
        };
        let ((line, column), (end_line, end_column)) = (self.at(range.start), self.at(range.end));
        Span::new(self.source, line, column, end_line, end_column)
    }

    fn table(&self, table: &Table) -> Value {
        let keys = table.iter().filter_map(|(name, item)| {
            let key = table.key(name)?;
            Some(self.entry(key, self.item(item)?))
        });
        Value::Map(keys.collect())
    }

    fn inline(&self, table: &InlineTable) -> Value {
        let keys = table
            .iter()
            .filter_map(|(name, value)| Some(self.entry(table.key(name)?, self.value(value))));
        Value::Map(keys.collect())
    }

    fn entry(&self, key: &Key, mut node: Node) -> Entry {
        let key_span = self.span(key.span());
        if node.entries().is_some() && node.span.line == 1 && node.span.column == 1 {
            node.span = key_span.clone();
        }
        Entry {
            key: key.get().to_owned(),
            key_span,
            node,
        }
    }

    fn item(&self, item: &Item) -> Option<Node> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(self.value(value)),
            Item::Table(table) => Some(Node {
                value: self.table(table),
                span: self.span(table.span()),
            }),
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().map(|t| Node {
                    value: self.table(t),
                    span: self.span(t.span()),
                });
                Some(Node {
                    value: Value::List(items.collect()),
                    span: self.span(tables.span()),
                })
            }
        }
    }

    fn value(&self, value: &TomlValue) -> Node {
        let span = self.span(value.span());
        let scalar = |text: String, kind| Node::scalar(text, kind, span.clone());
        match value {
            TomlValue::String(text) => scalar(text.value().clone(), ScalarKind::Text),
            TomlValue::Integer(number) => scalar(number.value().to_string(), ScalarKind::Int),
            TomlValue::Float(number) => scalar(number.value().to_string(), ScalarKind::Float),
            TomlValue::Boolean(truth) => scalar(truth.value().to_string(), ScalarKind::Bool),
            TomlValue::Datetime(time) => scalar(time.value().to_string(), ScalarKind::Text),
            TomlValue::Array(items) => {
                let items = items.iter().map(|item| self.value(item)).collect();
                Node {
                    value: Value::List(items),
                    span,
                }
            }
            TomlValue::InlineTable(table) => Node {
                value: self.inline(table),
                span,
            },
        }
    }
}
