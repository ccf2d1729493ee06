//! Reading plain values, lists and maps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::decode::{Cx, Decode, Kind};
use crate::duration::Duration;
use crate::node::{Node, Scalar, Value};
use crate::problem::{Problem, code};
use crate::shape::Shape;

/// The text of a scalar; anything else is reported.
fn text<'a>(node: &'a Node, wanted: &str, cx: &mut Cx) -> Option<&'a str> {
    match &node.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        Value::Null => None,
        _ => {
            cx.wrong_type(wanted, node);
            None
        }
    }
}

/// Reports a text that cannot be read as the option's type.
fn bad(code: &'static str, node: &Node, text: &str, wanted: &str, help: &str, cx: &mut Cx) {
    let message = format!("`{}` expects {wanted}, found `{text}`", cx.path());
    cx.refuse(Problem::error(code, node.span.clone(), message).help(help));
}

impl Decode for String {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        if let Some(text) = text(node, "text", cx) {
            text.clone_into(self);
        }
    }

    fn shape() -> Shape {
        Shape::String
    }
}

impl Decode for bool {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let Some(text) = text(node, "`true` or `false`", cx) else {
            return;
        };
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => *self = true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => *self = false,
            _ => bad(
                code::BAD_BOOL,
                node,
                text,
                "a truth value",
                "write `true` or `false`",
                cx,
            ),
        }
    }

    fn shape() -> Shape {
        Shape::Bool
    }
}

impl Decode for i64 {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let Some(text) = text(node, "a whole number", cx) else {
            return;
        };
        match text.parse() {
            Ok(number) => *self = number,
            Err(_) => bad(
                code::BAD_INT,
                node,
                text,
                "a whole number",
                "write digits only, such as `10`",
                cx,
            ),
        }
    }

    fn shape() -> Shape {
        Shape::Int
    }
}

impl Decode for f64 {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let Some(text) = text(node, "a number", cx) else {
            return;
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => *self = number,
            _ => bad(
                code::BAD_FLOAT,
                node,
                text,
                "a number",
                "write a number such as `0.5`",
                cx,
            ),
        }
    }

    fn shape() -> Shape {
        Shape::Float
    }
}

impl Decode for Duration {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let Some(text) = text(node, "a duration", cx) else {
            return;
        };
        match Duration::parse(text) {
            Ok(duration) => *self = duration,
            Err(why) => {
                let help = format!("{why}; write seconds (`10`) or a duration such as `500ms`, `1m30s`");
                bad(code::BAD_DURATION, node, text, "a duration", &help, cx);
            }
        }
    }

    fn shape() -> Shape {
        Shape::Duration
    }
}

impl Decode for serde_json::Value {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, _: &mut Cx) {
        *self = node.to_json();
    }

    fn shape() -> Shape {
        Shape::Any
    }
}

impl<T: Decode> Decode for Option<T> {
    const KIND: Kind = T::KIND;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        if !node.is_null() {
            self.get_or_insert_default().fill(node, cx);
        }
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Decode> Decode for Box<T> {
    const KIND: Kind = T::KIND;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        (**self).fill(node, cx);
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Decode> Decode for Vec<T> {
    const KIND: Kind = match T::KIND {
        Kind::Scalar => Kind::Scalars,
        _ => Kind::Objects,
    };

    /// An empty list leaves the default.
    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let scalars = matches!(T::KIND, Kind::Scalar);
        let items: Cow<'_, [Node]> = match &node.value {
            Value::Null => return,
            Value::List(items) if scalars => items.iter().map(trimmed).collect(),
            Value::List(items) => items.into(),
            Value::Scalar(scalar) if scalar.text.is_empty() => return,
            Value::Scalar(scalar) if scalars => split(scalar, node).into(),
            _ => return cx.wrong_type("a list", node),
        };
        if !items.is_empty() {
            *self = items
                .iter()
                .enumerate()
                .map(|(i, item)| element(i, item, cx))
                .collect();
        }
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

fn element<T: Decode>(index: usize, item: &Node, cx: &mut Cx) -> T {
    cx.within(format!("[{index}]"), |cx| {
        if item.is_null() {
            cx.wrong_type("a value", item);
        }
        T::decode(item, cx)
    })
}

fn trimmed(item: &Node) -> Node {
    match &item.value {
        Value::Scalar(s) => Node::scalar(s.text.trim(), s.kind, item.span.clone()),
        _ => item.clone(),
    }
}

fn split(scalar: &Scalar, node: &Node) -> Vec<Node> {
    let parts = scalar.text.split(',');
    parts
        .map(|part| Node::scalar(part.trim(), scalar.kind, node.span.clone()))
        .collect()
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    const KIND: Kind = Kind::Object;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            _ => return cx.wrong_type("an object", node),
        };
        for entry in entries.iter().filter(|e| !e.node.is_null()) {
            let slot = self.entry(entry.key.clone()).or_default();
            cx.set_anchor(Some(entry.key_span.clone()));
            cx.within(entry.key.clone(), |cx| slot.fill(&entry.node, cx));
            cx.set_anchor(None);
        }
    }

    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}
