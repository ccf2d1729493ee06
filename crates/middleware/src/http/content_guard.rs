//! `content-guard`: blocks or masks what patterns, recognisers or Presidio find in calls of models. See [`super::guard`].

use super::guard;
use trilithon_flow::{Build, BuildError, Format, Step};
use trilithon_model::dynamic::http::ContentGuard as Config;

/// Builds the middleware.
///
/// # Errors
/// No engine, no rules, patterns that do not compile.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let guard = guard::content(config, None, cx)?;
    Ok(guard::step(vec![guard], cx))
}

/// Builds it under its former name, `chat-completion-content-guard`.
///
/// # Errors
/// As [`build`].
pub fn build_chat_completion(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let guard = guard::content(config, Some(Format::Ccr), cx)?;
    Ok(guard::step(vec![guard], cx))
}
