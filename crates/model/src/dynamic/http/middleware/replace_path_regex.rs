//! `replacePathRegex`

use trilithon_model_derive::Config;

/// Replaces the path by a pattern; the former one goes into `X-Replaced-Path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ReplacePathRegex {
    /// Pattern over the path. Required.
    pub regex: String,
    /// The new path; `$1` or `${1}` stand for captured groups.
    pub replacement: String,
}
