//! YAML 1.2, and JSON as a part of it: anchors, aliases and merge keys (`<<`) are resolved here.
//!
//! Values are recognised as Traefik's YAML library does: `yes` and `on` are text, `0x10` is 16.

use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span as YamlSpan, Tag};
use rustc_hash::FxHashMap;

use super::{MAX_ALIASED, MAX_DEPTH, small};
use crate::node::{Entry, Node, Scalar, ScalarKind, Source, Span, Value};
use crate::problem::{Problem, Problems, code};

/// Reads the first document; nothing when it is broken.
pub fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    let text = source.content()?;
    let mut options = Options::default();
    options.emit_comments = false;
    let mut builder = Builder::new(source);
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(Box::new(builder.scan_error(&error))),
        };
        match step {
            Ok(Step::More) => {}
            Ok(Step::Second(span)) => {
                let message = "only the first document of the file is read";
                problems.push(Problem::warning(code::SYNTAX, span, message));
                break;
            }
            Err(problem) => {
                problems.push(problem.voiding());
                return None;
            }
        }
    }
    let empty = || Node {
        value: Value::Map(Vec::new()),
        span: Span::start(source),
    };
    Some(builder.root.filter(|node| !node.is_null()).unwrap_or_else(empty))
}

enum Step {
    More,
    Second(Span),
}

type Result<T> = std::result::Result<T, Box<Problem>>;

/// An open list or map.
enum Frame {
    List {
        items: Vec<Node>,
        span: Span,
        anchor: usize,
    },
    Map {
        members: Members,
        key: Option<Key>,
        merges: Vec<Node>,
        span: Span,
        anchor: usize,
    },
}

/// The members of an open map; names are looked up by hash, so that a map of any size is read in linear time.
#[derive(Default)]
struct Members {
    entries: Vec<Entry>,
    places: FxHashMap<String, usize>,
}

enum Key {
    Name(String, Span),
    Merge(Span),
}

/// A finished node with an anchor, and what it weighs.
struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    stack: Vec<Frame>,
    anchors: FxHashMap<usize, Anchored>,
    aliased: usize,
    documents: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        let (stack, anchors) = (Vec::new(), FxHashMap::default());
        Self {
            source,
            stack,
            anchors,
            aliased: 0,
            documents: 0,
            root: None,
        }
    }

    fn event(&mut self, event: Event<'_>, at: YamlSpan) -> Result<Step> {
        let span = self.span(at);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Ok(Step::Second(span));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Frame::List {
                    items: Vec::new(),
                    span,
                    anchor,
                })?;
            }
            Event::MappingStart(_, anchor, _) => {
                let (members, merges) = (Members::default(), Vec::new());
                self.open(Frame::Map {
                    members,
                    key: None,
                    merges,
                    span,
                    anchor,
                })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span)?,
            Event::Alias(id) => self.alias(id, span)?,
            _ => {}
        }
        Ok(Step::More)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<()> {
        let plain = style == ScalarStyle::Plain;
        if let Some(Frame::Map { key: key @ None, .. }) = self.stack.last_mut() {
            let name = || Key::Name(text.to_owned(), span.clone());
            *key = Some(if plain && text == "<<" {
                Key::Merge(span.clone())
            } else {
                name()
            });
            if anchor != 0 {
                self.remember(anchor, &Node::scalar(text, ScalarKind::Text, span));
            }
            return Ok(());
        }
        let textual = !plain || tag.is_some_and(|t| t.core_suffix() == Some("str"));
        let value = if textual { quoted(text) } else { resolve(text) };
        self.finish(Node { value, span }, anchor)
    }

    fn open(&mut self, frame: Frame) -> Result<()> {
        let span = match &frame {
            Frame::List { span, .. } | Frame::Map { span, .. } => span.clone(),
        };
        if let Some(Frame::Map { key: None, .. }) = self.stack.last() {
            return Err(syntax(span, "a list or an object cannot be a name"));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self, end: &Span) -> Result<()> {
        let (value, mut span, anchor) = match self.stack.pop() {
            Some(Frame::List { items, span, anchor }) => (Value::List(items), span, anchor),
            Some(Frame::Map {
                mut members,
                merges,
                span,
                anchor,
                ..
            }) => {
                merges.into_iter().for_each(|merge| members.merge(merge));
                (Value::Map(members.entries), span, anchor)
            }
            None => return Ok(()),
        };
        (span.end_line, span.end_column) = (end.end_line, end.end_column);
        self.finish(Node { value, span }, anchor)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<()> {
        let Some(found) = self.anchors.get(&id) else {
            return Err(syntax(span, "the alias stands inside what it refers to"));
        };
        self.aliased += found.size;
        if self.aliased > MAX_ALIASED || self.stack.len() + found.depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let mut node = found.node.clone();
        if let Some(Frame::Map { key: key @ None, .. }) = self.stack.last_mut() {
            let Value::Scalar(scalar) = node.value else {
                return Err(syntax(span, "a list or an object cannot be a name"));
            };
            *key = Some(Key::Name(scalar.text, span));
            return Ok(());
        }
        node.span = span;
        self.put(node)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<()> {
        if anchor != 0 {
            self.remember(anchor, &node);
        }
        self.put(node)
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        let (size, depth) = weigh(node);
        self.anchors.insert(
            anchor,
            Anchored {
                node: node.clone(),
                size,
                depth,
            },
        );
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node) -> Result<()> {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map {
                members, key, merges, ..
            }) => match key.take() {
                Some(Key::Name(name, span)) => members.add(name, span, node)?,
                Some(Key::Merge(span)) => add_merges(merges, node, span)?,
                None => {}
            },
        }
        Ok(())
    }

    fn span(&self, span: YamlSpan) -> Span {
        let (start, end) = (span.start, span.end);
        let at = |line: usize, column: usize| (small(line), small(column + 1));
        let ((line, column), (end_line, end_column)) =
            (at(start.line(), start.col()), at(end.line(), end.col()));
        Span::new(self.source, line, column, end_line, end_column)
    }

    fn scan_error(&self, error: &ScanError) -> Problem {
        let mark = error.marker();
        let (line, column) = (small(mark.line().max(1)), small(mark.col() + 1));
        let span = Span::new(self.source, line, column, line, column + 1);
        let tab = span
            .excerpt()
            .is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'));
        let problem = Problem::error(code::SYNTAX, span, format!("not YAML: {}", error.info()));
        if tab {
            problem.help("indent with spaces: YAML does not allow tabs")
        } else {
            problem
        }
    }
}

impl Members {
    fn add(&mut self, key: String, key_span: Span, node: Node) -> Result<()> {
        if let Some(first) = self.places.get(&key) {
            let message = format!("`{key}` is written twice");
            let problem = Problem::error(code::DUPLICATE_KEY, key_span, message);
            let first = self.entries[*first].key_span.clone();
            return Err(Box::new(problem.related(first, "first written here")));
        }
        self.push(Entry { key, key_span, node });
        Ok(())
    }

    /// Adds the members that are not there yet.
    fn merge(&mut self, merge: Node) {
        if let Value::Map(merged) = merge.value {
            for entry in merged {
                if !self.places.contains_key(&entry.key) {
                    self.push(entry);
                }
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.places.insert(entry.key.clone(), self.entries.len());
        self.entries.push(entry);
    }
}

fn add_merges(merges: &mut Vec<Node>, node: Node, span: Span) -> Result<()> {
    match node.value {
        Value::Map(_) => merges.push(node),
        Value::List(items) if items.iter().all(|i| i.entries().is_some()) => merges.extend(items),
        _ => return Err(syntax(span, "`<<` needs an object, or a list of objects")),
    }
    Ok(())
}

/// How many values a tree has, and how deep it is.
fn weigh(node: &Node) -> (usize, usize) {
    let parts: Vec<(usize, usize)> = match &node.value {
        Value::List(items) => items.iter().map(weigh).collect(),
        Value::Map(entries) => entries.iter().map(|e| weigh(&e.node)).collect(),
        _ => return (1, 0),
    };
    let size = parts.iter().map(|(size, _)| size).sum::<usize>();
    let depth = parts.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    (size + 1, depth + 1)
}

fn syntax(span: Span, message: &str) -> Box<Problem> {
    Box::new(Problem::error(code::SYNTAX, span, message))
}

fn too_deep(span: Span) -> Box<Problem> {
    let message =
        format!("nested deeper than {MAX_DEPTH} levels, or aliases expand to more than {MAX_ALIASED} values");
    Box::new(Problem::error(code::TOO_DEEP, span, message))
}

fn quoted(text: &str) -> Value {
    Value::Scalar(Scalar {
        text: text.to_owned(),
        kind: ScalarKind::Text,
    })
}

/// What a plain scalar is.
fn resolve(text: &str) -> Value {
    let scalar = |text: &str, kind| {
        Value::Scalar(Scalar {
            text: text.to_owned(),
            kind,
        })
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return scalar("true", ScalarKind::Bool),
        "false" | "False" | "FALSE" => return scalar("false", ScalarKind::Bool),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return quoted(text);
    }
    match integer(text) {
        Some(number) => scalar(&number, ScalarKind::Int),
        None if is_float(text) => scalar(text, ScalarKind::Float),
        None => quoted(text),
    }
}

/// The decimal spelling of a whole number: digits, `0x`, `0o`, `0b`, with underscores between digits.
fn integer(text: &str) -> Option<String> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = match digits.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => {
            let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            return (decimal && digits.parse::<u64>().is_ok()).then(|| format!("{sign}{digits}"));
        }
    };
    let number = u64::from_str_radix(digits.get(2..)?, radix).ok()?;
    Some(format!("{sign}{number}"))
}

fn is_float(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok()
}
