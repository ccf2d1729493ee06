//! Paths with values, made into a tree: what flags, environment, labels and key-value stores have in common.
//!
//! The shape of the configuration decides what a part of a path is: the name of an option, a free name, a place in a
//! list. It also decides whether a value repeated is a longer list or the last word.

use crate::node::{Entry, Node, Scalar, ScalarKind, Span, Value};
use crate::shape::Shape;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An option or a free name.
    Name(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// Largest place in a list that a path may name.
pub const MAX_INDEX: usize = 999;

/// Splits `tls.domains[0].main` at dots and brackets.
///
/// # Errors
/// A phrase saying what is wrong with the path.
pub fn split(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for word in text.split('.') {
        let (name, mut rest) = word.find('[').map_or((word, ""), |at| word.split_at(at));
        if name.is_empty() {
            return Err("a name is empty".to_owned());
        }
        parts.push(Part::Name(name.to_owned()));
        while let Some(inner) = rest.strip_prefix('[') {
            let Some((digits, after)) = inner.split_once(']') else {
                return Err("`]` is missing".to_owned());
            };
            parts.push(Part::Index(index(digits)?));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(format!("`{rest}` after `]`"));
        }
    }
    Ok(parts)
}

fn index(digits: &str) -> Result<usize, String> {
    let number = digits
        .parse::<usize>()
        .map_err(|_| format!("`[{digits}]` is not a place in a list"))?;
    if number > MAX_INDEX {
        Err(format!("places in a list end at {MAX_INDEX}"))
    } else {
        Ok(number)
    }
}

/// What a path leads to.
pub struct Target<'a> {
    /// Its type.
    pub shape: &'a Shape,
    /// Whether `true` alone creates it.
    pub allow_empty: bool,
}

/// Follows a path through a shape; nothing where no option is.
pub fn lookup<'a>(shape: &'a Shape, path: &[Part]) -> Option<Target<'a>> {
    let mut target = Target {
        shape,
        allow_empty: false,
    };
    for part in path {
        target = step(target.shape, part)?;
    }
    Some(target)
}

fn step<'a>(shape: &'a Shape, part: &Part) -> Option<Target<'a>> {
    match (shape, part) {
        (Shape::Object(object), Part::Name(name)) => {
            let field = object
                .fields
                .iter()
                .find(|f| f.field.name.eq_ignore_ascii_case(name))?;
            Some(Target {
                shape: &field.shape,
                allow_empty: field.field.allow_empty,
            })
        }
        (Shape::Map(inner), Part::Name(_)) => {
            let allow_empty = matches!(**inner, Shape::Object(_));
            Some(Target {
                shape: inner,
                allow_empty,
            })
        }
        (Shape::List(inner), Part::Index(_)) => Some(Target {
            shape: inner,
            allow_empty: false,
        }),
        (Shape::Any, _) => Some(Target {
            shape,
            allow_empty: false,
        }),
        _ => None,
    }
}

/// A tree under construction.
#[derive(Debug, Default)]
pub struct Tree {
    root: Node,
    /// Objects that were switched off, such as `--ping=false`.
    off: Vec<(Vec<Part>, String, Span)>,
}

impl Tree {
    /// Starts with nothing; `span` is the place of the source as a whole.
    pub fn new(span: Span) -> Self {
        Self {
            root: Node {
                value: Value::Map(Vec::new()),
                span,
            },
            off: Vec::new(),
        }
    }

    /// Puts a value at a path of a shape. An object that `true` alone creates is switched off by any other word, and then
    /// what is said of its options does not count, whichever comes first.
    pub fn put_in(&mut self, shape: &Shape, path: &[Part], value: &str, span: &Span) {
        let list = lookup(shape, path).is_some_and(|t| matches!(t.shape, Shape::List(_)));
        if is_switch(shape, path) {
            self.off.retain(|(other, ..)| !same(other, path));
            if !value.is_empty() && !value.eq_ignore_ascii_case("true") {
                self.off.push((path.to_vec(), value.to_owned(), span.clone()));
                return;
            }
        }
        self.put(path, value, span, list);
    }

    /// Puts a value at a path. `list` says that several values make a longer list.
    pub fn put(&mut self, path: &[Part], value: &str, span: &Span, list: bool) {
        let leaf = descend(&mut self.root, path, span);
        let scalar = |text: &str| Node::scalar(text, ScalarKind::Bare, span.clone());
        match &mut leaf.value {
            Value::Map(entries) if !entries.is_empty() => {}
            Value::List(items) if list => items.extend(value.split(',').map(|v| scalar(v.trim()))),
            Value::Scalar(first) if list => {
                let first_span = leaf.span.clone();
                let mut items = pieces(first, &first_span);
                items.extend(value.split(',').map(|v| scalar(v.trim())));
                leaf.value = Value::List(items);
            }
            _ => *leaf = scalar(value),
        }
    }

    /// The finished tree.
    pub fn finish(mut self) -> Node {
        for (path, word, span) in std::mem::take(&mut self.off) {
            *descend(&mut self.root, &path, &span) = Node::scalar(&word, ScalarKind::Bare, span.clone());
        }
        self.root
    }
}

/// True for an option, not a free name, that `true` alone creates.
fn is_switch(shape: &Shape, path: &[Part]) -> bool {
    let Some((_, parent)) = path.split_last() else {
        return false;
    };
    let in_object = lookup(shape, parent).is_some_and(|t| matches!(t.shape, Shape::Object(_)));
    in_object && lookup(shape, path).is_some_and(|t| t.allow_empty)
}

/// Paths are read in any case.
fn same(a: &[Part], b: &[Part]) -> bool {
    let pairs = || a.iter().zip(b);
    a.len() == b.len()
        && pairs().all(|(a, b)| match (a, b) {
            (Part::Name(a), Part::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => a == b,
        })
}

fn pieces(scalar: &Scalar, span: &Span) -> Vec<Node> {
    let texts = scalar.text.split(',').map(str::trim);
    texts
        .map(|text| Node::scalar(text, ScalarKind::Bare, span.clone()))
        .collect()
}

/// The node at a path; what is missing is made.
fn descend<'a>(node: &'a mut Node, path: &[Part], span: &Span) -> &'a mut Node {
    let Some((part, rest)) = path.split_first() else {
        return node;
    };
    let child = match part {
        Part::Name(name) => member(node, name, span),
        Part::Index(index) => item(node, *index, span),
    };
    descend(child, rest, span)
}

fn member<'a>(node: &'a mut Node, name: &str, span: &Span) -> &'a mut Node {
    if node.entries().is_none() {
        *node = Node {
            value: Value::Map(Vec::new()),
            span: span.clone(),
        };
    }
    let entries = node.value.entries_mut().expect("made a map above");
    let at = entries
        .iter()
        .position(|e| e.key.eq_ignore_ascii_case(name))
        .unwrap_or_else(|| {
            let node = Node {
                value: Value::Null,
                span: span.clone(),
            };
            entries.push(Entry {
                key: name.to_owned(),
                key_span: span.clone(),
                node,
            });
            entries.len() - 1
        });
    &mut entries[at].node
}

fn item<'a>(node: &'a mut Node, index: usize, span: &Span) -> &'a mut Node {
    if !matches!(node.value, Value::List(_)) {
        *node = Node {
            value: Value::List(Vec::new()),
            span: span.clone(),
        };
    }
    let items = node.value.items_mut().expect("made a list above");
    while items.len() <= index {
        items.push(Node {
            value: Value::Null,
            span: span.clone(),
        });
    }
    &mut items[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let show = |parts: Vec<Part>| {
            let words = parts.iter().map(|p| match p {
                Part::Name(name) => name.clone(),
                Part::Index(index) => format!("#{index}"),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(split(text).map_or_else(|e| e, show), want, "{text}");
    }

    #[test]
    fn paths() {
        check("a", "a");
        check("entryPoints.web.address", "entryPoints web address");
        check("tls.domains[0].main", "tls domains #0 main");
        check("a[1][2]", "a #1 #2");
        check("a..b", "a name is empty");
        check("a[x]", "`[x]` is not a place in a list");
        check("a[1", "`]` is missing");
        check("a[1]b", "`b` after `]`");
        check("a[100000]", "places in a list end at 999");
    }
}
