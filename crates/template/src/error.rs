//! Why a template does not parse or render, and where.

/// One fault of a template. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}:{column}: {message}")]
pub struct TemplateError {
    /// The name the template was parsed under.
    pub name: String,
    pub line: u32,
    pub column: u32,
    /// What is wrong: lower case, no final stop.
    pub message: String,
    /// What to do, where that is known.
    pub help: Option<String>,
}

/// A fault inside a function or a limit that was met; the engine adds where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    /// A limit of the rendering: no function may swallow it.
    pub is_limit: bool,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_limit: false,
        }
    }

    pub fn limit(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            is_limit: true,
        }
    }
}

/// What parts of the engine return.
pub(crate) type Result<T> = std::result::Result<T, Fault>;
