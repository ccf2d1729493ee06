//! `stripPrefix`

use trilithon_model_derive::Config;

/// Takes a prefix off the path; it goes into `X-Forwarded-Prefix`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct StripPrefix {
    /// Prefixes, of which the first that fits is taken off.
    pub prefixes: Vec<String>,
    /// Make sure what remains starts with a slash, in the former way.
    #[config(deprecated = "remove it: the slash is always there")]
    pub force_slash: Option<bool>,
}
