//! `redirectScheme`

use trilithon_model_derive::Config;

/// Redirects requests to another scheme or port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct RedirectScheme {
    /// The new scheme. Required.
    pub scheme: String,
    /// The new port; that of the scheme when empty.
    pub port: String,
    /// Answer 301 or 308 instead of 302 or 307.
    pub permanent: bool,
}
