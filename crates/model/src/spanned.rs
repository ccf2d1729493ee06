//! A value together with the place it was written.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

use crate::decode::{Cx, Decode, Kind};
use crate::encode::{Encode, Secrets};
use crate::node::{Node, Span};
use crate::shape::Shape;

/// Named objects, in order of name.
pub type Map<T> = BTreeMap<String, Spanned<T>>;

/// A value and where it came from. Two are equal when their values are: moving an object in a file changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written; [`Span::none`] for objects the gateway makes itself.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value that nobody wrote.
    pub fn unplaced(value: T) -> Self {
        Self {
            value,
            span: Span::none(),
        }
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Self::unplaced(value)
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Spanned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: Hash> Hash for Spanned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<T: Decode> Decode for Spanned<T> {
    const KIND: Kind = T::KIND;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        self.span = cx.take_anchor().unwrap_or_else(|| node.span.clone());
        self.value.fill(node, cx);
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Encode> Encode for Spanned<T> {
    fn encode(&self, secrets: Secrets) -> serde_json::Value {
        self.value.encode(secrets)
    }

    fn omitted(&self) -> bool {
        self.value.omitted()
    }
}
