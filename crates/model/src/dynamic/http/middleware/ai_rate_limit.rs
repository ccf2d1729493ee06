//! `ai-rate-limit`

use trilithon_model_derive::Config;

use super::token_limit::{LimitStore, TokenLimits};

/// Limits how fast tokens are taken: a token bucket for each caller, which a burst may empty and time fills. What a call will
/// take is set aside before it and settled after it, however it ends. Routers that use the same middleware share its counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct AiRateLimit {
    /// Where counts are kept.
    pub store: Option<LimitStore>,
    /// The limits.
    #[config(flatten)]
    pub limits: TokenLimits,
}
