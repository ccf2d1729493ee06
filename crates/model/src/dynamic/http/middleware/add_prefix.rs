//! `addPrefix`

use trilithon_model_derive::Config;

/// Puts a path before the path of the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct AddPrefix {
    /// The path to put before, with a leading slash. Required.
    pub prefix: String,
}
