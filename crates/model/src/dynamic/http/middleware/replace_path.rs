//! `replacePath`

use trilithon_model_derive::Config;

/// Replaces the whole path; the former one goes into `X-Replaced-Path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ReplacePath {
    /// The new path.
    pub path: String,
}
