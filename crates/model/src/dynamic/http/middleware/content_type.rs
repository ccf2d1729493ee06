//! `contentType`

use trilithon_model_derive::Config;

/// Guesses the `Content-Type` of answers that have none. Being present is enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ContentType {
    /// Formerly switched guessing on and off.
    #[config(deprecated = "remove it: the middleware guesses by being present")]
    pub auto_detect: Option<bool>,
}
