//! The one decoder: from a tree, whatever dialect it was written in, to configuration; all problems at once.
//!
//! It follows Traefik's rules: names in any case, weakly typed scalars, absent and null are the same, an empty object
//! is an error except where it means "with defaults". Which words an option has is not known here but in the structs.

mod fields;
pub mod suggest;

use crate::node::{Node, Span};
use crate::problem::{ObjectRef, Problem, Problems, code};
use crate::shape::{FieldShape, Shape};

pub use fields::fields;
pub(crate) use fields::means_true;

/// A type that can be read from a tree.
pub trait Decode: Default {
    /// What kind of value it expects.
    const KIND: Kind;

    /// Reads `node` over the present (default) value; what is wrong goes to `cx` and leaves the value as it was.
    fn fill(&mut self, node: &Node, cx: &mut Cx);

    /// What it looks like, for schemas and the manual.
    fn shape() -> Shape;

    /// Reads `node` over the default value.
    fn decode(node: &Node, cx: &mut Cx) -> Self {
        let mut value = Self::default();
        value.fill(node, cx);
        value
    }
}

/// A type with a fixed set of options, by position; implemented by `#[derive(Config)]`.
pub trait Object: Decode {
    /// Names and rules of its options.
    const FIELDS: &'static [Field];

    /// Reads `node` over the option at `index` of [`Object::FIELDS`].
    fn set(&mut self, index: usize, node: &Node, cx: &mut Cx);

    /// What its options look like, in the same order.
    fn shapes() -> Vec<FieldShape>;
}

/// Two lists of options as one of `N`, the sum of their lengths.
pub const fn joined<const N: usize>(first: &[Field], second: &[Field]) -> [Field; N] {
    let mut all = [if first.is_empty() { second[0] } else { first[0] }; N];
    let mut at = 1;
    while at < N {
        all[at] = if at < first.len() {
            first[at]
        } else {
            second[at - first.len()]
        };
        at += 1;
    }
    all
}

/// What kind of value a type expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, number, truth value.
    Scalar,
    /// A list of scalars: one scalar with commas will do.
    Scalars,
    /// A list of objects.
    Objects,
    /// A fixed set of options, or free names.
    Object,
}

/// Name and rules of one option.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its spelling, camelCase; read in any case.
    pub name: &'static str,
    /// What kind of value it expects.
    pub kind: Kind,
    /// An empty object or `true` creates it.
    pub allow_empty: bool,
    /// Labels cannot set it.
    pub no_labels: bool,
    /// What to do instead, when it will go.
    pub deprecated: Option<&'static str>,
    /// Accepted words; any when empty.
    pub one_of: &'static [&'static str],
    /// Those words in any case.
    pub any_case: bool,
}

/// An option that no longer exists.
#[derive(Clone, Copy, Debug)]
pub struct Removed {
    /// Its former name.
    pub name: &'static str,
    /// What to do instead.
    pub help: &'static str,
}

/// Which configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The install configuration: an error stops the start.
    Install,
    /// A routing file: an error voids it.
    Routing,
    /// Routing configuration from labels or tags, where some options are not allowed.
    Labels,
}

/// What the decoder knows while it walks.
#[derive(Debug)]
pub struct Cx {
    /// What was found wrong so far.
    pub problems: Problems,
    mode: Mode,
    path: Vec<String>,
    anchor: Option<Span>,
}

impl Cx {
    /// Starts at the root.
    pub fn new(mode: Mode) -> Self {
        Self {
            problems: Problems::new(),
            mode,
            path: Vec::new(),
            anchor: None,
        }
    }

    /// Which configuration is read.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Where it is: `http.routers.a.tls`; empty at the root.
    pub fn path(&self) -> String {
        let mut out = String::new();
        for part in &self.path {
            if !out.is_empty() && !part.starts_with('[') {
                out.push('.');
            }
            out.push_str(part);
        }
        out
    }

    /// The path of a child.
    pub fn path_of(&self, name: &str) -> String {
        let path = self.path();
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    }

    /// Runs `f` one step further down.
    pub fn within<R>(&mut self, part: impl Into<String>, f: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(part.into());
        let out = f(self);
        self.path.pop();
        out
    }

    /// Reports a problem of the object it is in.
    pub fn report(&mut self, mut problem: Problem) {
        if problem.object.is_none() {
            problem.object = self.object();
        }
        self.problems.push(problem);
    }

    /// Reports an error that voids the source.
    pub fn refuse(&mut self, problem: Problem) {
        self.report(problem.voiding());
    }

    /// Reports a value of the wrong form.
    pub fn wrong_type(&mut self, wanted: &str, node: &Node) {
        let message = format!("`{}` expects {wanted}, found {}", self.path(), node.noun());
        self.refuse(Problem::error(code::WRONG_TYPE, node.span.clone(), message));
    }

    pub(crate) fn set_anchor(&mut self, span: Option<Span>) {
        self.anchor = span;
    }

    pub(crate) fn take_anchor(&mut self) -> Option<Span> {
        self.anchor.take()
    }

    fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    fn object(&self) -> Option<ObjectRef> {
        if self.mode == Mode::Install {
            return None;
        }
        let [section, kind, name, ..] = self.path.as_slice() else {
            return None;
        };
        let name = name.trim_matches(['[', ']']).to_owned();
        Some(ObjectRef {
            kind: format!("{section}.{kind}"),
            name,
        })
    }
}
