//! `stripPrefixRegex`

use trilithon_model_derive::Config;

/// Takes a prefix off the path that fits a pattern; it goes into `X-Forwarded-Prefix`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct StripPrefixRegex {
    /// Patterns, of which the first that fits is taken off.
    pub regex: Vec<String>,
}
