//! `retry`

use trilithon_model_derive::Config;

use crate::duration::Duration;

/// Asks again when a server cannot be reached or answers with certain statuses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Retry {
    /// How often to ask in all, the first time included; at least 1.
    pub attempts: i64,
    /// Time limit over all attempts; 0 means none.
    pub timeout: Duration,
    /// Wait before the second attempt, growing for later ones; 0 means no wait.
    pub initial_interval: Duration,
    /// Largest request body, in bytes, that is kept for asking again; larger ones get 413. -1 means no limit.
    #[config(default = Some(2_097_152))]
    pub max_request_body_bytes: Option<i64>,
    /// Statuses and ranges that count as failures, such as `502-504`.
    pub status: Vec<String>,
    /// Do not ask again when a server cannot be reached.
    pub disable_retry_on_network_error: bool,
    /// Ask again also for methods that may act twice, such as `POST`.
    pub retry_non_idempotent_method: bool,
}
