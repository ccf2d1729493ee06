//! Templates of the v2 syntax: `/users/{id:[0-9]+}` as an anchored regular expression.
//!
//! Text outside braces is literal. `{name}` takes the slot's default pattern; capturing groups inside are harmless.

use crate::regexp::{BadRegexp, Regexp};

/// Where a template stands: what one variable covers, and how the expression ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Host,
    Path,
    PathPrefix,
    Query,
}

impl Slot {
    fn default_pattern(self) -> &'static str {
        match self {
            Slot::Host => "[^.]+",
            Slot::Path | Slot::PathPrefix => "[^/]+",
            Slot::Query => ".*",
        }
    }

    /// Text outside braces. Hosts are compared in lower case.
    fn literal(self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        regex_syntax::escape(if self == Slot::Host { &lower } else { text })
    }

    fn flags(self) -> &'static str {
        if self == Slot::Host { "i" } else { "" }
    }

    fn frame(self) -> (&'static str, &'static str) {
        match self {
            Slot::Host | Slot::Path | Slot::Query => ("^", "$"),
            Slot::PathPrefix => ("^", ""),
        }
    }
}

/// Whether the text has no braces and so means itself.
pub(crate) fn is_literal(text: &str) -> bool {
    !text.contains(['{', '}'])
}

/// Compiles a template.
pub(crate) fn template(text: &str, slot: Slot) -> Result<Regexp, BadRegexp> {
    let (start, end) = slot.frame();
    let mut out = String::from(start);
    let mut names = Vec::new();
    let mut at = 0;
    for (open, close) in braces(text)? {
        out.push_str(&slot.literal(&text[at..open]));
        let inner = &text[open + 1..close];
        let (name, pattern) = inner.split_once(':').unwrap_or((inner, slot.default_pattern()));
        if name.is_empty() || pattern.is_empty() {
            return bad(open, format!("missing name or pattern in `{{{inner}}}`"));
        }
        if names.contains(&name) {
            return bad(open, format!("two variables are named `{name}`"));
        }
        names.push(name);
        out.push_str(&format!("(?{}:{pattern})", slot.flags()));
        at = close + 1;
    }
    out.push_str(&slot.literal(&text[at..]));
    out.push_str(end);
    Regexp::new(&out)
}

/// The outermost pairs of braces.
fn braces(text: &str) -> Result<Vec<(usize, usize)>, BadRegexp> {
    let (mut level, mut open) = (0usize, 0);
    let mut out = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => {
                level += 1;
                if level == 1 {
                    open = at;
                }
            }
            b'}' if level == 0 => return bad(at, "unbalanced braces".into()),
            b'}' => {
                level -= 1;
                if level == 0 {
                    out.push((open, at));
                }
            }
            _ => {}
        }
    }
    if level > 0 {
        bad(open, "unbalanced braces".into())
    } else {
        Ok(out)
    }
}

fn bad<T>(at: usize, reason: String) -> Result<T, BadRegexp> {
    Err(BadRegexp { at, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, slot: Slot, yes: &[&str], no: &[&str]) {
        let regexp = template(text, slot).unwrap();
        yes.iter()
            .for_each(|t| assert!(regexp.is_match(t.as_bytes()), "{text} {t}"));
        no.iter()
            .for_each(|t| assert!(!regexp.is_match(t.as_bytes()), "{text} {t}"));
    }

    #[test]
    fn templates() {
        check(
            "{sub:[a-z]+}.re.test",
            Slot::Host,
            &["abc.re.test"],
            &["x.abc.re.test", "abcxre.test"],
        );
        check(
            "{sub:[A-Z]+}.Re.test",
            Slot::Host,
            &["abc.re.test"],
            &["1.re.test"],
        );
        check("{any}.any.test", Slot::Host, &["q.any.test"], &["q.r.any.test"]);
        check(
            "/u/{id:[0-9]{2,3}}/x",
            Slot::Path,
            &["/u/12/x"],
            &["/u/1/x", "/u/12/x/y"],
        );
        check("/u/{id}", Slot::PathPrefix, &["/u/1", "/u/1/y"], &["/u/"]);
        check("/{a:(x|y)}", Slot::Path, &["/x"], &["/z"]);
        check("{v}", Slot::Query, &["", "x"], &[]);
    }

    #[test]
    fn broken() {
        for text in ["/{", "/}", "/{}", "/{:x}", "/{a:}", "/{a}/{a}", "/{a:[}"] {
            assert!(template(text, Slot::Path).is_err(), "{text}");
        }
    }
}
