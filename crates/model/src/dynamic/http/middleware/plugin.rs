//! `plugin`

use std::collections::BTreeMap;

use serde_json::Value;

use crate::decode::{Cx, Decode, Kind};
use crate::encode::{Encode, Secrets};
use crate::node::Node;
use crate::shape::Shape;

/// A middleware that is not part of Traefik Proxy: the name it is registered under, and its options as they are.
///
/// Values from files keep their types; values from flags, environment and labels are text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plugin(pub BTreeMap<String, Value>);

impl Plugin {
    /// The name and the options, when exactly one plugin is named.
    pub fn single(&self) -> Option<(&str, &Value)> {
        let mut all = self.0.iter();
        match (all.next(), all.next()) {
            (Some((name, options)), None) => Some((name, options)),
            _ => None,
        }
    }
}

impl Decode for Plugin {
    const KIND: Kind = Kind::Object;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        self.0.fill(node, cx);
    }

    fn shape() -> Shape {
        Shape::Map(Box::new(Shape::Any))
    }
}

impl Encode for Plugin {
    fn encode(&self, secrets: Secrets) -> Value {
        self.0.encode(secrets)
    }
}
