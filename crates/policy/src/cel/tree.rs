//! What an expression says, as it is written: the tree between text and [`super::compile`].

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// The byte that a mistake in it is told at: its operator, its dot, its bracket, or where it begins.
    pub at: usize,
    pub shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Literal(Literal),
    /// A fact, or the variable of a loop.
    Name(String),
    /// `of.name`
    Select(Box<Expression>, String),
    /// `of[at]`
    Index(Box<[Expression; 2]>),
    /// `name(…)` or `target.name(…)`; CEL's macros look like calls.
    Call(Option<Box<Expression>>, String, Vec<Expression>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    Binary(Operator, Box<[Expression; 2]>),
    /// `test ? then : otherwise`
    If(Box<[Expression; 3]>),
    List(Vec<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(String),
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Expression {
    /// The text that is written here in quotes.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Literal(Literal::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The name that stands here alone.
    pub fn name(&self) -> Option<&str> {
        match &self.shape {
            Shape::Name(name) => Some(name),
            _ => None,
        }
    }
}
