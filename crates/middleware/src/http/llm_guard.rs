//! `llm-guard`: asks a model or a service what it thinks of a call. See [`super::guard`].

use super::guard::{self, Form};
use trilithon_flow::{Build, BuildError, Format, Step};
use trilithon_model::dynamic::http::LlmGuard as Config;

/// Builds the middleware.
///
/// # Errors
/// No endpoint, templates or conditions that do not parse.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let guard = guard::llm(config, None, None, cx)?;
    Ok(guard::step(vec![guard], cx))
}

/// Builds it under a former name, which says the client's format and the question's.
///
/// # Errors
/// As [`build`].
pub fn build_former(
    config: &Config,
    format: Option<Format>,
    form: Form,
    cx: &mut Build<'_>,
) -> Result<Step, BuildError> {
    let guard = guard::llm(config, format, Some(form), cx)?;
    Ok(guard::step(vec![guard], cx))
}
