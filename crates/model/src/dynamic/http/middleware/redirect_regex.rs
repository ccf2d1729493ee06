//! `redirectRegex`

use trilithon_model_derive::Config;

/// Redirects requests whose URL fits a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct RedirectRegex {
    /// Pattern over the whole URL. Required.
    pub regex: String,
    /// The new URL; `$1` or `${1}` stand for captured groups. Required.
    pub replacement: String,
    /// Answer 301 or 308 instead of 302 or 307.
    pub permanent: bool,
}
