//! Expressions over the facts of a call, in the language of Traefik Hub's `match` options:
//! ``Equals(`mcp.method`, `tools/call`) && Contains(`jwt.allowed_tools`, `${mcp.params.name}`)``.
//!
//! What is absent fits nothing. What is there and cannot be judged is a failure: a member in another spelling, which a lenient
//! server would take for the one that is asked for, or a text where numbers are ordered.

use crate::expression::{Expression, Path, Place};
use crate::fact::{self, Facts, Named, Read};
use crate::value::{Failure, Kind, Value};
use std::fmt;
use trilithon_model::decode::suggest;
use trilithon_rule::SyntaxError;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Match(Expression<Named>);

impl Match {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub fn parse(text: &str) -> Result<Match, SyntaxError> {
        Expression::parse(text).map(Match)
    }

    /// Whether it is true of a call.
    ///
    /// # Errors
    /// It cannot be said.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, Failure> {
        self.0.holds(facts)
    }

    /// The facts that it looks at, in order.
    pub fn facts(&self) -> Vec<Named> {
        self.0.places().into_iter().cloned().collect()
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fact, named as Traefik Hub names it: `mcp.params.arguments.amount`, `jwt.scope`, `http.header.x-env`.
impl Place for Named {
    type Facts<'f> = &'f Facts<'f>;
    const OF_CALLS: bool = true;

    fn parse(text: &str) -> Result<Named, (usize, String)> {
        let path = Path::parse(text).map_err(|(at, why)| (at, why.to_owned()))?;
        let names: Vec<&str> = path.names().collect();
        let known = (1..=names.len()).rev().find_map(|used| {
            let fact = fact::find(&names[..used].join("."))?;
            Some((fact, &names[used..]))
        });
        match known {
            Some((fact, [key])) if matches!(fact.read, Read::Named(_)) => Ok(Named::new(fact, key, &[])),
            Some((fact, members)) if !matches!(fact.read, Read::Named(_)) => {
                match members.is_empty() || fact.kind == Kind::Map {
                    true => Ok(Named::new(fact, "", members)),
                    false => {
                        let kind = fact.kind.as_str();
                        Err((0, format!("`{}` is a {kind} and has no members", fact.name)))
                    }
                }
            }
            Some((fact, _)) => Err((0, format!("`{}` is read by one name below it", fact.name))),
            None => {
                let help = suggest::help(text, fact::all().map(|f| f.name));
                let help = help.map(|help| format!("; {help}")).unwrap_or_default();
                Err((0, format!("there is no fact `{text}`{help}")))
            }
        }
    }

    fn find<'f>(&'f self, facts: Self::Facts<'f>) -> Result<Option<Value<'f>>, Failure> {
        match self.read(facts) {
            Ok(value) => Ok(Some(value)),
            // A member of what has no members is not there either.
            Err(Failure::Absent(_) | Failure::Mismatch { .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use serde_json::json;

    fn world() -> World {
        let params = json!({"name": "transfer", "arguments": {
            "amount": 100, "share": 0.5, "to": "acme", "Currency": "EUR", "text": "5000", "tags": ["a", "b"], "dry": true,
            "none": null, "empty": "",
        }});
        World::new("POST", "/mcp")
            .claims(json!({
                "sub": "ann", "allowed_tools": ["transfer", "list"], "limit": 100, "scope": "bank:transfer bank:read",
                "blank": "",
            }))
            .asked("tools/call", params)
    }

    #[track_caller]
    fn check(text: &str, want: Result<bool, &str>) {
        let parsed = Match::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let got = parsed.holds(&world().facts()).map_err(|f| f.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn facts_of_a_call() {
        check("Equals(`mcp.method`, `tools/call`)", Ok(true));
        check("Prefix(`mcp.method`, `tools/`)", Ok(true));
        check("Equals(`mcp.tool`, `transfer`)", Ok(true));
        check("Equals(`mcp.params.arguments.to`, `acme`)", Ok(true));
        check("OneOf(`mcp.params.name`, `x`, `transfer`)", Ok(true));
        check("OneOf(`mcp.params.arguments.tags`, `b`)", Ok(true));
        check("Contains(`mcp.params.arguments.tags`, `a`)", Ok(true));
        check("Equals(`mcp.params.arguments.dry`, `true`)", Ok(true));
        check("Equals(`mcp.params.arguments.missing.deep`, `x`)", Ok(false));
        check("Equals(`mcp.params.arguments.to.deep`, `x`)", Ok(false));
        check("Equals(`http.method`, `POST`)", Ok(true));
        check("Contains(`jwt.allowed_tools`, `list`)", Ok(true));
        check("SplitContains(`jwt.scope`, ` `, `bank:read`)", Ok(true));
    }

    #[test]
    fn numbers_are_compared_by_their_value() {
        check("Equals(`mcp.params.arguments.amount`, `100.0`)", Ok(true));
        check("Lte(`mcp.params.arguments.amount`, `100`)", Ok(true));
        check("Lt(`mcp.params.arguments.amount`, `100`)", Ok(false));
        check("Gte(`mcp.params.arguments.amount`, `1e2`)", Ok(true));
        check("Gt(`mcp.params.arguments.amount`, `99.9`)", Ok(true));
        check("Gt(`mcp.params.arguments.share`, `0.4`)", Ok(true));
        check("Gt(`mcp.params.arguments.missing`, `0`)", Ok(false));
        check(
            "Gt(`mcp.params.arguments.text`, `100`)",
            Err("`Gt` has no meaning for text"),
        );
        check(
            "Lt(`mcp.params.arguments.none`, `100`)",
            Err("`Lt` has no meaning for null"),
        );
    }

    #[test]
    fn values_made_of_facts() {
        check("Contains(`jwt.allowed_tools`, `${mcp.params.name}`)", Ok(true));
        check(
            "SplitContains(`jwt.scope`, ` `, `bank:${mcp.params.name}`)",
            Ok(true),
        );
        check("Lte(`mcp.params.arguments.amount`, `${jwt.limit}`)", Ok(true));
        check("Equals(`jwt.sub`, `${mcp.params.arguments.to}`)", Ok(false));
        // What is empty, absent or a list would be in everything.
        check(
            "Contains(`jwt.scope`, `${mcp.params.arguments.empty}`)",
            Ok(false),
        );
        check("Prefix(`mcp.params.name`, `${jwt.blank}`)", Ok(false));
        check(
            "Contains(`jwt.scope`, `${mcp.params.arguments.missing}`)",
            Ok(false),
        );
        check("Contains(`jwt.scope`, `${mcp.params.arguments.tags}`)", Ok(false));
        check(
            "Lte(`mcp.params.arguments.amount`, `${jwt.sub}`)",
            Err("`ann` cannot be read as a number"),
        );
    }

    #[test]
    fn another_spelling_is_a_failure() {
        check(
            "Equals(`mcp.params.arguments.currency`, `USD`)",
            Err("`mcp.params.arguments.currency` is there in another spelling"),
        );
        check("Equals(`jwt.Sub`, `ann`)", Ok(false));
    }

    #[test]
    fn mistakes() {
        let check = |text: &str, at: usize, message: &str| {
            let error = Match::parse(text).expect_err(text);
            assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
        };
        check(
            "Equals(`mcp.methd`, `x`)",
            8,
            "there is no fact `mcp.methd`; did you mean `mcp.method`?",
        );
        check(
            "Equals(`mcp.method.x`, `x`)",
            8,
            "`mcp.method` is a text and has no members",
        );
        check(
            "Equals(`http.header`, `x`)",
            8,
            "`http.header` is read by one name below it",
        );
        check(
            "Lte(`mcp.params.arguments.amount`, `ten`)",
            0,
            "`Lte` compares with a number, and `ten` is none",
        );
        check("Equals(`jwt.sub`, `a${mcp.method`)", 20, "the `${` is not closed");
        check("Equals(`jwt.sub`, `a${nope}`)", 22, "there is no fact `nope`");
    }
}
