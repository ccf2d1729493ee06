//! The facts that a decision may look at: one table. Expressions are checked against it, `explain` shows values by it, and the
//! manual is written from it. A namespace is one file here and one line in [`NAMESPACES`].

pub mod http;
pub mod identity;
pub mod jwt;
pub mod mcp;
pub mod time;

use crate::value::{Failure, Kind, Value};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::fmt;
use trilithon_flow::mcp_call::Asked;
use trilithon_flow::{Exchange, Request};
use trilithon_wire::json::alike;

/// What a decision is a function of. The clock is a part of it: nothing here asks the machine.
pub struct Facts<'a> {
    pub request: &'a Request,
    /// The connection, the identity, and the router that took the request.
    pub exchange: &'a Exchange,
    /// The client's address, as the policy's `ipStrategy` finds it.
    pub client_ip: &'a str,
    /// Seconds since 1970.
    pub now: i64,
    /// The message to a server of tools, or the item of a list that is looked at.
    pub mcp: Option<&'a Asked>,
}

/// One fact of the table.
pub struct Fact {
    /// As expressions name it: `http.method`.
    pub name: &'static str,
    /// Of the value, or of each value where they have names.
    pub kind: Kind,
    /// What it is, for the manual.
    pub doc: &'static str,
    /// Whether values whose name sounds like a secret are hidden in logs and explanations.
    pub sensitive: bool,
    /// Whether its members are the caller's own words: one that is there in another spelling only, which a lenient server takes for
    /// it, is neither there nor absent.
    pub from_caller: bool,
    pub read: Read,
}

/// How a fact is found out.
pub enum Read {
    /// It is one value.
    Plain(for<'a> fn(&'a Facts<'a>) -> Result<Value<'a>, Failure>),
    /// It is an object, which need not be read for each of its members: `mcp.params.name`.
    Object {
        whole: for<'a> fn(&'a Facts<'a>) -> Result<Value<'a>, Failure>,
        /// A member that is at hand, and in no other spelling there.
        member: for<'a> fn(&'a Facts<'a>, &str) -> Option<Value<'a>>,
    },
    /// It is several, by name: `http.header["x-env"]`. `None` when there is none of that name.
    Named(for<'a> fn(&'a Facts<'a>, &'a str) -> Result<Option<Value<'a>>, Failure>),
}

/// A namespace: its name and its facts.
pub struct Namespace {
    pub name: &'static str,
    pub facts: &'static [Fact],
}

/// All namespaces, in the order of the manual.
pub const NAMESPACES: &[Namespace] = &[
    http::NAMESPACE,
    identity::NAMESPACE,
    jwt::NAMESPACE,
    mcp::NAMESPACE,
    time::NAMESPACE,
];

/// The fact of that name.
pub fn find(name: &str) -> Option<&'static Fact> {
    all().find(|fact| fact.name == name)
}

/// All facts.
pub fn all() -> impl Iterator<Item = &'static Fact> {
    NAMESPACES.iter().flat_map(|n| n.facts)
}

/// A fact as an expression names it: with the name of a value and members of it.
#[derive(Clone)]
pub struct Named {
    /// `http.header["x-env"]`, `jwt.realm.roles`.
    pub text: Box<str>,
    pub fact: &'static Fact,
    key: Box<str>,
    members: Box<[Box<str>]>,
    secret: bool,
}

impl Named {
    /// The value of a fact that is one value, or of one that is found by `key`; `members` lead further into it.
    pub fn new(fact: &'static Fact, key: &str, members: &[&str]) -> Named {
        let mut text = fact.name.to_owned();
        if matches!(fact.read, Read::Named(_)) {
            text = format!("{text}[\"{key}\"]");
        }
        for member in members {
            text = format!("{text}.{member}");
        }
        let mut names = std::iter::once(key).chain(members.iter().copied());
        Named {
            text: text.into(),
            fact,
            key: key.into(),
            members: members.iter().map(|m| (*m).into()).collect(),
            secret: fact.sensitive && names.any(sounds_secret),
        }
    }

    /// The type of its value, where that is always the same.
    pub fn kind(&self) -> Option<Kind> {
        self.members.is_empty().then_some(self.fact.kind)
    }

    /// Its value.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read<'a>(&'a self, facts: &'a Facts<'a>) -> Result<Value<'a>, Failure> {
        if let (Read::Object { member, .. }, [only]) = (&self.fact.read, &*self.members)
            && let Some(value) = member(facts, only)
        {
            return Ok(value);
        }
        let mut value = self.whole(facts)?.ok_or_else(|| self.absent())?;
        for member in &self.members {
            value = self.member(&value, member)?;
        }
        Ok(value)
    }

    /// Whether there is such a value. A fact that is always there counts when it says something.
    ///
    /// # Errors
    /// What it should be a member of is not there, or is no object.
    pub fn is_present(&self, facts: &Facts<'_>) -> Result<bool, Failure> {
        let Some(mut value) = self.whole(facts)? else {
            return Ok(false);
        };
        let Some((last, before)) = self.members.split_last() else {
            return Ok(matches!(self.fact.read, Read::Named(_)) || !value.is_empty());
        };
        for member in before {
            value = self.member(&value, member)?;
        }
        match value {
            Value::Map(map) if self.is_misspelt(map, last) => Err(self.misspelt()),
            Value::Map(map) => Ok(map.contains_key(&**last)),
            other => Err(Failure::mismatch("has", &[&other])),
        }
    }

    fn whole<'a>(&'a self, facts: &'a Facts<'a>) -> Result<Option<Value<'a>>, Failure> {
        match self.fact.read {
            Read::Plain(read) | Read::Object { whole: read, .. } => read(facts).map(Some),
            Read::Named(read) => read(facts, &self.key),
        }
    }

    fn member<'a>(&self, value: &Value<'a>, name: &str) -> Result<Value<'a>, Failure> {
        if let Value::Map(map) = value
            && self.is_misspelt(map, name)
        {
            return Err(self.misspelt());
        }
        value.member(name).map_err(|failure| self.placed(failure))
    }

    /// Whether the caller wrote a member so that only a lenient reader finds it.
    fn is_misspelt(&self, map: &Map<String, Json>, name: &str) -> bool {
        self.fact.from_caller && !map.contains_key(name) && map.keys().any(|key| alike(key, name))
    }

    fn misspelt(&self) -> Failure {
        Failure::Misspelt(self.text.to_string())
    }

    fn absent(&self) -> Failure {
        Failure::Absent(self.text.to_string())
    }

    /// A failure on the way through members names the whole of it.
    fn placed(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Absent(_) => self.absent(),
            other => other,
        }
    }

    /// Its value for people: cut when long, hidden when it may be a secret.
    pub fn shown(&self, facts: &Facts<'_>) -> String {
        match self.read(facts) {
            Ok(_) if self.secret => HIDDEN.to_owned(),
            // Any of its members may be one.
            Ok(Value::Map(_)) if self.fact.sensitive => HIDDEN.to_owned(),
            Ok(value) => cut(value.to_string()),
            Err(Failure::Absent(_)) => ABSENT.to_owned(),
            Err(failure) => failure.to_string(),
        }
    }
}

/// Two are the same when they name the same.
impl PartialEq for Named {
    fn eq(&self, other: &Named) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const HIDDEN: &str = "REDACTED";
const ABSENT: &str = "absent";
/// Characters of a value that are shown.
const MAX_SHOWN: usize = 200;

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Words in the names of headers, parameters and claims whose values are nobody's business.
const SECRET_WORDS: &[&str] = &[
    "auth",
    "cookie",
    "credential",
    "key",
    "pass",
    "pwd",
    "secret",
    "session",
    "sid",
    "sig",
    "token",
];

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Bytes of a message as text.
fn text<'a>(bytes: Cow<'a, [u8]>, name: &str) -> Result<Value<'a>, Failure> {
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    // A replacement character would make different bytes one.
    text.map(Value::Text)
        .ok_or_else(|| Failure::NotText(name.to_owned()))
}

/// The manual's table of facts.
pub fn manual() -> String {
    let mut out = "| Fact | Type | What it is |\n|---|---|---|\n".to_owned();
    for fact in all() {
        let (name, kind) = match fact.read {
            Read::Plain(_) | Read::Object { .. } => (fact.name.to_owned(), fact.kind.as_str()),
            Read::Named(_) => (format!("{}[\"name\"]", fact.name), fact.kind.as_str()),
        };
        let hidden = if fact.sensitive {
            " Hidden in logs where the name sounds like a secret."
        } else {
            ""
        };
        out.push_str(&format!("| `{name}` | {kind} | {}{hidden} |\n", fact.doc));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_stands_once_in_its_namespace() {
        for namespace in NAMESPACES {
            for fact in namespace.facts {
                let inside =
                    fact.name == namespace.name || fact.name.starts_with(&format!("{}.", namespace.name));
                assert!(inside, "{}", fact.name);
                assert_eq!(all().filter(|f| f.name == fact.name).count(), 1, "{}", fact.name);
                assert!(
                    fact.doc.ends_with('.') && !fact.doc.contains('|'),
                    "{}",
                    fact.name
                );
            }
        }
    }

    #[test]
    fn the_manual_is_up_to_date() {
        let page = include_str!("../../../../docs/policy.md");
        let manual = manual();
        assert!(
            page.contains(&manual),
            "docs/policy.md does not have this table:\n{manual}"
        );
    }

    #[test]
    fn names_that_sound_like_secrets() {
        let check = |name: &str, want: bool| assert_eq!(sounds_secret(name), want, "{name}");
        for name in [
            "Authorization",
            "Cookie",
            "X-Api-Key",
            "access_token",
            "client_secret",
            "PASSWORD",
        ] {
            check(name, true);
        }
        for name in ["x-env", "page", "groups", "sub"] {
            check(name, false);
        }
    }
}
