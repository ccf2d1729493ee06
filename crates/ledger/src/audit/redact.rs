//! What does not go into the audit log, although it was in the request.

use regex::{Regex, RegexBuilder};
use serde_json::Value;
use std::borrow::Cow;
use trilithon_model::install::Audit;
use trilithon_model::secret::REDACTED;

/// Bytes of a compiled expression.
const MAX_REGEX: usize = 1 << 20;
/// Bytes of one text that is recorded.
pub const MAX_TEXT: usize = 2048;

/// The rules of redaction.
pub struct Redactor {
    /// Query parameters whose values are recorded.
    query: Vec<String>,
    patterns: Vec<Regex>,
}

impl Redactor {
    /// # Errors
    /// A pattern that is no regular expression, with what is wrong with it.
    pub fn new(config: &Audit) -> Result<Redactor, String> {
        let compiled = |pattern: &String| {
            RegexBuilder::new(pattern)
                .size_limit(MAX_REGEX)
                .build()
                .map_err(|error| format!("`audit.redact`: `{pattern}` is no regular expression: {error}"))
        };
        Ok(Redactor {
            query: config.query.clone(),
            patterns: config.redact.iter().map(compiled).collect::<Result<_, _>>()?,
        })
    }

    /// A text as it may be recorded: cut, and what a pattern matches replaced.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(cut(text));
        for pattern in &self.patterns {
            if pattern.is_match(&text) {
                text = Cow::Owned(pattern.replace_all(&text, REDACTED).into_owned());
            }
        }
        text
    }

    /// Whether all texts in a value may be recorded as they are.
    pub fn leaves(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *self.text(text) == **text,
            Value::Array(items) => items.iter().all(|item| self.leaves(item)),
            Value::Object(members) => members
                .iter()
                .all(|(name, value)| *self.text(name) == **name && self.leaves(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }

    /// A query as it may be recorded: all names, and the values of those that are allowed.
    pub fn query(&self, query: &str) -> String {
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some((name, _)) if !self.query.iter().any(|allowed| allowed == name) => {
                format!("{name}={REDACTED}")
            }
            _ => part.to_owned(),
        });
        let shown = parts.collect::<Vec<_>>().join("&");
        self.text(&shown).into_owned()
    }
}

/// The first [`MAX_TEXT`] bytes, at a character's end.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(query: &[&str]) -> Redactor {
        let config = Audit {
            query: query.iter().map(|q| (*q).to_owned()).collect(),
            ..Audit::default()
        };
        Redactor::new(&config).expect("the defaults are expressions")
    }

    #[test]
    fn queries_keep_their_names() {
        let check = |query: &str, want: &str| assert_eq!(redactor(&["page"]).query(query), want);
        check("page=2&token=secret", "page=2&token=xxxx");
        check("flag&a=1=2", "flag&a=xxxx");
        check("PAGE=2", "PAGE=xxxx");
        check("", "");
    }

    #[test]
    fn keys_and_tokens_are_hidden_wherever_they_stand() {
        let check = |text: &str, want: &str| assert_eq!(redactor(&[]).text(text), want);
        check("/users/7", "/users/7");
        check(
            "/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl/x",
            "/t/xxxx/x",
        );
        check("/k/sk-live-0123456789abcdefghij", "/k/xxxx");
    }

    #[test]
    fn what_holds_no_key_is_left() {
        let check = |value: Value, want: bool| assert_eq!(redactor(&[]).leaves(&value), want, "{value}");
        check(serde_json::json!({"a": [1, null, "x"]}), true);
        check(serde_json::json!({"a": ["sk-live-0123456789abcdefghij"]}), false);
        check("x".repeat(MAX_TEXT + 1).into(), false);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "é".repeat(MAX_TEXT);
        let text = redactor(&[]).text(&long).into_owned();
        assert_eq!(text.len(), MAX_TEXT);
        assert!(text.chars().all(|c| c == 'é'));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let config = Audit {
            redact: vec!["(".into()],
            ..Audit::default()
        };
        let error = Redactor::new(&config).err().expect("it is none");
        assert!(error.contains("`(`"), "{error}");
    }
}
