//! `ai-quota`

use trilithon_model_derive::Config;

use super::token_limit::{LimitStore, TokenLimits};

/// A budget of tokens or money for each caller: so much in any stretch of `period`, nearly, or in each stretch of the calendar.
/// What a call will take is set aside before it and settled after it, however it ends. Routers that use the same middleware
/// share its counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct AiQuota {
    /// Whether counts outlive the process: in the [store](../../../install/store.md). Not in Hub.
    pub durable: bool,
    /// Where counts are kept.
    pub store: Option<LimitStore>,
    /// The limits.
    #[config(flatten)]
    pub limits: TokenLimits,
}
