//! What a template works on: Go's values as far as templates meet them.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Fault, Result};
use crate::object::Object;

/// A value. Text, lists and dicts are shared, not copied.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Go's `nil`, and what a missing key gives.
    #[default]
    Nil,
    Bool(bool),
    Int(i64, IntKind),
    Float(f64),
    Str(Arc<str>),
    List(Rc<List>),
    Dict(Rc<Dict>),
    /// A time, a version, a certificate.
    Object(Rc<Object>),
}

/// The Go type of a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntKind {
    Int,
    Int64,
    Uint8,
    Uint64,
}

impl IntKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint64 => "uint64",
        }
    }

    pub(crate) fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint8 | Self::Uint64)
    }
}

/// The Go type of a list's or dict's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    Any,
    Int,
    Str,
    /// Lists of anything.
    List,
}

impl Elem {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Int => "int",
            Self::Str => "string",
            Self::List => "[]interface {}",
        }
    }

    /// What a missing element is.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::Str => Value::from(""),
            Self::Int => Value::from(0),
            Self::Any | Self::List => Value::Nil,
        }
    }
}

/// A list; it never changes.
#[derive(Debug)]
pub struct List {
    pub(crate) elem: Elem,
    items: Vec<Value>,
    depth: usize,
}

impl List {
    pub(crate) fn new(elem: Elem, items: Vec<Value>) -> Self {
        let below = |item: &Value| match item {
            Value::List(list) => list.depth,
            _ => 0,
        };
        let depth = 1 + items.iter().map(below).max().unwrap_or(0);
        Self { elem, items, depth }
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }

    /// How many lists stand inside each other, this one counted.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }
}

/// A map from text to values. Functions such as `set` change it in place and everybody who holds it sees that.
#[derive(Debug)]
pub struct Dict {
    pub(crate) elem: Elem,
    entries: RefCell<BTreeMap<Arc<str>, Value>>,
    frozen: bool,
}

impl Dict {
    pub(crate) fn new(elem: Elem, entries: BTreeMap<Arc<str>, Value>) -> Self {
        Self {
            elem,
            entries: RefCell::new(entries),
            frozen: false,
        }
    }

    pub(crate) fn entries(&self) -> Ref<'_, BTreeMap<Arc<str>, Value>> {
        self.entries.borrow()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }

    /// # Errors
    /// The data that a template is rendered with stays as it is: it may be rendered again.
    pub(crate) fn change(&self) -> Result<RefMut<'_, BTreeMap<Arc<str>, Value>>> {
        if self.frozen {
            return Err(Fault::new(
                "the data of a template cannot be changed; change what `deepCopy` makes of it",
            ));
        }
        Ok(self.entries.borrow_mut())
    }

    pub(crate) fn empty(&self) {
        // Dropped behind the borrow: what falls out may hold this dict.
        let entries = std::mem::take(&mut *self.entries.borrow_mut());
        drop(entries);
    }
}

impl Value {
    /// Data for a template: an object's members by name.
    pub fn object<K: Into<Arc<str>>>(members: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Dict(Rc::new(Dict {
            elem: Elem::Any,
            entries: RefCell::new(members.into_iter().map(|(k, v)| (k.into(), v)).collect()),
            frozen: true,
        }))
    }

    /// Data for a template: a list.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Self::List(Rc::new(List::new(Elem::Any, items.into_iter().collect())))
    }

    /// Whether Go takes it for true: neither nil, zero nor empty.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n, _) => *n != 0,
            Self::Float(f) => *f != 0.0,
            Self::Str(s) => !s.is_empty(),
            Self::List(l) => !l.items.is_empty(),
            Self::Dict(d) => !d.entries.borrow().is_empty(),
            Self::Object(_) => true,
        }
    }

    /// The name of its type, as `%T` prints it.
    pub(crate) fn type_name(&self) -> String {
        match self {
            Self::Nil => "<nil>".into(),
            Self::Bool(_) => "bool".into(),
            Self::Int(_, kind) => kind.name().into(),
            Self::Float(_) => "float64".into(),
            Self::Str(_) => "string".into(),
            Self::List(l) => format!("[]{}", l.elem.name()),
            Self::Dict(d) => format!("map[string]{}", d.elem.name()),
            Self::Object(o) => o.type_name().into(),
        }
    }

    /// The name of its kind, as Go's reflection has it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_, kind) => kind.name(),
            Self::Float(_) => "float64",
            Self::Str(_) => "string",
            Self::List(_) => "slice",
            Self::Dict(_) => "map",
            Self::Object(o) => o.kind_name(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// Go's `int`.
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number, IntKind::Int)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

/// As Go decodes JSON: every number is a `float64`.
impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => Self::Float(n.as_f64().unwrap_or_default()),
            serde_json::Value::String(s) => s.as_str().into(),
            serde_json::Value::Array(items) => Self::list(items.iter().map(Self::from)),
            serde_json::Value::Object(members) => {
                Self::object(members.iter().map(|(k, v)| (k.as_str(), Self::from(v))))
            }
        }
    }
}
