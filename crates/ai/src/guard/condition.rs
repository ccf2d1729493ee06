//! Conditions over a guard's answer, in the language of Traefik Hub's `blockConditions` and `traceConditions`:
//! `JSONGt(".score", "0.7") && !Contains("benign")`.
//!
//! An answer that a condition cannot be judged by is [`Unclear`], which is never a pass: text where JSON was asked for, a number
//! that is none, or JSON in which nothing stands of all that the condition asks for.

mod parse;
mod path;

use path::Path;
use serde_json::Value;
use std::fmt;
use trilithon_rule::{Regexp, SyntaxError};

/// A parsed condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Contains(Box<str>),
    Json(Path, Test),
}

/// What the value at a path is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(Box<str>),
    Greater(f64),
    Less(f64),
    Contains(Box<str>),
    Regex(Regexp),
}

/// Why an answer cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It is empty.
    Empty,
    /// It is no JSON.
    NotJson,
    /// What is compared as a number is none.
    NotNumber,
    /// It has nothing of what is asked for.
    Missing,
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unclear::Empty => "the answer is empty",
            Unclear::NotJson => "the answer is no JSON",
            Unclear::NotNumber => "what is compared is no number",
            Unclear::Missing => "the answer has nothing of what the conditions ask for",
        })
    }
}

/// A guard's answer, as conditions look at it.
pub struct Answer<'a> {
    text: &'a str,
    json: Option<Value>,
}

impl<'a> Answer<'a> {
    /// # Errors
    /// There is no text in it.
    pub fn new(text: &'a str) -> Result<Answer<'a>, Unclear> {
        if text.trim().is_empty() {
            return Err(Unclear::Empty);
        }
        let json = serde_json::from_str(unfenced(text)).ok();
        Ok(Answer { text, json })
    }
}

/// The text without the Markdown fence that models like to put around JSON.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|t| t.strip_suffix("```"));
    inner.map_or(text, |t| t.strip_prefix("json").unwrap_or(t))
}

/// How a part of a condition went.
#[derive(Clone, Copy)]
struct Seen {
    holds: bool,
    /// Something was there to look at.
    found: bool,
}

impl Condition {
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Condition, SyntaxError> {
        parse::parse(text).map(|root| Condition { root })
    }

    /// Whether it holds of the answer. A path that leads nowhere fits nothing, as long as another of the condition leads
    /// somewhere.
    ///
    /// # Errors
    /// The answer cannot be judged by it.
    pub fn holds(&self, answer: &Answer<'_>) -> Result<bool, Unclear> {
        let seen = self.root.look(answer)?;
        if seen.found {
            Ok(seen.holds)
        } else {
            Err(Unclear::Missing)
        }
    }
}

impl Node {
    /// All parts are looked at: whether an answer is clear does not hang on the order they are written in.
    fn look(&self, answer: &Answer<'_>) -> Result<Seen, Unclear> {
        let both = |parts: &[Node], join: fn(bool, bool) -> bool, start| {
            let start = Seen {
                holds: start,
                found: false,
            };
            parts.iter().try_fold(start, |before, part| {
                let seen = part.look(answer)?;
                Ok(Seen {
                    holds: join(before.holds, seen.holds),
                    found: before.found | seen.found,
                })
            })
        };
        match self {
            Node::All(parts) => both(parts, |a, b| a & b, true),
            Node::Any(parts) => both(parts, |a, b| a | b, false),
            Node::Not(part) => part.look(answer).map(|seen| Seen {
                holds: !seen.holds,
                ..seen
            }),
            Node::Contains(text) => Ok(Seen {
                holds: answer.text.contains(&**text),
                found: true,
            }),
            Node::Json(path, test) => {
                let json = answer.json.as_ref().ok_or(Unclear::NotJson)?;
                match path.find(json) {
                    None | Some(Value::Null) => Ok(Seen {
                        holds: false,
                        found: false,
                    }),
                    Some(value) => Ok(Seen {
                        holds: test.holds(value)?,
                        found: true,
                    }),
                }
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> Result<bool, Unclear> {
        Ok(match self {
            Test::Equals(want) => is(value, want),
            Test::Greater(than) => number(value)? > *than,
            Test::Less(than) => number(value)? < *than,
            Test::Contains(part) => text(value).contains(&**part),
            Test::Regex(regex) => regex.is_match(text(value).as_bytes()),
        })
    }
}

fn is(value: &Value, want: &str) -> bool {
    match value {
        Value::Number(n) => match (n.as_f64(), want.trim().parse::<f64>()) {
            (Some(n), Ok(want)) => n == want,
            _ => false,
        },
        other => text(other) == want,
    }
}

/// A number, or one that is written as text.
fn number(value: &Value) -> Result<f64, Unclear> {
    let found = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    };
    found.filter(|n: &f64| n.is_finite()).ok_or(Unclear::NotNumber)
}

/// A string's text; of anything else, the JSON.
fn text(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::String(s) => s.as_str().into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &str, answer: &str, want: Result<bool, Unclear>) {
        let parsed = Condition::parse(condition).unwrap_or_else(|e| panic!("{condition}: {e}"));
        let got = Answer::new(answer).and_then(|answer| parsed.holds(&answer));
        assert_eq!(got, want, "{condition} of {answer}");
    }

    #[test]
    fn of_text() {
        check(r#"Contains("unsafe")"#, "unsafe\nS1", Ok(true));
        check(r#"Contains("unsafe")"#, "safe", Ok(false));
        check(r#"!Contains("unsafe")"#, "safe", Ok(true));
        check(r#"Contains("S1") && Contains(`S10`)"#, "unsafe\nS1,S10", Ok(true));
        check(
            r#"Contains("a") || (Contains("b") && !Contains("c"))"#,
            "bc",
            Ok(false),
        );
        check(r#"Contains("x")"#, " \n", Err(Unclear::Empty));
        check(r#"Contains("say \"no\"")"#, r#"I say "no""#, Ok(true));
    }

    #[test]
    fn of_json() {
        let jailbreak = r#"{"jailbreak": true, "score": 0.89}"#;
        check(r#"JSONGt(".score", "0.7")"#, jailbreak, Ok(true));
        check(r#"JSONGt(".score", 0.9)"#, jailbreak, Ok(false));
        check(r#"JSONLt("score", "0.9")"#, jailbreak, Ok(true));
        check(r#"JSONEquals(".jailbreak", true)"#, jailbreak, Ok(true));
        check(r#"JSONEquals(".jailbreak", "false")"#, jailbreak, Ok(false));
        check(r#"JSONEquals(".score", "0.890")"#, jailbreak, Ok(true));
        let safety = "```json\n{\"User Safety\": \"unsafe\", \"Safety Categories\": \"Violence, Hate\"}\n```";
        check(r#"JSONEquals(".User Safety", "unsafe")"#, safety, Ok(true));
        check(
            r#"JSONStringContains(".[\"Safety Categories\"]", "Hate")"#,
            safety,
            Ok(true),
        );
        check(r#"JSONRegex(".Safety Categories", "^Vio")"#, safety, Ok(true));
        check(
            r#"JSONEquals(".r[0].flagged", true)"#,
            r#"{"r":[{"flagged":true}]}"#,
            Ok(true),
        );
        check(
            r#"JSONStringContains(".r", "flagged")"#,
            r#"{"r":[{"flagged":true}]}"#,
            Ok(true),
        );
        check(r#"JSONGt("$.score", "1e-3")"#, r#"{"score":"0.5"}"#, Ok(true));
    }

    #[test]
    fn what_is_unclear_is_no_pass() {
        check(
            r#"JSONGt(".score", "0.7")"#,
            "I cannot say",
            Err(Unclear::NotJson),
        );
        check(r#"JSONGt(".score", "0.7")"#, "{}", Err(Unclear::Missing));
        check(
            r#"JSONGt(".score", "0.7")"#,
            r#"{"score":null}"#,
            Err(Unclear::Missing),
        );
        check(
            r#"JSONGt(".score", "0.7")"#,
            r#"{"score":"high"}"#,
            Err(Unclear::NotNumber),
        );
        check(r#"!JSONEquals(".a", "x")"#, r#"{"b":1}"#, Err(Unclear::Missing));
        let either = r#"JSONEquals(".User Safety", "unsafe") || JSONEquals(".Response Safety", "unsafe")"#;
        check(either, r#"{"User Safety":"safe"}"#, Ok(false));
        check(either, r#"{"User Safety":"unsafe"}"#, Ok(true));
        check(either, r#"{"Safety":"safe"}"#, Err(Unclear::Missing));
        check(r#"Contains("a") || JSONGt(".s", 1)"#, "a", Err(Unclear::NotJson));
    }
}
