//! `chat-completion`: governs calls in OpenAI's Chat Completions format. What all formats have in common is
//! `model_call/govern.rs`.

use super::model_call::govern::{self, Settings};
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{Build, BuildError, Step};
use trilithon_model::dynamic::http::ChatCompletion as Config;

/// Builds the middleware.
///
/// # Errors
/// See [`govern::build`].
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let settings = Settings {
        upstream_format: config.upstream_format,
        ..Settings::of(&config.api)
    };
    govern::build(Dialect::Chat, &settings, cx)
}
