//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

use crate::node::Span;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration works, but probably not as meant.
    Warning,
    /// Something named in the configuration does not work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The object of a routing configuration that a problem belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Where such objects live: `http.routers`, `tcp.services`, `tls.options` …
    pub kind: String,
    /// Its name, without `@provider`.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

/// One thing wrong with a configuration.
#[derive(Clone, Debug)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// A stable code, `TRI0101`; see [`code`].
    pub code: &'static str,
    /// What is wrong: lower case, no final stop, the noun and the value in backticks.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do.
    pub help: Option<String>,
    /// Other places that matter, each with a phrase.
    pub related: Vec<(Span, String)>,
    /// The object it belongs to, when it belongs to one.
    pub object: Option<ObjectRef>,
    /// True when Traefik refuses the whole source for it (a routing file keeps its last good state).
    pub voids_file: bool,
}

/// The codes, by what they mean. A code never changes its meaning.
pub mod code {
    /// The text is not YAML, TOML or JSON.
    pub const SYNTAX: &str = "TRI0001";
    /// Nested or expanded beyond the limits.
    pub const TOO_DEEP: &str = "TRI0002";
    /// A key written twice.
    pub const DUPLICATE_KEY: &str = "TRI0003";
    /// A file extension that is no dialect.
    pub const UNKNOWN_FORMAT: &str = "TRI0004";
    /// A file that could not be found.
    pub const NOT_FOUND: &str = "TRI0005";
    /// A source that has no configuration in it.
    pub const EMPTY: &str = "TRI0006";
    /// A source that is not read because another wins.
    pub const SHADOWED: &str = "TRI0007";
    /// A template that does not parse or render.
    pub const TEMPLATE: &str = "TRI0008";
    /// An option that does not exist.
    pub const UNKNOWN_OPTION: &str = "TRI0101";
    /// A root section that does not exist.
    pub const UNKNOWN_ROOT: &str = "TRI0102";
    /// A value of another type than the option's.
    pub const WRONG_TYPE: &str = "TRI0103";
    /// Not a whole number.
    pub const BAD_INT: &str = "TRI0104";
    /// Not a truth value.
    pub const BAD_BOOL: &str = "TRI0105";
    /// Not a duration.
    pub const BAD_DURATION: &str = "TRI0106";
    /// Not a number.
    pub const BAD_FLOAT: &str = "TRI0107";
    /// A word outside the accepted ones.
    pub const NOT_ONE_OF: &str = "TRI0108";
    /// An object that may not stand empty.
    pub const STANDALONE: &str = "TRI0109";
    /// An option that will go.
    pub const DEPRECATED: &str = "TRI0110";
    /// An option that went.
    pub const REMOVED: &str = "TRI0111";
    /// An option that labels cannot set.
    pub const NOT_BY_LABEL: &str = "TRI0112";
    /// A flag that is none.
    pub const BAD_FLAG: &str = "TRI0113";
    /// Two kinds in one object.
    pub const TWO_KINDS: &str = "TRI0201";
    /// No kind in an object.
    pub const NO_KIND: &str = "TRI0202";
    /// An option that must be given.
    pub const REQUIRED: &str = "TRI0203";
    /// A value that breaks a rule of its option.
    pub const INVALID: &str = "TRI0204";
    /// Options that exclude each other.
    pub const EXCLUSIVE: &str = "TRI0205";
    /// A name that nothing has.
    pub const UNKNOWN_NAME: &str = "TRI0206";
    /// A feature of Traefik that is not built yet.
    pub const NOT_BUILT: &str = "TRI0301";
}

impl Problem {
    /// An error.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span, message.into())
    }

    /// A warning.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span, message.into())
    }

    fn new(severity: Severity, code: &'static str, span: Span, message: String) -> Self {
        let (help, related, object, voids_file) = (None, Vec::new(), None, false);
        Self {
            severity,
            code,
            message,
            span,
            help,
            related,
            object,
            voids_file,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }

    /// Says which object it belongs to.
    #[must_use]
    pub fn of(mut self, kind: &str, name: &str) -> Self {
        self.object = Some(ObjectRef {
            kind: kind.to_owned(),
            name: name.to_owned(),
        });
        self
    }

    /// Says that Traefik refuses the whole source for it.
    #[must_use]
    pub fn voiding(mut self) -> Self {
        self.voids_file = true;
        self
    }

    /// True for errors.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    /// `place: severity[code]: message` and, on lines of their own, related places and help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.span.is_none() {
            write!(f, "{}: ", self.span)?;
        }
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        for (span, text) in &self.related {
            write!(f, "\n  {span}: {text}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// Every problem found, in the order found.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// True when one is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Problem::is_error)
    }

    /// True when Traefik refuses the whole source.
    pub fn void_file(&self) -> bool {
        self.0.iter().any(|p| p.voids_file)
    }

    /// Those of one object.
    pub fn of<'a>(&'a self, kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a Problem> {
        self.0.iter().filter(move |p| {
            p.object
                .as_ref()
                .is_some_and(|o| o.kind == kind && o.name == name)
        })
    }

    /// Sorts by file, line and column; those without a place come last.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| key(a).cmp(&key(b)));
    }
}

fn key(problem: &Problem) -> (bool, &str, u32, u32) {
    let span = &problem.span;
    (
        span.is_none(),
        span.source.as_deref().map_or("", |s| s.name.as_str()),
        span.line,
        span.column,
    )
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
