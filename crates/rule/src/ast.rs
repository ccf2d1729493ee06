//! A parsed rule: calls, and, or, not. Not yet a thing that matches.

use std::fmt;
use std::ops::Range;

use crate::lexer::literal;
use crate::name::Name;

/// A rule's expression. `Display` writes a rule that parses to the same expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Call(Call),
}

/// One matcher with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: Name,
    pub args: Vec<Arg>,
    /// Byte offsets of the whole call in the rule.
    pub span: Range<usize>,
}

/// One string argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    pub value: Vec<u8>,
    /// Byte offsets of the literal, quotes included.
    pub span: Range<usize>,
}

impl Expr {
    /// The calls, from left to right, negated ones included.
    pub fn calls(&self) -> Vec<&Call> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out
    }

    fn collect<'a>(&'a self, out: &mut Vec<&'a Call>) {
        match self {
            Expr::And(list) | Expr::Or(list) => list.iter().for_each(|e| e.collect(out)),
            Expr::Not(inner) => inner.collect(out),
            Expr::Call(call) => out.push(call),
        }
    }

    /// All arguments of `Host` (HTTP) and `HostSNI` (TCP), in lower case: the names for certificates and TLS options.
    /// Negation is not looked at.
    pub fn domains(&self) -> Vec<String> {
        let hosts = self
            .calls()
            .into_iter()
            .filter(|c| matches!(c.name, Name::Host | Name::HostSni));
        hosts
            .flat_map(|c| &c.args)
            .map(|a| String::from_utf8_lossy(&a.value).to_lowercase())
            .collect()
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::And(list) => join(f, list, " && "),
            Expr::Or(list) => join(f, list, " || "),
            Expr::Not(inner) => {
                f.write_str("!")?;
                inner.nested(f)
            }
            Expr::Call(call) => call.fmt(f),
        }
    }
}

impl Expr {
    fn nested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::And(_) | Expr::Or(_) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, list: &[Expr], operator: &str) -> fmt::Result {
    for (i, expr) in list.iter().enumerate() {
        if i > 0 {
            f.write_str(operator)?;
        }
        expr.nested(f)?;
    }
    Ok(())
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<_> = self.args.iter().map(|a| literal(&a.value)).collect();
        write!(f, "{}({})", self.name.as_str(), args.join(", "))
    }
}
