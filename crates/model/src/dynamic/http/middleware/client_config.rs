//! `clientConfig`, which several middlewares have.

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use super::ClientTls;
use crate::secret::Secret;

/// How another server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ClientConfig {
    /// TLS towards it.
    pub tls: Option<ClientTls>,
    /// How long one attempt may take, in seconds.
    #[config(default = 5)]
    pub timeout_seconds: i64,
    /// Further attempts after a failed one.
    #[config(default = 3)]
    pub max_retries: i64,
    /// Headers that are sent with each request.
    pub headers: BTreeMap<String, Secret>,
}
