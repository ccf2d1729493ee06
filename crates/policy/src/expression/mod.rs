//! Traefik Hub's language of conditions: calls of functions, joined by `&&`, `||` and `!`. What the calls look at is the [`Place`]
//! of a language: claims of a token ([`Claims`](crate::Claims)), or facts of a call ([`Match`](crate::Match)), whose values
//! can also be compared with each other (`${jwt.limit}`).

mod call;
mod parse;
mod path;

#[cfg(test)]
pub use call::FUNCTIONS;
pub use path::Path;

use crate::value::{Failure, Value};
use call::Call;
use std::fmt;
use trilithon_rule::SyntaxError;

/// What a call of a function looks at.
pub trait Place: Sized + Clone + fmt::Debug + PartialEq {
    /// What it is found in.
    type Facts<'f>: Copy
    where
        Self: 'f;
    /// Numbers are compared by their value, there are functions that order them, and values can be made of facts.
    const OF_CALLS: bool;

    /// Reads a place as it is written.
    ///
    /// # Errors
    /// The byte, and what is wrong with it.
    fn parse(text: &str) -> Result<Self, (usize, String)>;

    /// What is there; `None` for nothing.
    ///
    /// # Errors
    /// It cannot be said what is there.
    fn find<'f>(&'f self, facts: Self::Facts<'f>) -> Result<Option<Value<'f>>, Failure>;
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression<P> {
    root: Node<P>,
}

/// A part of an expression, and the text that it was made of.
#[derive(Clone, Debug, PartialEq)]
struct Node<P> {
    text: Box<str>,
    kind: Kind<P>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind<P> {
    All(Vec<Node<P>>),
    Any(Vec<Node<P>>),
    Not(Box<Node<P>>),
    Call(Call<P>),
}

/// Why an expression is true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation<'a> {
    pub holds: bool,
    /// The smallest part that decides alone.
    pub because: &'a str,
}

impl<P: Place> Expression<P> {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub fn parse(text: &str) -> Result<Expression<P>, SyntaxError> {
        parse::parse(text).map(|root| Expression { root })
    }

    /// Whether it is true of these facts.
    ///
    /// # Errors
    /// It cannot be said: the first failure on the way.
    pub fn holds<'f>(&'f self, facts: P::Facts<'f>) -> Result<bool, Failure> {
        self.root.holds(facts)
    }

    /// Whether it is true, and which part of it decides; what fails does not hold.
    pub fn explain<'s: 'f, 'f>(&'s self, facts: P::Facts<'f>) -> Explanation<'s> {
        self.root.explain(facts)
    }

    /// What its calls look at, in order.
    pub fn places(&self) -> Vec<&P> {
        let mut places = Vec::new();
        self.root.places(&mut places);
        places
    }
}

impl<P> fmt::Display for Expression<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root.text)
    }
}

impl<P: Place> Node<P> {
    fn holds<'f>(&'f self, facts: P::Facts<'f>) -> Result<bool, Failure> {
        let decided = |parts: &'f [Node<P>], by: bool| {
            for part in parts {
                if part.holds(facts)? == by {
                    return Ok(by);
                }
            }
            Ok(!by)
        };
        match &self.kind {
            Kind::All(parts) => decided(parts, false),
            Kind::Any(parts) => decided(parts, true),
            Kind::Not(part) => part.holds(facts).map(|holds| !holds),
            Kind::Call(call) => call.holds(facts),
        }
    }

    fn explain<'s: 'f, 'f>(&'s self, facts: P::Facts<'f>) -> Explanation<'s> {
        let whole = |holds| Explanation {
            holds,
            because: &self.text,
        };
        let decided_by = |parts: &'s [Node<P>], holds: bool| {
            let mut parts = parts.iter();
            parts.position(|part| part.holds(facts).unwrap_or(false) == holds)
        };
        match &self.kind {
            Kind::All(parts) => match decided_by(parts, false) {
                Some(at) => parts[at].explain(facts),
                None => whole(true),
            },
            Kind::Any(parts) => match decided_by(parts, true) {
                Some(at) => parts[at].explain(facts),
                None => whole(false),
            },
            // The part below is true where this is false: named without its `!` it would say the opposite.
            Kind::Not(_) | Kind::Call(_) => whole(self.holds(facts).unwrap_or(false)),
        }
    }

    fn places<'a>(&'a self, into: &mut Vec<&'a P>) {
        match &self.kind {
            Kind::All(parts) | Kind::Any(parts) => parts.iter().for_each(|part| part.places(into)),
            Kind::Not(part) => part.places(into),
            Kind::Call(call) => call.places(into),
        }
    }
}
