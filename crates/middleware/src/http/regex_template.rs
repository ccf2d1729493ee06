//! Regular expressions and replacement templates as Go writes them, on the `regex` crate. Configuration is written for Go, so
//! its spelling counts: ASCII `\d \w \s \b`, `\Q…\E`, a lone `{` or `[` in a class is itself, and in a template `$1x` is the
//! group called `1x`.

use regex::bytes::{Captures, Regex, RegexBuilder};
use trilithon_flow::BuildError;

/// Compiles a pattern in Go's syntax (RE2).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<Regex, BuildError> {
    RegexBuilder::new(&translate(pattern))
        .build()
        .map_err(|error| BuildError::new(error_text(pattern, &error.to_string())))
}

/// What is wrong with a pattern, as Go says it where it has the same trouble.
pub(crate) fn error_text(pattern: &str, error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    let reason = match last.trim_start_matches("error: ") {
        "unclosed group" => "missing closing )",
        "unopened group" => "unexpected )",
        "unclosed character class" => "missing closing ]",
        "repetition operator missing expression" => "missing argument to repetition operator",
        "incomplete escape sequence, reached end of pattern prematurely" => {
            return "error parsing regexp: trailing backslash at end of expression: ``".to_owned();
        }
        other => other,
    };
    format!("error parsing regexp: {reason}: `{pattern}`")
}

/// Go's spelling to the crate's.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' if after.starts_with('Q') => {
                let (literal, tail) = after[1..].split_once("\\E").unwrap_or((&after[1..], ""));
                out.push_str(&regex::escape(literal));
                tail
            }
            '\\' => escape(after, &mut out),
            '[' => class(after, &mut out),
            '{' if !is_repetition(after) => {
                out.push_str("\\{");
                after
            }
            c => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// One escape, without its backslash; returns what follows.
fn escape<'a>(text: &'a str, out: &mut String) -> &'a str {
    let Some(c) = text.chars().next() else {
        out.push('\\');
        return text;
    };
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\x0C\\r ]"),
        'S' => out.push_str("[^\\t\\n\\x0C\\r ]"),
        'b' => out.push_str("(?-u:\\b)"),
        'B' => out.push_str("(?-u:\\B)"),
        'C' => out.push_str("(?s-u:.)"),
        // Word boundaries to the crate, plain characters to Go.
        '<' | '>' => out.push(c),
        c => {
            out.push('\\');
            out.push(c);
        }
    }
    &text[c.len_utf8()..]
}

/// A class, from behind its bracket to its end; returns what follows. The crate nests classes and knows set operators; Go does
/// not.
fn class<'a>(text: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = text;
    for opening in ["^", "]"] {
        if let Some(tail) = rest.strip_prefix(opening) {
            out.push_str(if opening == "]" { "\\]" } else { opening });
            rest = tail;
        }
    }
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            ']' => {
                out.push(']');
                return after;
            }
            '\\' => escape(after, out),
            '[' if after.starts_with(':') && after.contains(":]") => {
                let end = after.find(":]").map_or(after.len(), |at| at + 2);
                out.push('[');
                out.push_str(&after[..end]);
                &after[end..]
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                after
            }
            '-' if before == '-' => {
                out.push_str("\\-");
                after
            }
            c => {
                out.push(c);
                after
            }
        };
        before = c;
    }
    rest
}

/// Whether what follows `{` makes it a repetition: `2}`, `2,}`, `2,5}`.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match inside.split_once(',') {
        None => number(inside),
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
    }
}

/// A pattern and what replaces its matches.
pub(crate) struct Replacer {
    pattern: Regex,
    parts: Vec<Part>,
}

enum Part {
    Text(Box<[u8]>),
    /// A captured group, by number; nothing when it took no part in the match.
    Group(usize),
}

impl Replacer {
    /// A pattern in Go's syntax and a template in that of Go's `Regexp.Expand`.
    ///
    /// # Errors
    /// What is wrong with the pattern; every template is one.
    pub(crate) fn new(pattern: &str, template: &str) -> Result<Replacer, BuildError> {
        let pattern = compile(pattern)?;
        let parts = parts(template, &pattern);
        Ok(Replacer { pattern, parts })
    }

    /// The text with every match replaced; `None` when there is no match. What groups captured is not expanded again.
    pub(crate) fn replace_all(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut matches = self.pattern.captures_iter(text).peekable();
        matches.peek()?;
        let mut out = Vec::with_capacity(text.len() + 32);
        let mut done = 0;
        for groups in matches {
            let whole = groups.get_match();
            out.extend_from_slice(&text[done..whole.start()]);
            self.expand(&groups, &mut out);
            done = whole.end();
        }
        out.extend_from_slice(&text[done..]);
        Some(out)
    }

    fn expand(&self, groups: &Captures<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Group(n) => out.extend_from_slice(groups.get(*n).map_or(&[], |g| g.as_bytes())),
            }
        }
    }
}

/// Splits a template. A `$` that starts no group is itself, `$$` is one dollar; groups that the pattern has not are nothing.
fn parts(template: &str, pattern: &Regex) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(tail) = after.strip_prefix('$') {
            text.push('$');
            rest = tail;
        } else if let Some((name, tail)) = group_name(after) {
            if let Some(n) = group_number(name, pattern) {
                push_text(&mut parts, &mut text);
                parts.push(Part::Group(n));
            }
            rest = tail;
        } else {
            text.push('$');
            rest = after;
        }
    }
    text.push_str(rest);
    push_text(&mut parts, &mut text);
    parts
}

fn push_text(parts: &mut Vec<Part>, text: &mut String) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text).into_bytes().into()));
    }
}

/// The name behind a `$` (as long as letters, digits and `_` go, or in braces) and what follows it.
fn group_name(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{').unwrap_or(text);
    let len = inside
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(inside.len());
    let (name, tail) = inside.split_at(len);
    let tail = if text.starts_with('{') {
        tail.strip_prefix('}')?
    } else {
        tail
    };
    (!name.is_empty()).then_some((name, tail))
}

/// Numbers have no leading zeros; everything else is a name.
fn group_number(name: &str, pattern: &Regex) -> Option<usize> {
    if name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0')) {
        return name.parse().ok().filter(|n| *n < pattern.captures_len());
    }
    pattern.capture_names().position(|n| n == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, template: &str, text: &str, want: Option<&str>) {
        let replacer = Replacer::new(pattern, template).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        let got = replacer
            .replace_all(text.as_bytes())
            .map(|b| String::from_utf8(b).unwrap());
        assert_eq!(got.as_deref(), want, "{pattern} → {template} in {text}");
    }

    #[test]
    fn templates() {
        check("(a)(b)?", "[$1|$2|$3]", "xa", Some("x[a||]"));
        check("(a)", "$1x", "a", Some(""));
        check("(a)", "${1}x", "a", Some("ax"));
        check("(?P<n>a)", "$n-${n}_$n_", "a", Some("a-a_"));
        check("(?<n>a)", "<$n>", "a", Some("<a>"));
        check("a", "$0$0", "a", Some("aa"));
        check("a", "$00", "a", Some(""));
        check("a", "$$1 $ ${ ${} $- 5$", "a", Some("$1 $ ${ ${} $- 5$"));
        check("(.*)", "$1", "$1", Some("$1"));
        check("(a)", "$99999999999999999999", "a", Some(""));
        check("(?P<é>a)", "$é.", "a", Some("a."));
    }

    #[test]
    fn matches() {
        check("a*", "x", "baaac", Some("xbxcx"));
        check("z", "y", "abc", None);
        check("b", "", "abc", Some("ac"));
        check("^", "x", "abc", Some("xabc"));
    }

    #[test]
    fn goes_spelling() {
        let check = |pattern: &str, text: &str, want: bool| {
            assert_eq!(
                compile(pattern)
                    .unwrap_or_else(|e| panic!("{e}"))
                    .is_match(text.as_bytes()),
                want,
                "{pattern} on {text}"
            );
        };
        check(r"^\d$", "٣", false);
        check(r"^\w$", "é", false);
        check(r"^[\w.]+$", "a_9.", true);
        check(r"^[^\w]$", "é", true);
        check(r"^\W$", "é", true);
        check(r"^\s$", "\u{b}", false);
        check(r"\bé", "aé", true);
        check(r"^\Qa.b(\E.$", "a.b(c", true);
        check(r"^/{id}$", "/{id}", true);
        check(r"^/x{2,3}$", "/xxx", true);
        check(r"^x{,2}$", "x{,2}", true);
        check("^[[a]$", "[", true);
        check("^[]a]$", "]", true);
        check("^[^]a]$", "]", false);
        check("^[a&&b]$", "&", true);
        check("^[a~~b]$", "~", true);
        check("^[+--]$", ",", true);
        check("^[[:alpha:]0]$", "0", true);
        check("^[[:alpha:]0]$", "é", false);
        check(r"^\<a\>$", "<a>", true);
        check(r"^a\/b\-c$", "a/b-c", true);
        check(r"(?i)^ABC\z", "abc", true);
        check(r"^\x41\x{42}$", "AB", true);
    }

    #[test]
    fn bad_patterns_are_named() {
        let check = |bad: &str, want: &str| {
            let want = format!("error parsing regexp: {want}");
            assert_eq!(compile(bad).unwrap_err().message, want);
        };
        check("(", "missing closing ): `(`");
        check("a)", "unexpected ): `a)`");
        check("[a", "missing closing ]: `[a`");
        check("*", "missing argument to repetition operator: `*`");
        check(r"\", "trailing backslash at end of expression: ``");
        for bad in ["(?=a)", "a{2,1}", r"\8", "(?P<n>a"] {
            let error = compile(bad).unwrap_err().message;
            assert!(
                error.starts_with("error parsing regexp: ") && error.ends_with(&format!("`{bad}`")),
                "{error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
