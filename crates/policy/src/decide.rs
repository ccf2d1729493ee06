//! A policy: rules over facts, and the decision they come to. A pure function; `explain` and shadow mode are the same one.
//!
//! A rule that denies wins over one that allows, wherever it is written; where neither applies, the default counts. A rule
//! that fails never lets anybody in: one that denies is taken to apply, one that allows not to, and when nothing else allows, the
//! decision is a denial by the rule that failed.

use crate::cel::Program;
use crate::claims::Claims;
use crate::fact::{self, Facts, Named};
use crate::matching::Match;
use crate::value::Failure;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use trilithon_model::dynamic::http::{Effect, Policy as Config, PolicyRule as RuleConfig};

/// A compiled policy.
pub struct Policy {
    /// In the order they are asked in: as they are written, or those that deny first.
    rules: Vec<Rule>,
    default: Effect,
    /// What a decision by the default is named after.
    default_name: Arc<str>,
}

struct Rule {
    name: Arc<str>,
    effect: Effect,
    condition: Condition,
    message: Box<str>,
}

/// When a rule applies, in one of the languages.
enum Condition {
    Cel(Program),
    /// The expression, and the claims that it looks at.
    Claims(Claims, Vec<Named>),
    /// The expression, and the facts that it looks at.
    Match(Match, Vec<Named>),
}

/// A rule of a list that is asked in order.
pub struct Ordered<'c> {
    /// What logs call it; its place when empty.
    pub name: &'c str,
    /// What it decides; required.
    pub effect: Option<Effect>,
    /// When it applies, in Traefik Hub's language over the facts; this or `expression`.
    pub matches: &'c str,
    /// When it applies, in CEL.
    pub expression: &'c str,
    /// The names of the option that says what it decides, and of its values.
    pub words: [&'static str; 3],
}

/// What a policy decided.
pub struct Verdict<'p> {
    pub allowed: bool,
    /// The name of the rule that decided; `default` when none did.
    pub rule: &'p Arc<str>,
    pub why: Why,
    /// The rule's words for the caller; empty when it has none.
    pub message: &'p str,
    /// The place of the rule among [`Policy::places`]; the default is the last.
    pub place: usize,
    /// Rules that were looked at.
    looked_at: usize,
}

/// How a decision came about.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// The rule applies.
    Applies,
    /// The rule has no value for these facts.
    Failed(Failure),
    /// No rule applies.
    Default,
}

/// Why a policy cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    pub help: Option<String>,
    /// The written text that is at fault, and where in it, in bytes.
    pub at: Option<(String, usize)>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Mistake {
    fn new(message: impl Into<String>, help: &str) -> Mistake {
        Mistake {
            message: message.into(),
            help: Some(help.to_owned()),
            at: None,
        }
    }
}

/// Rules of one policy.
const MAX_RULES: usize = 256;
/// Facts that a decision shows.
const MAX_SHOWN: usize = 32;
const DEFAULT: &str = "default";

impl Policy {
    /// Compiles the rules.
    ///
    /// # Errors
    /// No rule, too many, two of one name; a rule without effect or without exactly one condition; an expression that does not
    /// compile.
    pub fn compile(config: &Config) -> Result<Policy, Mistake> {
        if config.rules.is_empty() {
            return Err(Mistake::new("`rules` is empty", "write at least one rule"));
        }
        let rules = config
            .rules
            .iter()
            .enumerate()
            .map(|(i, written)| rule(i, written));
        let mut policy = Policy::of(rules.collect::<Result<_, _>>()?, config.default)?;
        policy.rules.sort_by_key(|r| r.effect == Effect::Allow);
        Ok(policy)
    }

    /// Compiles rules of which the first that applies decides, as Traefik Hub's `mcp` has them.
    ///
    /// # Errors
    /// Too many, two of one name; a rule that does not say what it decides, or without exactly one condition; an expression
    /// that does not compile.
    pub fn in_order(rules: &[Ordered<'_>], default: Effect) -> Result<Policy, Mistake> {
        let rules = rules.iter().enumerate().map(|(i, written)| written.rule(i));
        Policy::of(rules.collect::<Result<_, _>>()?, default)
    }

    fn of(rules: Vec<Rule>, default: Effect) -> Result<Policy, Mistake> {
        if rules.len() > MAX_RULES {
            return Err(Mistake::new(
                format!("{} rules; at most {MAX_RULES} are read", rules.len()),
                "make several policies of it",
            ));
        }
        for (i, rule) in rules.iter().enumerate() {
            if rule.name.as_ref() == DEFAULT || rules[..i].iter().any(|r| r.name == rule.name) {
                return Err(Mistake {
                    at: Some((rule.name.to_string(), 0)),
                    ..Mistake::new(
                        format!("the name `{}` of a rule is taken", rule.name),
                        "give each rule a name of its own, and none the name `default`",
                    )
                });
            }
        }
        Ok(Policy {
            rules,
            default,
            default_name: DEFAULT.into(),
        })
    }

    /// The decision.
    pub fn decide(&self, facts: &Facts<'_>) -> Verdict<'_> {
        let mut failed = None;
        for (i, rule) in self.rules.iter().enumerate() {
            match rule.condition.holds(facts) {
                Ok(false) => {}
                Ok(true) => return self.verdict(i, rule.effect == Effect::Allow, Why::Applies, i + 1),
                Err(failure) if rule.effect == Effect::Deny => {
                    return self.verdict(i, false, Why::Failed(failure), i + 1);
                }
                Err(failure) => failed = failed.or(Some((i, failure))),
            }
        }
        let all = self.rules.len();
        match failed {
            Some((i, failure)) => self.verdict(i, false, Why::Failed(failure), all),
            None => Verdict {
                allowed: self.default == Effect::Allow,
                rule: &self.default_name,
                why: Why::Default,
                message: "",
                place: all,
                looked_at: all,
            },
        }
    }

    /// How many things can decide: each rule, and the default.
    pub fn places(&self) -> usize {
        self.rules.len() + 1
    }

    fn verdict(&self, place: usize, allowed: bool, why: Why, looked_at: usize) -> Verdict<'_> {
        let rule = &self.rules[place];
        Verdict {
            allowed,
            rule: &rule.name,
            why,
            message: &rule.message,
            place,
            looked_at,
        }
    }

    /// The facts that a decision looked at, with their values; values that may be secrets are hidden.
    pub fn used(&self, verdict: &Verdict<'_>, facts: &Facts<'_>) -> Vec<(Cow<'static, str>, String)> {
        let mut used: Vec<&Named> = Vec::new();
        for fact in self.rules[..verdict.looked_at]
            .iter()
            .flat_map(|r| r.condition.facts())
        {
            if used.len() < MAX_SHOWN && used.iter().all(|u| u.text != fact.text) {
                used.push(fact);
            }
        }
        used.iter()
            .map(|fact| (Cow::Owned(fact.text.to_string()), fact.shown(facts)))
            .collect()
    }
}

fn named(index: usize, name: &str) -> String {
    match name {
        "" => format!("rule-{}", index + 1),
        name => name.to_owned(),
    }
}

impl Ordered<'_> {
    fn rule(&self, index: usize) -> Result<Rule, Mistake> {
        let name = named(index, self.name);
        let [option, yes, no] = self.words;
        let Some(effect) = self.effect else {
            return Err(Mistake::new(
                format!("rule `{name}` has no `{option}`"),
                &format!("write `{option}: {yes}` or `{option}: {no}`"),
            ));
        };
        let condition = match (self.matches, self.expression) {
            (text, "") if !text.is_empty() => Match::parse(text)
                .map(|matches| {
                    let facts = matches.facts();
                    Condition::Match(matches, facts)
                })
                .map_err(|error| Mistake {
                    message: format!("`match` of rule `{name}`: {}", error.message),
                    help: None,
                    at: Some((text.to_owned(), error.at)),
                }),
            ("", text) if !text.is_empty() => cel(&name, text),
            ("", _) => Err(Mistake::new(
                format!("rule `{name}` has neither `match` nor `expression`"),
                "write when it applies, such as ``match: Equals(`mcp.method`, `tools/list`)``",
            )),
            _ => Err(Mistake::new(
                format!("rule `{name}` has both `match` and `expression`"),
                "make two rules of it, or write it all in one",
            )),
        };
        Ok(Rule {
            condition: condition?,
            name: name.into(),
            effect,
            message: "".into(),
        })
    }
}

fn cel(rule: &str, text: &str) -> Result<Condition, Mistake> {
    Program::compile(text)
        .map(Condition::Cel)
        .map_err(|mistake| Mistake {
            message: format!("`expression` of rule `{rule}`: {}", mistake.message),
            help: mistake.help,
            at: Some((text.to_owned(), mistake.at)),
        })
}

fn rule(index: usize, written: &RuleConfig) -> Result<Rule, Mistake> {
    let name = named(index, &written.name);
    let Some(effect) = written.effect else {
        return Err(Mistake::new(
            format!("rule `{name}` has no `effect`"),
            "write `effect: allow` or `effect: deny`",
        ));
    };
    Ok(Rule {
        condition: condition(&name, written)?,
        name: name.into(),
        effect,
        message: written.message.as_str().into(),
    })
}

fn condition(rule: &str, written: &RuleConfig) -> Result<Condition, Mistake> {
    match (written.expression.as_str(), written.claims.as_str()) {
        ("", "") => Err(Mistake::new(
            format!("rule `{rule}` has neither `expression` nor `claims`"),
            "write when it applies, such as `expression: http.method == \"GET\"`; for always, `expression: \"true\"`",
        )),
        (text, "") => cel(rule, text),
        ("", text) => match Claims::parse(text) {
            Ok(claims) => Ok(Condition::of_claims(claims)),
            Err(error) => Err(Mistake {
                message: format!("`claims` of rule `{rule}`: {}", error.message),
                help: None,
                at: Some((text.to_owned(), error.at)),
            }),
        },
        _ => Err(Mistake::new(
            format!("rule `{rule}` has both `expression` and `claims`"),
            "make two rules of it, or write it all as `expression`",
        )),
    }
}

impl Condition {
    fn of_claims(claims: Claims) -> Condition {
        let jwt = fact::find("jwt");
        let named = jwt.into_iter().flat_map(|jwt| {
            let paths = claims.paths().into_iter();
            paths.map(move |path| Named::new(jwt, "", &path.names().collect::<Vec<_>>()))
        });
        let named = named.collect();
        Condition::Claims(claims, named)
    }

    fn holds(&self, facts: &Facts<'_>) -> Result<bool, Failure> {
        match self {
            Condition::Cel(program) => program.holds(facts),
            Condition::Claims(claims, _) => Ok(claims.holds(fact::jwt::all(facts))),
            Condition::Match(matches, _) => matches.holds(facts),
        }
    }

    fn facts(&self) -> &[Named] {
        match self {
            Condition::Cel(program) => program.facts(),
            Condition::Claims(_, named) | Condition::Match(_, named) => named,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Applies => f.write_str("it applies"),
            Why::Failed(failure) => write!(f, "it failed: {failure}"),
            Why::Default => f.write_str("no rule applies"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn rule(name: &str, effect: Effect, expression: &str) -> RuleConfig {
        RuleConfig {
            name: name.into(),
            effect: Some(effect),
            expression: expression.into(),
            message: format!("says {name}"),
            ..RuleConfig::default()
        }
    }

    fn policy(default: Effect, rules: &[(&str, Effect, &str)]) -> Policy {
        let config = Config {
            rules: rules.iter().map(|(n, e, x)| rule(n, *e, x)).collect(),
            default,
            ..Config::default()
        };
        Policy::compile(&config).unwrap_or_else(|m| panic!("cannot be compiled: {m}"))
    }

    use Effect::{Allow, Deny};

    #[test]
    fn a_denial_wins_and_a_failure_lets_nobody_in() {
        let missing = "http.header[\"x-none\"] == \"1\"";
        let check = |default, rules: &[(&str, Effect, &str)], want: (bool, &str, &str)| {
            let policy = policy(default, rules);
            let world = World::new("GET", "/");
            let verdict = policy.decide(&world.facts());
            let why = verdict.why.to_string();
            let why = why.split(':').next().unwrap();
            assert_eq!((verdict.allowed, &**verdict.rule, why), want, "{rules:?}");
        };
        check(Deny, &[("a", Allow, "true")], (true, "a", "it applies"));
        check(
            Deny,
            &[("a", Allow, "false")],
            (false, "default", "no rule applies"),
        );
        check(
            Allow,
            &[("d", Deny, "false")],
            (true, "default", "no rule applies"),
        );
        check(
            Deny,
            &[("a", Allow, "true"), ("d", Deny, "true")],
            (false, "d", "it applies"),
        );
        check(Allow, &[("d", Deny, missing)], (false, "d", "it failed"));
        check(
            Deny,
            &[("a", Allow, "true"), ("d", Deny, missing)],
            (false, "d", "it failed"),
        );
        check(
            Deny,
            &[("a", Allow, missing), ("b", Allow, "true")],
            (true, "b", "it applies"),
        );
        check(
            Deny,
            &[("a", Allow, missing), ("b", Allow, "false")],
            (false, "a", "it failed"),
        );
        check(Allow, &[("a", Allow, missing)], (false, "a", "it failed"));
    }

    #[test]
    fn a_decision_shows_its_facts() {
        let policy = policy(
            Deny,
            &[
                ("late", Allow, "http.host == \"x\""),
                (
                    "d",
                    Deny,
                    "http.method != \"GET\" || http.header[\"cookie\"] == \"x\"",
                ),
            ],
        );
        let world = World::new("POST", "/").header("Cookie", "a=b");
        let facts = world.facts();
        let verdict = policy.decide(&facts);
        let used = policy.used(&verdict, &facts);
        let used: Vec<String> = used.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(used, ["http.method=POST", "http.header[\"cookie\"]=REDACTED"]);
        assert_eq!(verdict.message, "says d");
    }

    #[test]
    fn both_languages_see_the_same_claims() {
        let config = Config {
            rules: vec![RuleConfig {
                claims: "Contains(`groups`, `admins`) && !Equals(`realm.name`, `test`)".into(),
                ..rule("admins", Allow, "")
            }],
            ..Config::default()
        };
        let policy = Policy::compile(&config).unwrap();
        let check = |claims: serde_json::Value, want: bool, facts_want: &str| {
            let world = World::new("GET", "/").claims(claims);
            let facts = world.facts();
            let verdict = policy.decide(&facts);
            let used = policy.used(&verdict, &facts);
            let used: Vec<String> = used.iter().map(|(n, v)| format!("{n}={v}")).collect();
            assert_eq!((verdict.allowed, &*used.join(" ")), (want, facts_want));
        };
        check(
            serde_json::json!({"groups": ["admins"], "realm": {"name": "live"}}),
            true,
            "jwt.groups=[\"admins\"] jwt.realm.name=live",
        );
        check(
            serde_json::json!({"sub": "a"}),
            false,
            "jwt.groups=absent jwt.realm.name=absent",
        );
    }

    #[test]
    fn mistakes() {
        let check = |rules: Vec<RuleConfig>, want: &str| {
            let config = Config {
                rules,
                ..Config::default()
            };
            let mistake = Policy::compile(&config).err().expect("must not compile");
            assert_eq!(mistake.message, want);
        };
        check(vec![], "`rules` is empty");
        check(
            vec![rule("a", Allow, "true"), rule("a", Deny, "true")],
            "the name `a` of a rule is taken",
        );
        check(
            vec![rule("default", Allow, "true")],
            "the name `default` of a rule is taken",
        );
        check(
            vec![RuleConfig {
                effect: None,
                ..rule("a", Allow, "true")
            }],
            "rule `a` has no `effect`",
        );
        check(
            vec![rule("", Allow, "")],
            "rule `rule-1` has neither `expression` nor `claims`",
        );
        check(
            vec![rule("a", Allow, "http.metod == \"GET\"")],
            "`expression` of rule `a`: there is no fact `http.metod`",
        );
        check(
            vec![rule("a", Allow, "true"); 257],
            "257 rules; at most 256 are read",
        );
    }
}
