//! `parallel-llm-guard`: several guards that are asked at once. See [`super::guard`].

use super::guard;
use trilithon_flow::{Build, BuildError, Step};
use trilithon_model::dynamic::http::ParallelLlmGuard as Config;

/// Guards of one middleware.
const MAX_GUARDS: usize = 16;

/// Builds the middleware.
///
/// # Errors
/// No guards, or too many; guards that cannot be built, or that read bodies differently.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    if config.guards.is_empty() || config.guards.len() > MAX_GUARDS {
        return Err(BuildError::new(format!(
            "`guards` must have 1 to {MAX_GUARDS} guards"
        )));
    }
    let mut guards = Vec::new();
    for (place, entry) in config.guards.iter().enumerate() {
        let one = entry
            .guard
            .as_deref()
            .ok_or_else(|| BuildError::new(format!("`guards[{place}].guard` is required")))?;
        if one.client_request_format
            != config.guards[0]
                .guard
                .as_ref()
                .map_or_else(Default::default, |g| g.client_request_format)
        {
            return Err(BuildError::new(
                "all `guards` must have the same `clientRequestFormat`: they judge one body",
            ));
        }
        if one.mcp.is_some() != config.guards[0].guard.as_ref().is_some_and(|g| g.mcp.is_some()) {
            return Err(BuildError::new(
                "either all `guards` have `mcp` or none: they judge one body",
            ));
        }
        let name = format!("{}#{}", cx.name, place + 1);
        let mut inner = Build {
            name: &name,
            owner: cx.owner,
            keep: cx.keep,
            services: cx.services,
            warnings: cx.warnings,
        };
        guards.push(guard::llm(one, None, None, &mut inner)?);
    }
    Ok(guard::step(guards, cx))
}
