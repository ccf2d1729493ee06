//! `ai-quota`: budgets of tokens or money for calls of language models.

use super::token_limit::{self, Shape};
use trilithon_flow::{Build, BuildError, Step};
use trilithon_model::dynamic::http::AiQuota as Config;

/// Builds the step. Counts stay while the same middleware has the same limits, whichever routers use it.
///
/// # Errors
/// Redis; no limit; a number out of its bounds; an option that a budget has no use for.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let shape = Shape::Window {
        durable: config.durable,
    };
    token_limit::build(&config.limits, config.store.as_ref(), shape, cx)
}
