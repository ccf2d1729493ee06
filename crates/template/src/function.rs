//! A function that templates call, with the types of its parameters.

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::object::Object;
use crate::value::{Elem, IntKind, Value};

/// The type of a parameter, as in the signature of Go's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Bool,
    /// Go's `int`; `int64` and the like are taken too where the value fits.
    Int,
    Float,
    Str,
    /// `map[string]interface{}`.
    Dict,
    /// `[]interface{}`.
    List,
    Time,
    Certificate,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Str => "string",
            Self::Dict => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Time => "time.Time",
            Self::Certificate => "sprig.certificate",
        }
    }

    /// Whether `nil` may stand for it.
    pub fn takes_nil(self) -> bool {
        matches!(self, Self::Any | Self::Dict | Self::List)
    }

    /// Whether a value has this type.
    pub fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Bool, Value::Bool(_))
            | (Self::Float, Value::Float(_))
            | (Self::Str, Value::Str(_)) => true,
            (Self::Int, Value::Int(_, kind)) => matches!(kind, IntKind::Int | IntKind::Int64),
            (Self::Dict, Value::Dict(dict)) => dict.elem == Elem::Any,
            (Self::List, Value::List(list)) => list.elem == Elem::Any,
            (Self::Time, Value::Object(object)) => matches!(**object, Object::Time(_)),
            (Self::Certificate, Value::Object(object)) => matches!(**object, Object::Certificate(_)),
            (_, Value::Nil) => self.takes_nil(),
            _ => false,
        }
    }
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    /// Arguments behind the first false one are not evaluated.
    And,
    /// Arguments behind the first true one are not evaluated.
    Or,
}

/// What a function does; its arguments have the types of its parameters.
pub(crate) type Body = fn(&Budget, &[Value]) -> Result<Value>;

pub(crate) struct Function {
    pub name: &'static str,
    pub params: &'static [Kind],
    /// The type of any number of further arguments.
    pub rest: Option<Kind>,
    pub form: Form,
    pub body: Body,
}

/// A function of so many arguments.
pub(crate) const fn fixed(name: &'static str, params: &'static [Kind], body: Body) -> Function {
    Function {
        name,
        params,
        rest: None,
        form: Form::Plain,
        body,
    }
}

/// A function of at least so many arguments.
pub(crate) const fn variadic(
    name: &'static str,
    params: &'static [Kind],
    rest: Kind,
    body: Body,
) -> Function {
    Function {
        name,
        params,
        rest: Some(rest),
        form: Form::Plain,
        body,
    }
}

/// A function of any number of arguments that is evaluated no further than needed.
pub(crate) const fn lazy(name: &'static str, form: Form) -> Function {
    Function {
        name,
        params: &[Kind::Any],
        rest: Some(Kind::Any),
        form,
        body: |_, args| Ok(args.last().cloned().unwrap_or_default()),
    }
}

impl Function {
    /// The type of argument number `index`.
    pub fn param(&self, index: usize) -> Kind {
        self.params.get(index).copied().or(self.rest).unwrap_or(Kind::Any)
    }

    /// Fails when it does not take so many arguments.
    pub fn check_count(&self, count: usize) -> Result<()> {
        let want = self.params.len();
        let (fits, least) = match self.rest {
            Some(_) => (count >= want, "at least "),
            None => (count == want, ""),
        };
        if fits {
            return Ok(());
        }
        let name = self.name;
        Err(Fault::new(format!(
            "wrong number of args for {name}: want {least}{want} got {count}"
        )))
    }
}

// What a body takes out of arguments whose types were checked.

pub(crate) fn text(value: &Value) -> &str {
    match value {
        Value::Str(text) => text,
        _ => "",
    }
}

pub(crate) fn int(value: &Value) -> i64 {
    match value {
        Value::Int(number, _) => *number,
        _ => 0,
    }
}

pub(crate) fn float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        _ => 0.0,
    }
}

/// The items of a list; none of anything else.
pub(crate) fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(list) => list.items(),
        _ => &[],
    }
}
