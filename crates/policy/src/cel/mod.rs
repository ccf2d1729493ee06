//! CEL, the Common Expression Language, over the facts.
//!
//! An expression is read and compiled once, into a tree in which facts are resolved, patterns compiled and constants made: no pattern
//! is compiled again for each decision (`examples/decision_cost.rs` measures both ways), its depth and its steps are bounded, a
//! mistake is told where it stands, and facts are read only when they are asked for. Properties hold what is read and what it comes to
//! equal to crate `cel`'s (`reference.rs`).
//!
//! Not here: bytes, timestamps, durations, messages and the extension libraries. What is not there is refused when the
//! configuration is read.

mod compile;
mod function;
mod node;
mod parse;
#[cfg(test)]
mod reference;
mod tree;
mod word;

use crate::fact::{Facts, Named};
use crate::value::{Failure, Value};
use node::{Env, Node};
use std::fmt;

/// Bytes of an expression.
pub const MAX_LENGTH: usize = 4_096;
/// Operators and calls inside each other.
pub const MAX_DEPTH: usize = 64;
/// Steps that one evaluation may take: every operator is one, every look at an item of a list too.
pub const MAX_STEPS: u32 = 20_000;
/// Bytes of a compiled pattern of `matches`.
pub const MAX_PATTERN: usize = 256 * 1024;

/// A compiled expression that is true or false.
pub struct Program {
    root: Node,
    facts: Vec<Named>,
}

/// Why an expression cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong: lower case, the noun in backticks.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where in the expression, in bytes.
    pub at: usize,
}

impl Mistake {
    fn new(message: impl Into<String>) -> Mistake {
        Mistake {
            message: message.into(),
            help: None,
            at: 0,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Program {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is not CEL, what CEL has and this does not, facts that do not exist, and types that cannot fit.
    pub fn compile(source: &str) -> Result<Program, Mistake> {
        if source.len() > MAX_LENGTH {
            return Err(Mistake::new(format!(
                "the expression has {} bytes; at most {MAX_LENGTH} are read",
                source.len()
            ))
            .help("make several rules of it"));
        }
        let (root, facts) = compile::compile(&parse::parse(source)?)?;
        Ok(Program { root, facts })
    }

    /// Whether it is true of these facts.
    ///
    /// # Errors
    /// It has no value, or one that is neither true nor false.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, Failure> {
        match self.value(facts)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(Failure::mismatch("condition", &[&other])),
        }
    }

    fn value<'a>(&'a self, facts: &'a Facts<'a>) -> Result<Value<'a>, Failure> {
        self.root.value(&mut Env::new(facts))
    }

    /// The facts that it names, in order.
    pub fn facts(&self) -> &[Named] {
        &self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use serde_json::json;

    fn world() -> World {
        World::new("GET", "/api/items?page=2")
            .header("X-Env", "test")
            .claims(json!({
                "sub": "ann", "groups": ["staff", "admins"], "level": 3, "realm": {"roles": ["dev"]},
                "https://example.com/tier": "gold",
            }))
    }

    #[test]
    fn conditions() {
        let check = |text: &str, want: Result<bool, &str>| {
            let program = Program::compile(text).unwrap_or_else(|m| panic!("{text}: {m}"));
            let world = world();
            let got = program.holds(&world.facts()).map_err(|f| f.to_string());
            assert_eq!(got, want.map_err(str::to_owned), "{text}");
        };
        check(
            "http.method == \"GET\" && \"admins\" in identity.groups",
            Ok(true),
        );
        check("http.method in [\"GET\", \"HEAD\"]", Ok(true));
        check("http.header[\"x-env\"] == 'test'", Ok(true));
        check("http.query.page == '2'", Ok(true));
        check("int(http.query.page) >= 2", Ok(true));
        check("jwt.realm.roles.exists(r, r == 'dev')", Ok(true));
        check("jwt['https://example.com/tier'] == 'gold'", Ok(true));
        check("has(jwt.level) && jwt.level > 2", Ok(true));
        check("has(identity.subject)", Ok(true));
        check("has(identity.application)", Ok(false));
        check("has(http.header.cookie)", Ok(false));
        check("'x-other' in http.header", Ok(false));
        check(
            "'x-other' in http.header && http.header['x-other'] == 'a'",
            Ok(false),
        );
        check("cidr('192.0.2.0/24').containsIP(http.client_ip)", Ok(true));
        check("cidr('10.0.0.0/8').containsIP(http.client_ip)", Ok(false));
        check("http.path.matches('^/api/[a-z]+$')", Ok(true));
        check(
            "time.weekday >= 1 && time.weekday <= 5 && time.hour < 18",
            Ok(true),
        );
        check("http.host.lowerAscii() == 'SHOP.TEST'.lowerAscii()", Ok(true));
        check("jwt.gone == 'x'", Err("there is no `jwt.gone`"));
        check("jwt.gone == 'x' || true", Ok(true));
        check("jwt.gone == 'x' && false", Ok(false));
        check("jwt.sub", Err("`condition` has no meaning for text"));
        check("jwt.sub > 1", Err("`>` has no meaning for text and number"));
        check("1 / (jwt.level - 3) == 1", Err("division by zero"));
        check("jwt.groups.all(a, jwt.groups.exists(b, a == b))", Ok(true));
        check("jwt.groups.map(g, g + '!') == ['staff!', 'admins!']", Ok(true));
        check("jwt.groups.exists_one(g, g.startsWith('a'))", Ok(true));
    }

    #[test]
    fn the_facts_that_are_named() {
        let program = Program::compile(
            "http.header['X-Env'] == 'a' && jwt.realm.roles[0] == 'b' || 'y' in http.header || jwt.realm.roles == []",
        )
        .unwrap();
        let names: Vec<&str> = program.facts().iter().map(|f| &*f.text).collect();
        assert_eq!(
            names,
            ["http.header[\"X-Env\"]", "jwt.realm.roles", "http.header[\"y\"]"]
        );
    }

    #[test]
    fn mistakes() {
        let check = |text: &str, want: &str, at: usize, help: Option<&str>| {
            let mistake = Program::compile(text)
                .err()
                .unwrap_or_else(|| panic!("{text} compiles"));
            let got = (&*mistake.message, mistake.at, mistake.help.as_deref());
            assert_eq!(got, (want, at, help), "{text}");
        };
        let near = Some("did you mean `http.method`?");
        check("http.metod == 'GET'", "there is no fact `http.metod`", 4, near);
        check(
            "true && htp.method == 'GET'",
            "there is no fact `htp.method`",
            11,
            Some("did you mean `http`?"),
        );
        check(
            "http.header == 'x'",
            "`http.header` is read by name only",
            4,
            Some("write `http.header[\"name\"]`, or `\"name\" in http.header`"),
        );
        check(
            "http.method.x == 'a'",
            "`http.method` is a text and has no members",
            11,
            None,
        );
        check(
            "http.method == 1",
            "a text and a number are never the same",
            12,
            None,
        );
        check(
            "http.method",
            "the expression is a text, not true or false",
            4,
            None,
        );
        check(
            "http.method && true",
            "`&&` is for true and false, and this is a text",
            4,
            None,
        );
        check(
            "http.path.matches('[')",
            "`[` is no pattern: unclosed character class",
            18,
            None,
        );
        check(
            "http.path.matches(http.host)",
            "the pattern of `matches` must be written in quotes",
            22,
            None,
        );
        check(
            "cidr('10.0.0.0/33').containsIP(http.client_ip)",
            "`10.0.0.0/33` is no network",
            5,
            Some("write an address and a length, such as `10.0.0.0/8`"),
        );
        check("b'x' == b'x'", "there are no bytes among the facts", 0, None);
        check(
            "{'a': 1} == jwt",
            "objects and optional values cannot be made in an expression",
            0,
            None,
        );
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for text in [
            "",
            "(",
            "http.",
            "http.method ==",
            "== 1",
            "true true",
            "'a",
            "a b",
            "http..method",
            "\u{0}",
            "1 +",
            "timestamp('2026-01-01T00:00:00Z') == timestamp('2026-01-01T00:00:00Z')",
            "duration('1s') > duration('0s')",
            "http.method.foo()",
            "type(http.method) == string",
            "foo",
            "startsWith(http.path, '/')",
            "google.protobuf.Duration{} == 1",
        ] {
            assert!(Program::compile(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bounds() {
        let check = |text: String, want: &str| {
            let mistake = Program::compile(&text).err().expect("must not compile");
            assert!(mistake.message.contains(want), "{}", mistake.message);
        };
        check(format!("'{}' == ''", "a".repeat(MAX_LENGTH)), "at most 4096");
        check(
            format!("http.path.matches('{}')", "(a{1,99}){1,99}".repeat(9)),
            "is no pattern",
        );
        let deep = |n: usize| format!("{}true{}", "!(".repeat(n), ")".repeat(n));
        assert!(Program::compile(&deep(20)).is_ok());
        assert!(
            Program::compile(&format!("{}true", "!".repeat(4_000))).is_ok(),
            "a row of `!` is one"
        );
        for hostile in [
            deep(MAX_LENGTH / 3 - 2),
            "(".repeat(4_000),
            "[".repeat(4_000),
            "true?".repeat(800) + "true" + &":true".repeat(800),
            "a.".repeat(2_000) + "b",
            "a[".repeat(1_300) + "0" + &"]".repeat(1_300),
            "1+".repeat(2_000) + "1 == 1",
            "true&&".repeat(600),
        ] {
            assert!(Program::compile(&hostile).is_err(), "{}", &hostile[..20]);
        }
    }

    #[test]
    fn steps_are_bounded() {
        let items: Vec<u32> = (0..200).collect();
        let world = World::new("GET", "/").claims(json!({ "l": items }));
        let text = "jwt.l.all(a, jwt.l.all(b, jwt.l.all(c, a + b + c >= 0)))";
        let program = Program::compile(text).unwrap();
        assert_eq!(program.holds(&world.facts()), Err(Failure::TooLong));
        let text = "jwt.l.exists(a, jwt.l.all(b, jwt.l.all(c, a + b + c < 0))) || true";
        let program = Program::compile(text).unwrap();
        assert_eq!(
            program.holds(&world.facts()),
            Err(Failure::TooLong),
            "nothing makes up for it"
        );
    }
}
