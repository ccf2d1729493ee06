//! The middleware that knows a route for one of model calls: `chat-completion`, `responses-api` and `messages-api` are this
//! with a dialect each.

use super::credentials::Credentials;
use super::enforce::{Enforce, Enforced, Model, Param};
use super::{Opened, Reckoner, answer, body_limit, meter, open, strip};
use std::sync::Arc;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::model_call::{Leg, LegOutcome, Tariff, name};
use trilithon_flow::record::Name;
use trilithon_flow::trace::What;
use trilithon_flow::{
    Build, BuildError, Exchange, Fault, FaultKind, Known, Next, Reply, Request, Response, Step, Wrap, status,
};
use trilithon_model::Secret;
use trilithon_model::dynamic::http::{ModelObservability, ModelParams};

/// What the configurations of all formats have.
pub struct Settings<'a> {
    pub token: &'a Secret,
    pub model: &'a str,
    pub allow_model_override: Option<bool>,
    pub allow_params_override: Option<bool>,
    pub params: Option<&'a ModelParams>,
    pub observability: Option<&'a ModelObservability>,
    pub provider: &'a str,
    pub max_request_body_size: Option<i64>,
    pub anthropic_version: &'a str,
    pub system: &'a str,
    pub prompt_caching: bool,
}

/// Builds the middleware for one dialect.
///
/// # Errors
/// A token from a secret store or with characters that no header holds; a parameter that the format does not have; a
/// model that may not be overridden and is not named; a size that is none.
pub fn build(dialect: Dialect, settings: &Settings<'_>, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let given = |text: &str| (!text.is_empty()).then(|| Box::<str>::from(text));
    if settings.model.is_empty() && settings.allow_model_override == Some(false) {
        return Err(
            BuildError::new("`allowModelOverride` is false, and `model` names none")
                .help("name the model that is to be asked"),
        );
    }
    let params = Param::all(dialect, settings.params)?;
    let metrics = settings.observability.and_then(|o| o.metrics.as_ref());
    Ok(Step::wrap(ModelApi {
        dialect,
        credentials: Credentials::build(dialect, settings.token, settings.anthropic_version)?,
        limit: body_limit(settings.max_request_body_size, cx.keep)?,
        provider: settings.provider.into(),
        tariff: Reckoner::of(cx.keep),
        detailed: metrics.is_some_and(|m| m.level == "detailed"),
        enforce: Enforce {
            model: given(settings.model).map(|name| Model {
                name,
                force: settings.allow_model_override != Some(true),
            }),
            force_params: settings.allow_params_override != Some(true),
            params,
            system: given(settings.system),
            prompt_caching: settings.prompt_caching,
        },
    }))
}

struct ModelApi {
    dialect: Dialect,
    credentials: Credentials,
    enforce: Enforce,
    /// Bytes of the largest request.
    limit: u64,
    provider: Name,
    tariff: Arc<dyn Tariff>,
    detailed: bool,
}

impl Wrap for ModelApi {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let opened = match open(self.dialect, &mut req, cx, self.limit).await {
                Ok(opened) => opened,
                Err(refusal) => return refusal,
            };
            self.credentials.apply(&mut req.headers);
            let Some(opened) = opened else {
                return next.run(req, cx).await;
            };
            let Ok(enforced) = self.enforce.apply(&opened.body, &opened.request) else {
                return answer::error(
                    self.dialect,
                    500,
                    "the request could not be changed as configured",
                );
            };
            cx.tariff = Some(self.tariff.clone());
            let asked_usage = enforced.asked_usage;
            let (model, legs) = self.begin(&opened, &enforced);
            // The answer is read on its way: it has to come as it is.
            req.headers.remove_known(Known::AcceptEncoding);
            Opened::put(&mut req, enforced.body);
            let started = cx.record.started;
            let span = cx.record.enter(|| What::ModelCall);
            let res = next.run(req, cx).await;
            cx.record.leave(&span);
            self.told(&opened, legs, model, &res);
            let res = meter(self.dialect, &opened.call, started, self.in_dialect(res));
            if asked_usage && meter::is_stream(&res) && meter::is_readable(&res) {
                return strip::usage_events(self.dialect, res);
            }
            res
        })
    }
}

impl ModelApi {
    /// Tells the call what is sent; the model that is asked, and how many attempts were made before.
    fn begin(&self, opened: &Opened, enforced: &Enforced) -> (Name, usize) {
        let mut call = opened.call.borrow_mut();
        call.format = self.dialect.format();
        call.provider = self.provider.clone();
        call.sent = enforced.model.as_deref().map(name);
        call.detailed = self.detailed;
        // A second attempt has an answer of its own.
        call.metered = false;
        (call.sent.clone().unwrap_or_default(), call.legs.len())
    }

    /// Tells the call what came of the attempt, unless attempts further down told of theirs.
    fn told(&self, opened: &Opened, before: usize, model: Name, res: &Response) {
        let mut call = opened.call.borrow_mut();
        if call.legs.len() == before {
            call.legs.push(Leg {
                provider: self.provider.clone(),
                model,
                outcome: match &res.fault {
                    Some(fault) => LegOutcome::Error(error_class(fault)),
                    None => LegOutcome::Status(res.status),
                },
            });
        }
    }

    /// The gateway's own word on a failure, as the client expects errors.
    fn in_dialect(&self, mut res: Response) -> Response {
        let Some(fault) = res.fault.take() else { return res };
        let message = format!("the model could not be asked: {}", status::text(res.status));
        let mut told = answer::error(self.dialect, res.status, &message);
        told.fault = Some(fault);
        told
    }
}

/// A failure's class, as `error.type` names it.
fn error_class(fault: &Fault) -> &'static str {
    match fault.kind {
        FaultKind::Connect => "connect",
        FaultKind::ConnectTimeout => "connect_timeout",
        FaultKind::Tls => "tls",
        FaultKind::Closed => "closed",
        FaultKind::ResponseTimeout => "timeout",
        FaultKind::Malformed => "malformed",
        FaultKind::Broken => "broken",
        FaultKind::ClientGone | FaultKind::ClientTimeout | FaultKind::ClientMalformed => "client",
        FaultKind::TooLarge => "too_large",
        FaultKind::Unsupported | FaultKind::Internal => "internal",
    }
}

#[cfg(test)]
mod tests;
