//! Where in a JSON body of any shape something stands: the text that a guard looks at, the tokens that a limit counts.
//!
//! Of jq: `.name`, `."a name"`, `.["a name"]`, `[0]`, `[-1]`, `[]` and `|` between them. A query that leads nowhere finds
//! nothing.

use std::fmt;
use std::ops::Range;
use trilithon_wire::json::{Kind, Value};

/// Steps that one query may have.
const MAX_STEPS: usize = 64;

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(Box<str>),
    /// From the end when negative.
    Item(i64),
    Each,
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    pub message: &'static str,
    /// The byte where it is.
    pub at: usize,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl Query {
    /// # Errors
    /// It is not of the part of jq that is known.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        let mut parser = Parser { text, at: 0 };
        let steps = parser.query()?;
        Ok(Query { steps })
    }

    /// The strings, without their quotes, and the numbers in what it leads to, in the order of the document. Names of members are among them.
    pub fn find(&self, root: &Value<'_>) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        walk(root, &self.steps, &mut |value| leaves(value, &mut found));
        found
    }

    /// The number that it leads to; the last one, if there are several.
    pub fn number(&self, root: &Value<'_>) -> Option<u64> {
        let mut found = None;
        walk(root, &self.steps, &mut |value| found = value.as_u64().or(found));
        found
    }
}

/// Shows every value at the end of the steps.
fn walk(value: &Value<'_>, steps: &[Step], show: &mut dyn FnMut(&Value<'_>)) {
    let Some((step, rest)) = steps.split_first() else {
        return show(value);
    };
    match step {
        // All of that name: the server behind may read either.
        Step::Member(name) => value
            .members()
            .filter(|(n, _)| n.is(name))
            .for_each(|(_, value)| walk(&value, rest, show)),
        Step::Item(place) => {
            let place = usize::try_from(*place).ok().or_else(|| {
                let back = usize::try_from(place.unsigned_abs()).ok()?;
                value.items().count().checked_sub(back)
            });
            if let Some(item) = place.and_then(|place| value.items().nth(place)) {
                walk(&item, rest, show);
            }
        }
        Step::Each => {
            value.items().for_each(|item| walk(&item, rest, show));
            value.members().for_each(|(_, value)| walk(&value, rest, show));
        }
    }
}

fn leaves(value: &Value<'_>, found: &mut Vec<Range<usize>>) {
    match value.kind() {
        Kind::String => found.extend(value.text().map(|text| text.range())),
        Kind::Array => value.items().for_each(|item| leaves(&item, found)),
        Kind::Object => value.members().for_each(|(name, value)| {
            found.push(name.range());
            leaves(&value, found);
        }),
        Kind::Number => found.push(value.range()),
        Kind::Null | Kind::Bool => {}
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Vec<Step>, QueryError> {
        let mut steps = Vec::new();
        if !self.rest().starts_with('.') {
            return self.fail("a query begins with `.`");
        }
        loop {
            let rest = self.rest();
            match rest.chars().next() {
                None => return Ok(steps),
                Some('[') => steps.push(self.bracket()?),
                Some('.') => {
                    self.at += 1;
                    match self.text[self.at..].chars().next() {
                        Some('"') => steps.push(Step::Member(self.quoted()?)),
                        Some('.') => return self.fail("`..` is not known here"),
                        None | Some('[' | '|' | ' ') => {}
                        Some(_) => steps.push(self.name()?),
                    }
                }
                Some('|') => {
                    self.at += 1;
                    if !self.rest().starts_with('.') {
                        return self.fail("expected `.` after `|`");
                    }
                }
                Some(_) => return self.fail("expected `.`, `[` or `|`"),
            }
            if steps.len() > MAX_STEPS {
                return self.fail("too many steps");
            }
        }
    }

    fn name(&mut self) -> Result<Step, QueryError> {
        let rest = &self.text[self.at..];
        let ends = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'));
        let length = rest.find(ends).unwrap_or(rest.len());
        if length == 0 {
            return self.fail("expected a name");
        }
        self.at += length;
        Ok(Step::Member(rest[..length].into()))
    }

    fn bracket(&mut self) -> Result<Step, QueryError> {
        self.at += 1;
        let step = match self.rest().chars().next() {
            Some(']') => Step::Each,
            Some('"') => Step::Member(self.quoted()?),
            _ => {
                let rest = self.rest();
                let length = rest.find(']').unwrap_or(rest.len());
                let Ok(place) = rest[..length].trim().parse() else {
                    return self.fail("expected a number, a quoted name or `]`");
                };
                self.at += length;
                Step::Item(place)
            }
        };
        if !self.rest().starts_with(']') {
            return self.fail("expected `]`");
        }
        self.at += 1;
        Ok(step)
    }

    /// A JSON string.
    fn quoted(&mut self) -> Result<Box<str>, QueryError> {
        let rest = &self.text[self.at..];
        let mut words = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        match words.next() {
            Some(Ok(name)) => {
                self.at += words.byte_offset();
                Ok(name.into())
            }
            _ => self.fail("the quoted name is no string"),
        }
    }

    fn rest(&mut self) -> &str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }

    fn fail<T>(&self, message: &'static str) -> Result<T, QueryError> {
        Err(QueryError { message, at: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_wire::json;

    const DOC: &str =
        r#"{"query":"q","items":[{"t":"a","n":1},{"t":"b"}],"a b":{"c":["d"]},"query":"again"}"#;

    #[test]
    fn finds() {
        let check = |query: &str, want: &[&str]| {
            let root = json::parse(DOC.as_bytes()).unwrap();
            let found = Query::parse(query).unwrap().find(&root);
            let texts: Vec<&str> = found.into_iter().map(|range| &DOC[range]).collect();
            assert_eq!(texts, want, "{query}");
        };
        check(".query", &["q", "again"]);
        check(".items[].t", &["a", "b"]);
        check(".items | .[0].t", &["a"]);
        check(".items[0]", &["t", "a", "n", "1"]);
        check(".items[-1]", &["t", "b"]);
        check(".items[7]", &[]);
        check(".items[-7]", &[]);
        check(".\"a b\".c", &["d"]);
        check(".[\"a b\"].c[0]", &["d"]);
        check(".items[0].n", &["1"]);
        check(".query.t", &[]);
        check(".[].t", &[]);
        check(".[][].t", &["a", "b"]);
        assert_eq!(Query::parse(".").unwrap().steps.len(), 0);
    }

    #[test]
    fn numbers() {
        let check = |query: &str, want: Option<u64>| {
            let root = json::parse(DOC.as_bytes()).unwrap();
            assert_eq!(Query::parse(query).unwrap().number(&root), want, "{query}");
        };
        check(".items[0].n", Some(1));
        check(".items[].n", Some(1));
        check(".items[0].t", None);
        check(".nowhere", None);
    }

    #[test]
    fn mistakes() {
        let check = |query: &str, at: usize, message: &str| {
            let error = Query::parse(query).unwrap_err();
            assert_eq!((error.at, error.message), (at, message), "{query}");
        };
        check("", 0, "a query begins with `.`");
        check("query", 0, "a query begins with `.`");
        check("..", 1, "`..` is not known here");
        check(".a.,", 3, "expected a name");
        check(".a[x]", 3, "expected a number, a quoted name or `]`");
        check(".a[0", 4, "expected `]`");
        check(".a | b", 5, "expected `.` after `|`");
        check(".a b", 3, "expected `.`, `[` or `|`");
        check(".\"a", 1, "the quoted name is no string");
    }
}
