//! Middlewares into steps: one exhaustive match over the closed list of kinds.

use super::services::{Scoped, ServiceTable};
use super::traced::{span_name, traced};
use crate::merge::qualify;
use trilithon_flow::{Build, BuildError, Format, Step};
use trilithon_middleware::http as mw;
use trilithon_middleware::http::guard::Form;
use trilithon_middleware::http::mcp::Resource;
use trilithon_model::dynamic::http::MiddlewareKind;

/// Most middlewares that one chain may unfold to.
const MAX_STEPS: usize = 256;

impl ServiceTable<'_> {
    /// The steps of `names`, as `owner` (a router or a service, qualified) lists them.
    ///
    /// # Errors
    /// The first middleware that does not exist or cannot be built; it is disabled in the report too.
    pub fn steps(&self, names: &[String], owner: &str) -> Result<Vec<Step>, BuildError> {
        let mut steps = Vec::new();
        let mut trail = Vec::new();
        for name in names {
            let added = self.add(&qualify(name, owner), owner, &mut trail, &mut steps);
            added.map_err(|error| error.at(name, 0))?;
        }
        Ok(steps)
    }

    /// The step that tells those who are refused by one of `names` where they get a token, where one of them knows.
    pub fn challenge(&self, names: &[String], owner: &str) -> Option<Step> {
        self.find(names, owner, MAX_STEPS, &|kind| match kind {
            MiddlewareKind::Mcp(c) => mw::mcp::challenge(c),
            _ => None,
        })
    }

    /// The resource that one of `names` protects, where one does.
    pub fn protected(&self, names: &[String], owner: &str) -> Option<Resource> {
        self.find(names, owner, MAX_STEPS, &|kind| match kind {
            MiddlewareKind::Mcp(c) => mw::mcp::well_known(c),
            _ => None,
        })
    }

    /// What `pick` makes of the first of `names` that it takes. Chains go down so many times at most: one that holds itself is
    /// reported where it is built.
    fn find<T>(
        &self,
        names: &[String],
        owner: &str,
        depth: usize,
        pick: &dyn Fn(&MiddlewareKind<'_>) -> Option<T>,
    ) -> Option<T> {
        names.iter().find_map(|name| {
            let name = qualify(name, owner);
            let config = self
                .report()
                .middlewares
                .get(&name)
                .map(|e| e.config.value.clone())?;
            match config.kind().ok()? {
                MiddlewareKind::Chain(chain) if depth > 0 => {
                    self.find(&chain.middlewares, &name, depth - 1, pick)
                }
                kind => pick(&kind),
            }
        })
    }

    fn add(
        &self,
        name: &str,
        owner: &str,
        trail: &mut Vec<String>,
        steps: &mut Vec<Step>,
    ) -> Result<(), BuildError> {
        let Some(config) = self
            .report()
            .middlewares
            .get(name)
            .map(|e| e.config.value.clone())
        else {
            return Err(
                BuildError::new(format!("middleware \"{name}\" does not exist")).help(format!(
                    "define `http.middlewares.{}` or remove the name",
                    name.split('@').next().unwrap_or(name)
                )),
            );
        };
        if trail.iter().any(|t| t == name) {
            trail.push(name.to_owned());
            return Err(BuildError::new(format!(
                "could not instantiate middleware {name}: recursion detected in {}",
                trail.join("->")
            )));
        }
        let result = match config.kind() {
            Ok(MiddlewareKind::Chain(chain)) => {
                trail.push(name.to_owned());
                let inner = chain.middlewares.iter().try_for_each(|m| {
                    self.add(&qualify(m, name), owner, trail, steps)
                        .map_err(|e| e.at(m, 0))
                });
                trail.pop();
                inner
            }
            Ok(_) if steps.len() >= MAX_STEPS => Err(BuildError::new(format!(
                "more than {MAX_STEPS} middlewares in one chain"
            ))),
            Ok(kind) => self.build_step(kind, name, owner).map(|step| steps.extend(step)),
            Err(error) => Err(BuildError::new(error.of(name))),
        };
        if let Err(error) = &result
            && let Some(entry) = self.report().middlewares.get_mut(name)
        {
            entry.disable(error.clone());
        }
        result
    }

    fn build_step(
        &self,
        kind: MiddlewareKind<'_>,
        name: &str,
        owner: &str,
    ) -> Result<Option<Step>, BuildError> {
        let mut warnings = Vec::new();
        let cx = &mut Build {
            name,
            owner,
            keep: self.keep,
            services: &Scoped {
                table: self,
                owner: name,
            },
            warnings: &mut warnings,
        };
        let told = self.traced.then(|| span_name(&kind)).flatten();
        let built = match kind {
            MiddlewareKind::AddPrefix(c) => mw::add_prefix::build(c, cx),
            MiddlewareKind::StripPrefix(c) => mw::strip_prefix::build(c, cx),
            MiddlewareKind::StripPrefixRegex(c) => mw::strip_prefix_regex::build(c, cx),
            MiddlewareKind::ReplacePath(c) => mw::replace_path::build(c, cx),
            MiddlewareKind::ReplacePathRegex(c) => mw::replace_path_regex::build(c, cx),
            MiddlewareKind::IpWhiteList(c) => mw::ip_allow_list::build_white_list(c, cx),
            MiddlewareKind::IpAllowList(c) => mw::ip_allow_list::build(c, cx),
            MiddlewareKind::Headers(c) => mw::headers::build(c, cx),
            MiddlewareKind::EncodedCharacters(c) => mw::encoded_characters::build(c, cx),
            MiddlewareKind::Errors(c) => mw::errors::build(c, cx),
            MiddlewareKind::RateLimit(c) => mw::rate_limit::build(c, cx),
            MiddlewareKind::RedirectRegex(c) => mw::redirect_regex::build(c, cx),
            MiddlewareKind::RedirectScheme(c) => mw::redirect_scheme::build(c, cx),
            MiddlewareKind::BasicAuth(c) => mw::basic_auth::build(c, cx),
            MiddlewareKind::DigestAuth(c) => mw::digest_auth::build(c, cx),
            MiddlewareKind::ForwardAuth(c) => mw::forward_auth::build(c, cx),
            MiddlewareKind::InFlightReq(c) => mw::in_flight_req::build(c, cx),
            MiddlewareKind::AiQuota(c) => mw::ai_quota::build(c, cx),
            MiddlewareKind::AiRateLimit(c) => mw::ai_rate_limit::build(c, cx),
            MiddlewareKind::Limit(c) => mw::limit::build(c, cx),
            MiddlewareKind::Buffering(c) => mw::buffering::build(c, cx),
            MiddlewareKind::CircuitBreaker(c) => mw::circuit_breaker::build(c, cx),
            MiddlewareKind::Compress(c) => mw::compress::build(c, cx),
            MiddlewareKind::PassTlsClientCert(c) => mw::pass_tls_client_cert::build(c, cx),
            MiddlewareKind::Retry(c) => mw::retry::build(c, cx),
            MiddlewareKind::ContentType(c) => mw::content_type::build(c, cx),
            MiddlewareKind::GrpcWeb(c) => mw::grpc_web::build(c, cx),
            MiddlewareKind::ApiKey(c) => mw::api_key::build(c, cx),
            MiddlewareKind::Jwt(c) => mw::jwt::build(c, cx),
            MiddlewareKind::Mcp(c) => mw::mcp::build(c, cx),
            MiddlewareKind::Policy(c) => mw::policy::build(c, cx),
            MiddlewareKind::ChatCompletion(c) => mw::chat_completion::build(c, cx),
            MiddlewareKind::ResponsesApi(c) => mw::responses_api::build(c, cx),
            MiddlewareKind::MessagesApi(c) => mw::messages_api::build(c, cx),
            MiddlewareKind::ContentGuard(c) => mw::content_guard::build(c, cx),
            MiddlewareKind::ChatCompletionContentGuard(c) => mw::content_guard::build_chat_completion(c, cx),
            MiddlewareKind::LlmGuard(c) => mw::llm_guard::build(c, cx),
            MiddlewareKind::LlmGuardCustom(c) => mw::llm_guard::build_former(c, None, Form::Custom, cx),
            MiddlewareKind::ChatCompletionLlmGuard(c) => {
                mw::llm_guard::build_former(c, Some(Format::Ccr), Form::Chat, cx)
            }
            MiddlewareKind::ChatCompletionLlmGuardCustom(c) => {
                mw::llm_guard::build_former(c, Some(Format::Ccr), Form::Custom, cx)
            }
            MiddlewareKind::ParallelLlmGuard(c) => mw::parallel_llm_guard::build(c, cx),
            MiddlewareKind::Undo(c) => mw::undo::build(c, cx),
            MiddlewareKind::Plugin(c) => {
                let kind = c.others.keys().next().map_or("", String::as_str);
                Err(
                    BuildError::new(format!("plugin: unknown plugin type: {kind}")).help(
                        "plugins are not run: remove the middleware, or replace it by one of the gateway's own",
                    ),
                )
            }
            // Chains are unfolded by the caller.
            MiddlewareKind::Chain(_) => return Ok(None),
        };
        if let Some(entry) = self.report().middlewares.get_mut(name) {
            warnings.into_iter().for_each(|w| entry.hint(w));
        }
        built.map(|step| {
            Some(match told {
                Some(kind) => traced(step, kind, name),
                None => step,
            })
        })
    }
}
