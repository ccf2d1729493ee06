//! `messages-api`: governs calls in Anthropic's Messages format. What all formats have in common is
//! `model_call/govern.rs`.

use super::model_call::govern::{self, Settings};
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{Build, BuildError, Step};
use trilithon_model::dynamic::http::MessagesApi as Config;

/// Builds the middleware.
///
/// # Errors
/// See [`govern::build`].
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let settings = Settings {
        upstream_format: config.upstream_format,
        anthropic_version: &config.anthropic_version,
        system: &config.system,
        prompt_caching: config.prompt_caching,
        ..Settings::of(&config.api)
    };
    govern::build(Dialect::Messages, &settings, cx)
}
