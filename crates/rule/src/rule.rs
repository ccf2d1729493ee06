//! A rule ready to match.

use std::fmt;

use crate::ast::Expr;
use crate::compile::compile;
use crate::error::Error;
use crate::facts::Facts;
use crate::name::{Protocol, Syntax};
use crate::parser::parse;
use crate::priority::{default_priority, is_catch_all};
use crate::tree::{Miss, Tree};

/// A parsed and compiled rule.
///
/// ```
/// use trilithon_rule::{Rule, Sample, Syntax};
/// let rule = Rule::http("Host(`a.test`) && PathPrefix(`/api`)", Syntax::V3)?;
/// assert!(rule.matches(&Sample::get("A.test:8080", "/api/v1")));
/// assert!(!rule.matches(&Sample::get("a.test", "/")));
/// # Ok::<(), trilithon_rule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    text: Box<str>,
    expr: Expr,
    tree: Tree,
    protocol: Protocol,
}

impl Rule {
    /// The rule of an HTTP router.
    ///
    /// # Errors
    /// The first mistake in the text or in an argument.
    pub fn http(text: &str, syntax: Syntax) -> Result<Self, Error> {
        Self::new(text, Protocol::Http, syntax)
    }

    /// The rule of a TCP router.
    ///
    /// # Errors
    /// The first mistake in the text or in an argument.
    pub fn tcp(text: &str, syntax: Syntax) -> Result<Self, Error> {
        Self::new(text, Protocol::Tcp, syntax)
    }

    /// # Errors
    /// The first mistake in the text or in an argument.
    pub fn new(text: &str, protocol: Protocol, syntax: Syntax) -> Result<Self, Error> {
        let expr = parse(text, protocol, syntax)?;
        let tree = compile(&expr, syntax)?;
        Ok(Self {
            text: text.into(),
            expr,
            tree,
            protocol,
        })
    }

    /// The rule as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// The arguments of `Host` or `HostSNI`, in lower case; negation is not looked at.
    pub fn domains(&self) -> Vec<String> {
        self.expr.domains()
    }

    /// Whether this is ``HostSNI(`*`)`` and nothing else.
    pub fn is_catch_all(&self) -> bool {
        is_catch_all(&self.expr)
    }

    /// The priority of a router that names none (or 0): the text's length in bytes, -1 for a TCP catch-all.
    pub fn default_priority(&self) -> i64 {
        if self.protocol == Protocol::Tcp && self.is_catch_all() {
            -1
        } else {
            default_priority(&self.text)
        }
    }

    pub fn matches<F: Facts + ?Sized>(&self, facts: &F) -> bool {
        self.tree.matches(facts)
    }

    /// The matchers that keep the rule from matching; empty when it matches.
    pub fn misses<F: Facts + ?Sized>(&self, facts: &F) -> Vec<Miss> {
        self.tree.misses(facts, &self.text)
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
