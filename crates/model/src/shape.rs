//! What an option looks like, as data: read by the schema and the manual, never by the decoder.

use serde_json::Value;

use crate::decode::{Field, Removed};

/// The type of an option.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A number of seconds or a Go duration.
    Duration,
    /// Text that is never shown.
    Secret,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A path or PEM text.
    FileOrContent,
    /// Anything: handed on as it is.
    Any,
    /// Several of one type.
    List(Box<Shape>),
    /// Free names, each with a value of one type.
    Map(Box<Shape>),
    /// A fixed set of options.
    Object(ObjectShape),
}

/// A fixed set of options.
#[derive(Clone, Debug)]
pub struct ObjectShape {
    /// Name of the Rust type, unique in its configuration.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// Its options, in the order of the manual.
    pub fields: Vec<FieldShape>,
    /// Options that no longer exist.
    pub removed: &'static [Removed],
}

/// One option of an object.
#[derive(Clone, Debug)]
pub struct FieldShape {
    /// Name and rules.
    pub field: Field,
    /// Its doc comment.
    pub doc: &'static str,
    /// Its type.
    pub shape: Shape,
    /// The value when it is absent; nothing when that is the empty value of its type.
    pub default: Option<Value>,
}
