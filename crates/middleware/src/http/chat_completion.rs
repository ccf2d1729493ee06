//! `chat-completion`: governs calls in OpenAI's Chat Completions format. What all formats have in common is
//! `model_call/govern.rs`.

use super::model_call::govern::{self, Settings};
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{Build, BuildError, Step};
use trilithon_model::dynamic::http::ChatCompletion as Config;

/// Builds the middleware.
///
/// # Errors
/// A token from a secret store or with characters that no header holds; a parameter that the format does not have.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let settings = Settings {
        token: &config.token,
        model: &config.model,
        allow_model_override: config.allow_model_override,
        allow_params_override: config.allow_params_override,
        params: config.params.as_ref(),
        observability: config.observability.as_ref(),
        provider: &config.provider,
        max_request_body_size: config.max_request_body_size,
        anthropic_version: "",
        system: "",
        prompt_caching: false,
    };
    govern::build(Dialect::Chat, &settings, cx)
}
