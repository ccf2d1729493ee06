//! An option that holds either a path or the PEM text itself.

use std::fmt;

use crate::decode::{Cx, Decode, Kind};
use crate::encode::{Encode, Secrets};
use crate::node::Node;
use crate::secret::REDACTED;
use crate::shape::Shape;

/// A path if such a file exists, otherwise the content. Which of the two is for the reader of files to find out.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOrContent(pub String);

impl FileOrContent {
    /// The text as written: a path or PEM.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when the text can only be PEM, so no file needs to be looked for.
    pub fn is_content(&self) -> bool {
        self.0.contains("-----BEGIN ")
    }

    /// True when it holds a private key in PEM, or a JSON Web Key with a secret part (RFC 7518 §6).
    fn hides_key(&self) -> bool {
        let is_jwk = || self.0.contains("\"kty\"");
        let has_secret = || {
            ["\"oct\"", "\"d\"", "\"k\""]
                .iter()
                .any(|part| self.0.contains(part))
        };
        self.0.contains("PRIVATE KEY-----") || is_jwk() && has_secret()
    }
}

impl From<&str> for FileOrContent {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for FileOrContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hides_key() {
            f.write_str("***")
        } else {
            fmt::Debug::fmt(&self.0, f)
        }
    }
}

impl Decode for FileOrContent {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        self.0.fill(node, cx);
    }

    fn shape() -> Shape {
        Shape::FileOrContent
    }
}

impl Encode for FileOrContent {
    fn encode(&self, secrets: Secrets) -> serde_json::Value {
        match secrets {
            Secrets::Redacted if self.hides_key() => REDACTED.into(),
            _ => self.0.clone().into(),
        }
    }

    fn omitted(&self) -> bool {
        self.0.is_empty()
    }
}
