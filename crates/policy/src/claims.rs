//! Expressions over what a caller's credential claims, in the language of Traefik Hub's `claims` options:
//! ``Equals(`grp`, `admin`) && !Contains(`scope`, `trial`)``.
//!
//! Evaluation is pure: the same claims always give the same answer. What is absent, or of another type than a function is
//! made for, fits nothing.

pub use crate::expression::{Explanation, Path};

use crate::expression::{Expression, Place};
use crate::value::{Failure, Value};
use serde_json::{Map, Value as Json};
use std::fmt;
use trilithon_rule::SyntaxError;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Expression<Path>);

impl Claims {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub fn parse(text: &str) -> Result<Claims, SyntaxError> {
        Expression::parse(text).map(Claims)
    }

    /// Whether it is true of `claims`.
    pub fn holds(&self, claims: &Map<String, Json>) -> bool {
        // Looking at claims never fails.
        self.0.holds(claims).unwrap_or(false)
    }

    /// Whether it is true of `claims`, and which part of it decides.
    pub fn explain(&self, claims: &Map<String, Json>) -> Explanation<'_> {
        self.0.explain(claims)
    }

    /// The claims that its calls look at, in order.
    pub fn paths(&self) -> Vec<&Path> {
        self.0.places()
    }

    /// Whether any call in it looks at the claim called `name`, or at something below it.
    pub fn mentions(&self, name: &str) -> bool {
        self.paths().iter().any(|path| path.starts_with(name))
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A claim is where its path leads to.
impl Place for Path {
    type Facts<'f> = &'f Map<String, Json>;
    const OF_CALLS: bool = false;

    fn parse(text: &str) -> Result<Path, (usize, String)> {
        Path::parse(text).map_err(|(at, why)| (at, why.to_owned()))
    }

    fn find<'f>(&'f self, claims: Self::Facts<'f>) -> Result<Option<Value<'f>>, Failure> {
        Ok(Path::find(self, claims).map(Value::of_json))
    }
}

#[cfg(test)]
mod tests;
