//! A parsed template.

use std::ops::Range;
use std::sync::Arc;

use crate::function::Function;

/// What stands between other things and is written or done one after the other.
pub(crate) type Body = Vec<Node>;

pub(crate) enum Node {
    /// Text that is copied: bytes of the source.
    Text(Range<usize>),
    /// `{{pipeline}}`.
    Action(Pipe),
    /// `if` and `with`, with all their `else if` and `else with`.
    Branch {
        sets_dot: bool,
        arms: Vec<(Pipe, Body)>,
        otherwise: Body,
    },
    Range {
        pipe: Pipe,
        body: Body,
        otherwise: Body,
    },
    /// `{{template "name" pipeline}}`.
    Call {
        at: usize,
        name: Arc<str>,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

/// Commands of which each takes the value of the one before as its last argument.
pub(crate) struct Pipe {
    /// Offset into the source.
    pub at: usize,
    pub variables: Vec<Arc<str>>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

/// A value with its arguments; never empty.
pub(crate) struct Command {
    pub first: Expr,
    pub args: Vec<Expr>,
}

pub(crate) struct Expr {
    pub at: usize,
    pub kind: ExprKind,
}

pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Str(Arc<str>),
    /// `.a.b`.
    Fields(Vec<Arc<str>>),
    /// `$x.a.b`.
    Variable(Arc<str>, Vec<Arc<str>>),
    Function(&'static Function),
    /// `(pipeline)`.
    Pipe(Box<Pipe>),
    /// `(pipeline).a.b` or `function.a.b`.
    Chain(Box<Expr>, Vec<Arc<str>>),
}

impl ExprKind {
    /// Whether a later stage of a pipeline may start with it.
    pub fn is_executable(&self) -> bool {
        !matches!(
            self,
            Self::Dot | Self::Nil | Self::Bool(_) | Self::Number(_) | Self::Str(_)
        )
    }
}

/// A number as it is written; what it becomes depends on what is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    pub int: Option<i64>,
    pub float: Option<f64>,
    /// Written with a point or an exponent.
    pub is_float: bool,
}
