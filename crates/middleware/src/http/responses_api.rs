//! `responses-api`: governs calls in OpenAI's Responses format. What all formats have in common is
//! `model_call/govern.rs`.

use super::model_call::govern::{self, Settings};
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{Build, BuildError, Step};
use trilithon_model::dynamic::http::ResponsesApi as Config;

/// Builds the middleware.
///
/// # Errors
/// See [`govern::build`].
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    govern::build(Dialect::Responses, &Settings::of(&config.api), cx)
}
