//! Expressions over what a caller's credential claims, in the language of Traefik Hub's `claims` options:
//! ``Equals(`grp`, `admin`) && !Contains(`scope`, `trial`)``.
//!
//! Evaluation is pure: the same claims always give the same answer. What is absent, or of another type than a function is
//! made for, fits nothing.

mod parse;
mod path;

pub use path::Path;

use serde_json::{Map, Value};
use std::fmt;
use trilithon_rule::SyntaxError;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    root: Node,
}

/// A part of an expression, and the text that it was made of.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

/// One call. A further function is a variant here, a line in [`Test::FUNCTIONS`], and an arm in [`Test::of`] and in
/// [`Test::holds`].
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// The claim is this text; a number or truth value that is written so.
    Equals(Path, Box<str>),
    /// The claim is text that begins so.
    Prefix(Path, Box<str>),
    /// The claim is text with this in it, or a list with this item.
    Contains(Path, Box<str>),
    /// The claim is text whose parts, cut at the separator, are one of them this.
    SplitContains(Path, Box<str>, Box<str>),
    /// The claim is a list with one of these items.
    OneOf(Path, Vec<Box<str>>),
}

/// Why an expression is true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation<'a> {
    pub holds: bool,
    /// The smallest part that decides alone.
    pub because: &'a str,
}

impl Claims {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and at which byte.
    pub fn parse(text: &str) -> Result<Claims, SyntaxError> {
        parse::parse(text).map(|root| Claims { root })
    }

    /// Whether it is true of `claims`.
    pub fn holds(&self, claims: &Map<String, Value>) -> bool {
        self.root.holds(claims)
    }

    /// Whether it is true of `claims`, and which part of it decides.
    pub fn explain(&self, claims: &Map<String, Value>) -> Explanation<'_> {
        self.root.explain(claims)
    }

    /// The claims that its calls look at, in order.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.root.paths(&mut paths);
        paths
    }

    /// Whether any call in it looks at the claim called `name`, or at something below it.
    pub fn mentions(&self, name: &str) -> bool {
        self.root.mentions(name)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root.text)
    }
}

impl Node {
    fn holds(&self, claims: &Map<String, Value>) -> bool {
        match &self.kind {
            Kind::All(parts) => parts.iter().all(|part| part.holds(claims)),
            Kind::Any(parts) => parts.iter().any(|part| part.holds(claims)),
            Kind::Not(part) => !part.holds(claims),
            Kind::Test(test) => test.holds(claims),
        }
    }

    fn explain(&self, claims: &Map<String, Value>) -> Explanation<'_> {
        let whole = |holds| Explanation {
            holds,
            because: &self.text,
        };
        let decided_by = |parts: &'_ [Node], holds: bool| parts.iter().position(|p| p.holds(claims) == holds);
        match &self.kind {
            Kind::All(parts) => match decided_by(parts, false) {
                Some(at) => parts[at].explain(claims),
                None => whole(true),
            },
            Kind::Any(parts) => match decided_by(parts, true) {
                Some(at) => parts[at].explain(claims),
                None => whole(false),
            },
            // The part below is true where this is false: named without its `!` it would say the opposite.
            Kind::Not(_) | Kind::Test(_) => whole(self.holds(claims)),
        }
    }

    fn paths<'a>(&'a self, into: &mut Vec<&'a Path>) {
        match &self.kind {
            Kind::All(parts) | Kind::Any(parts) => parts.iter().for_each(|part| part.paths(into)),
            Kind::Not(part) => part.paths(into),
            Kind::Test(test) => into.push(test.path()),
        }
    }

    fn mentions(&self, name: &str) -> bool {
        match &self.kind {
            Kind::All(parts) | Kind::Any(parts) => parts.iter().any(|part| part.mentions(name)),
            Kind::Not(part) => part.mentions(name),
            Kind::Test(test) => test.path().starts_with(name),
        }
    }
}

impl Test {
    /// Every function, with the fewest and the most arguments it takes.
    const FUNCTIONS: [(&str, usize, usize); 5] = [
        ("Equals", 2, 2),
        ("Prefix", 2, 2),
        ("Contains", 2, 2),
        ("SplitContains", 3, 3),
        ("OneOf", 2, usize::MAX),
    ];

    /// The call of a function by its position among [`Test::FUNCTIONS`], with as many values behind the path as it takes.
    fn of(function: usize, path: Path, mut values: Vec<Box<str>>) -> Test {
        let mut value = || values.pop().unwrap_or_default();
        match function {
            0 => Test::Equals(path, value()),
            1 => Test::Prefix(path, value()),
            2 => Test::Contains(path, value()),
            3 => {
                let wanted = value();
                Test::SplitContains(path, value(), wanted)
            }
            _ => Test::OneOf(path, values),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Test::Equals(path, _)
            | Test::Prefix(path, _)
            | Test::Contains(path, _)
            | Test::SplitContains(path, ..)
            | Test::OneOf(path, _) => path,
        }
    }

    fn holds(&self, claims: &Map<String, Value>) -> bool {
        let Some(claim) = self.path().find(claims) else {
            return false;
        };
        match (self, claim) {
            (Test::Equals(_, wanted), claim) => is(claim, wanted),
            (Test::Prefix(_, start), Value::String(text)) => text.starts_with(&**start),
            (Test::Contains(_, part), Value::String(text)) => text.contains(&**part),
            (Test::Contains(_, wanted), Value::Array(items)) => items.iter().any(|item| is(item, wanted)),
            (Test::SplitContains(_, separator, wanted), Value::String(text)) => {
                text.split(&**separator).any(|part| part == &**wanted)
            }
            (Test::OneOf(_, wanted), Value::Array(items)) => {
                items.iter().any(|item| wanted.iter().any(|w| is(item, w)))
            }
            _ => false,
        }
    }
}

/// Whether a single claim is what `text` writes. Numbers are compared as JSON writes them.
fn is(claim: &Value, text: &str) -> bool {
    match claim {
        Value::String(claim) => claim == text,
        Value::Bool(claim) => text == if *claim { "true" } else { "false" },
        Value::Number(claim) => claim.to_string() == text,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn claims() -> Map<String, Value> {
        let claims = json!({
            "sub": "ann", "grp": ["dev", "ops", 7, true], "scope": "read write", "level": 3, "half": 0.5, "admin": false,
            "a.b": "dotted", "back\\slash": "yes", "none": null, "empty": "",
            "realm": {"roles": ["user"], "name": "main", "in.ner": {"x": "y"}},
        });
        claims.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn what_holds() {
        let check = |text: &str, want: bool| {
            let parsed = Claims::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(parsed.holds(&claims()), want, "{text}");
            assert_eq!(parsed.explain(&claims()).holds, want, "{text}, explained");
        };
        check("Equals(`sub`, `ann`)", true);
        check("Equals(`sub`,`Ann`)", false);
        check("Equals(`level`, `3`)", true);
        check("Equals(`level`, `3.0`)", false);
        check("Equals(`half`, `0.5`)", true);
        check("Equals(`admin`, `false`)", true);
        check("Equals(`none`, `null`)", false);
        check("Equals(`none`, ``)", false);
        check("Equals(`missing`, ``)", false);
        check("Equals(`empty`, ``)", true);
        check("Equals(`grp`, `dev`)", false);
        check("Prefix(`sub`, `an`)", true);
        check("Prefix(`sub`, ``)", true);
        check("Prefix(`sub`, `nn`)", false);
        check("Prefix(`grp`, `d`)", false);
        check("Prefix(`level`, `3`)", false);
        check("Contains(`scope`, `ad w`)", true);
        check("Contains(`grp`, `ops`)", true);
        check("Contains(`grp`, `op`)", false);
        check("Contains(`grp`, `7`)", true);
        check("Contains(`realm`, `name`)", false);
        check("SplitContains(`scope`, ` `, `write`)", true);
        check("SplitContains(`scope`, ` `, `wri`)", false);
        check("SplitContains(`grp`, ` `, `dev`)", false);
        check("OneOf(`grp`, `x`, `ops`)", true);
        check("OneOf(`grp`, `x`, `y`)", false);
        check("OneOf(`sub`, `ann`)", false);
        check("Equals(`realm.name`, `main`)", true);
        check("Contains(`realm.roles`, `user`)", true);
        check("Equals(`a.b`, `dotted`)", false);
        check(r"Equals(`a\.b`, `dotted`)", true);
        check(r"Equals(`back\\slash`, `yes`)", true);
        check(r"Equals(`realm.in\.ner.x`, `y`)", true);
        check("!Equals(`missing`, `x`)", true);
        check("!!Equals(`sub`, `ann`)", true);
        check(
            "Equals(`sub`, `x`) || Equals(`sub`, `ann`) && Equals(`level`, `3`)",
            true,
        );
        check(
            "(Equals(`sub`, `ann`) || Equals(`sub`, `x`)) && Equals(`level`, `4`)",
            false,
        );
        check("!(Equals(`sub`, `ann`) && Equals(`level`, `4`))", true);
    }

    #[test]
    fn what_decides() {
        let check = |text: &str, because: &str| {
            let parsed = Claims::parse(text).expect("valid");
            assert_eq!(parsed.explain(&claims()).because, because, "{text}");
        };
        let (yes, no) = ("Equals(`sub`, `ann`)", "Equals(`sub`, `bob`)");
        check(yes, yes);
        check(&format!("{yes} && {no} && Equals(`x`, `y`)"), no);
        check(&format!("{no} || ( {yes} )"), yes);
        check(&format!("{yes}  &&  !{no}"), &format!("{yes}  &&  !{no}"));
        check(&format!("{yes} && !{yes}"), &format!("!{yes}"));
        check(
            &format!("{no} || ({no} && {yes})"),
            &format!("{no} || ({no} && {yes})"),
        );
    }

    #[test]
    fn what_it_looks_at() {
        let parsed = Claims::parse("Equals(`a`, `x`) || !(Prefix(`iss.b`, `y`))").expect("valid");
        assert!(parsed.mentions("a") && parsed.mentions("iss") && !parsed.mentions("b"));
    }

    fn expression() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            Just("sub"),
            Just("scope"),
            Just("grp"),
            Just("realm.name"),
            Just("level")
        ];
        let value = "[a-z0-9 .]{0,4}";
        let test = (0..5usize, key, proptest::collection::vec(value, 2)).prop_map(|(f, key, v)| {
            let (name, least, _) = Test::FUNCTIONS[f];
            let values: String = v[..least - 1].iter().map(|v| format!(", `{v}`")).collect();
            format!("{name}(`{key}`{values})")
        });
        test.prop_recursive(5, 32, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|a| format!("!({a})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && {b}")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("({a} || {b})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_explanation_is_a_part_that_decides_the_same(text in expression()) {
            let parsed = Claims::parse(&text).expect("valid");
            let holds = parsed.holds(&claims());
            let explained = parsed.explain(&claims());
            prop_assert_eq!(explained.holds, holds);
            let alone = Claims::parse(explained.because).expect("a part is an expression");
            prop_assert_eq!(alone.holds(&claims()), holds);
        }

        #[test]
        fn logic_is_logic(a in expression(), b in expression()) {
            let holds = |text: &str| Claims::parse(text).expect("valid").holds(&claims());
            let (x, y) = (holds(&a), holds(&b));
            prop_assert_eq!(holds(&format!("({a}) && ({b})")), x && y);
            prop_assert_eq!(holds(&format!("({a}) || ({b})")), x || y);
            prop_assert_eq!(holds(&format!("!({a})")), !x);
        }

        #[test]
        fn any_text_is_read_or_refused_within_itself(text in ".{0,80}") {
            if let Err(error) = Claims::parse(&text) {
                prop_assert!(error.at <= text.len());
            }
        }
    }
}
