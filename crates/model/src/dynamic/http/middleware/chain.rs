//! `chain`

use trilithon_model_derive::Config;

/// Runs several middlewares as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Chain {
    /// Their names, the first outermost.
    pub middlewares: Vec<String>,
}
