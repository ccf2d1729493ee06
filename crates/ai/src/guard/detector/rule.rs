//! What a detector looks for.

/// What one rule looks for.
pub struct Rule {
    /// In the syntax of crate `regex`.
    pub pattern: String,
    /// Says how much of a match, from its beginning, is really meant: a checksum fits, a number is in range.
    pub accept: Option<fn(&str) -> Option<usize>>,
}

impl Rule {
    /// A rule of a Go (RE2) pattern.
    ///
    /// # Errors
    /// What Go's `regexp.Compile` refuses.
    pub fn go(pattern: &str) -> Result<Rule, BadPattern> {
        let bad = |reason: String, at: usize| BadPattern { rule: 0, at, reason };
        match trilithon_rule::translate(pattern) {
            Ok(pattern) => Ok(Rule {
                pattern,
                accept: None,
            }),
            Err(error) => Err(bad(error.reason, error.at)),
        }
    }
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// The rule, by its place.
    pub rule: usize,
    /// The byte where it is wrong, if known.
    pub at: usize,
    pub reason: String,
}
