//! Text that must not reach a log, an API answer or a panic message.

use std::fmt;

use crate::decode::{Cx, Decode, Kind};
use crate::encode::{Encode, Secrets};
use crate::node::Node;
use crate::shape::Shape;

/// What an API answer shows in place of a secret (Traefik's own word for it).
pub const REDACTED: &str = "xxxx";

/// A password, token, key or credential line. Neither `Debug` nor JSON show it; [`Secret::expose`] does.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Grep for this word to find every reader of a secret.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when no secret was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Decode for Secret {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        self.0.fill(node, cx);
    }

    fn shape() -> Shape {
        Shape::Secret
    }
}

impl Encode for Secret {
    fn encode(&self, secrets: Secrets) -> serde_json::Value {
        match secrets {
            Secrets::Redacted => REDACTED.into(),
            Secrets::Shown => self.0.clone().into(),
        }
    }

    fn omitted(&self) -> bool {
        self.0.is_empty()
    }
}
