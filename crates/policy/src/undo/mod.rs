//! Compensating calls: templates over what a call and its answer said. Pure; who gathers the values and what becomes of a call is the
//! middleware's.
//!
//! A template is text with names in it, such as `/orders/${response.body.id}`; a JSON template has them in its texts, and a text that
//! is nothing but one name becomes the value itself, a number a number.

mod reference;
mod shape;
mod template;

pub use reference::{Reference, Root, is_credential};
pub use shape::Shape;
pub use template::Template;

use serde_json::Value;

/// The names that the templates of one contract hold, each once. Templates know them by their place here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names(Vec<Reference>);

/// The values of [`Names`], in their order; `None` for what is not there.
pub type Values = Vec<Option<Value>>;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The template, and the byte in it.
    pub text: String,
    pub at: usize,
    pub message: String,
}

/// The name that has no value, or none that fits its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    #[error("there is no `{0}`")]
    Absent(String),
    #[error("`{0}` is {1}, which has no place in a text")]
    NoText(String, &'static str),
    #[error("`{0}` has no place in a path")]
    NoSegment(String),
}

impl Names {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter()
    }

    /// Whether one of them comes from there.
    pub fn needs(&self, root: Root) -> bool {
        self.0.iter().any(|name| name.root() == root)
    }

    /// The place of a name, added where it is new.
    fn place(&mut self, reference: Reference) -> usize {
        let found = self.0.iter().position(|known| *known == reference);
        found.unwrap_or_else(|| {
            self.0.push(reference);
            self.0.len() - 1
        })
    }
}
