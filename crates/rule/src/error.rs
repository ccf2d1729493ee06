//! What is wrong with a rule, and where in its text.

use std::fmt;
use std::ops::Range;

use crate::lexer::quote;
use crate::name::Protocol;

/// Longest rule text in bytes.
pub const MAX_LENGTH: usize = 1 << 20;

/// Deepest nesting of parentheses.
pub const MAX_DEPTH: usize = 128;

/// A rule that does not stand. `Display` is the message alone: lower case, one line, no position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    span: Range<usize>,
    kind: Kind,
    help: Option<String>,
}

/// When a rule failed: its text could not be read, or an argument does not suit its matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Parse,
    Compile,
}

/// The kinds of mistakes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    #[error("the rule is empty")]
    Empty,
    #[error("the rule is longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("the rule is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("unexpected {found}, expected {expected}")]
    Unexpected { found: String, expected: &'static str },
    #[error("the string is not closed")]
    Unclosed,
    #[error("invalid escape sequence `{0}`")]
    Escape(String),
    #[error("unknown matcher `{0}`")]
    Unknown(String),
    #[error("`{matcher}` takes {}, got {got}", amount(expected))]
    Count {
        matcher: &'static str,
        got: usize,
        expected: &'static [usize],
    },
    #[error("`{0}` takes pairs of arguments")]
    Odd(&'static str),
    #[error("`{0}` has an empty argument")]
    EmptyArgument(&'static str),
    #[error("invalid value `{value}` of `{matcher}`: {reason}")]
    Value {
        matcher: &'static str,
        value: String,
        reason: String,
    },
}

impl Error {
    pub(crate) fn new(span: Range<usize>, kind: Kind) -> Self {
        Self {
            span,
            kind,
            help: None,
        }
    }

    pub(crate) fn help_with(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Byte offsets (start..end) into the rule's text.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// How to mend it, if that is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    pub fn stage(&self) -> Stage {
        match self.kind {
            Kind::Count { .. } | Kind::Odd(_) | Kind::EmptyArgument(_) | Kind::Value { .. } => Stage::Compile,
            _ => Stage::Parse,
        }
    }

    /// The words of Traefik's API for this mistake in the rule `text`.
    pub fn api_text(&self, protocol: Protocol, text: &str) -> String {
        let what = match &self.kind {
            Kind::Unknown(name) => format!("unsupported function: {name}"),
            Kind::Count { matcher, got: 0, .. } => format!("no args for matcher {matcher}"),
            Kind::Count {
                got, expected: [one], ..
            } if protocol == Protocol::Tcp => {
                format!("unexpected number of parameters; got {got}, expected {one}")
            }
            Kind::Count { got, expected, .. } => {
                let expected: Vec<_> = expected.iter().map(usize::to_string).collect();
                format!(
                    "unexpected number of parameters; got {got}, expected one of [{}]",
                    expected.join(" ")
                )
            }
            kind => kind.to_string(),
        };
        match (self.stage(), protocol) {
            (Stage::Compile, _) => format!("error while adding rule {text}: {what}"),
            (Stage::Parse, Protocol::Http) => format!("error while parsing rule {text}: {what}"),
            (Stage::Parse, Protocol::Tcp) => format!("invalid rule: {} , {what}", quote(text.as_bytes())),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for Error {}

fn amount(expected: &[usize]) -> String {
    let list: Vec<_> = expected.iter().map(usize::to_string).collect();
    let noun = if expected == [1] { "argument" } else { "arguments" };
    format!("{} {noun}", list.join(" or "))
}
