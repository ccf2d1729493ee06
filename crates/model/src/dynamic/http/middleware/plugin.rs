//! `plugin`

use std::collections::BTreeMap;

use serde_json::Value;

use super::Extra;
use crate::decode::{Cx, Decode, Field, Kind, Object};
use crate::encode::{Encode, Secrets};
use crate::node::{self, Node};
use crate::shape::{ObjectShape, Shape};

/// A middleware that is not part of Traefik Proxy, by the name it is registered under. Traefik Hub's are the gateway's
/// own kinds and can be written without `plugin` too; others are not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plugin {
    /// One of the gateway's own kinds.
    pub extra: Extra,
    /// Others, with their options as they are: values from files keep their types, values from flags, environment and
    /// labels are text.
    pub others: BTreeMap<String, Value>,
}

impl Plugin {
    /// True when it is not one of the gateway's own kinds.
    pub fn is_foreign(&self) -> bool {
        !self.others.is_empty() || self.extra.kind_names().is_empty()
    }

    /// The name, when exactly one plugin is named.
    pub fn name(&self) -> Option<&str> {
        let own = self.extra.kind_names().into_iter();
        let mut all = own.chain(self.others.keys().map(String::as_str));
        match (all.next(), all.next()) {
            (Some(name), None) => Some(name),
            _ => None,
        }
    }

    /// The names that are the gateway's own kinds; found in any case.
    pub fn known() -> impl Iterator<Item = &'static str> {
        Extra::FIELDS.iter().map(|field: &Field| field.name)
    }
}

impl Decode for Plugin {
    const KIND: Kind = Kind::Object;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let Some(entries) = node.entries() else {
            return self.others.fill(node, cx);
        };
        let is_own = |entry: &&node::Entry| Self::known().any(|name| name.eq_ignore_ascii_case(&entry.key));
        let (own, others) = entries.iter().partition(is_own);
        let part = |entries: Vec<&node::Entry>| Node {
            value: node::Value::Map(entries.into_iter().cloned().collect()),
            span: node.span.clone(),
        };
        self.extra.fill(&part(own), cx);
        self.others.fill(&part(others), cx);
    }

    fn shape() -> Shape {
        Shape::Object(ObjectShape {
            name: "Plugin",
            doc: "A middleware of Traefik Hub, by the name it is registered under there.",
            fields: Extra::shapes(),
            removed: &[],
        })
    }
}

impl Encode for Plugin {
    fn encode(&self, secrets: Secrets) -> Value {
        let mut all = self.extra.encode(secrets);
        if let (Value::Object(all), Value::Object(others)) = (&mut all, self.others.encode(secrets)) {
            all.extend(others);
        }
        all
    }
}
