//! The middleware that knows a route for one of model calls: `chat-completion`, `responses-api` and `messages-api` are this
//! with a dialect each.

use super::credentials::Credentials;
use super::enforce::{Enforce, Enforced, Model, Param};
use super::translation::Translation;
use super::{Opened, Reckoner, answer, body_limit, content, meter, open, stored, strip};
use std::sync::Arc;
use std::time::Duration;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::model_call::{Leg, LegOutcome, Tariff, name};
use trilithon_flow::record::Name;
use trilithon_flow::trace::What;
use trilithon_flow::{
    Build, BuildError, Exchange, Fault, FaultKind, Known, Next, Reply, Request, Response, Step, Wrap, status,
};
use trilithon_model::dynamic::http::{ModelApi as ModelApiConfig, UpstreamFormat};

/// What is configured of a format.
pub struct Settings<'a> {
    pub api: &'a ModelApiConfig,
    pub upstream_format: Option<UpstreamFormat>,
    pub anthropic_version: &'a str,
    pub system: &'a str,
    pub prompt_caching: bool,
}

impl Settings<'_> {
    /// What all formats have, and nothing more.
    pub fn of(api: &ModelApiConfig) -> Settings<'_> {
        Settings {
            api,
            upstream_format: None,
            anthropic_version: "",
            system: "",
            prompt_caching: false,
        }
    }
}

/// Builds the middleware for one dialect.
///
/// # Errors
/// A token from a secret store or with characters that no header holds; a parameter that the format does not have; a
/// model that may not be overridden and is not named; a size that is none; what a translation would lose (see
/// [`Translation::build`]).
pub fn build(dialect: Dialect, settings: &Settings<'_>, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let given = |text: &str| (!text.is_empty()).then(|| Box::<str>::from(text));
    let api = settings.api;
    if api.model.is_empty() && api.allow_model_override == Some(false) {
        return Err(
            BuildError::new("`allowModelOverride` is false, and `model` names none")
                .help("name the model that is to be asked"),
        );
    }
    let params = Param::all(dialect, api.params.as_ref())?;
    let translation = Translation::build(dialect, settings, &params)?;
    let credentials = match &translation {
        Some(translation) => Credentials::recast(translation.upstream(), &api.token)?,
        None => Credentials::build(dialect, &api.token, settings.anthropic_version)?,
    };
    let upstream = translation.as_ref().map_or(dialect, Translation::upstream);
    let provider = match &*api.provider {
        "" => maker(upstream),
        provider => provider,
    };
    let metrics = api.observability.as_ref().and_then(|o| o.metrics.as_ref());
    Ok(Step::wrap(ModelApi {
        dialect,
        upstream,
        translation,
        credentials,
        limit: body_limit(api.max_request_body_size, cx.keep)?,
        provider: provider.into(),
        tariff: Reckoner::of(cx.keep),
        detailed: metrics.is_some_and(|m| m.level == "detailed"),
        keep_alive: api.keep_alive.to_std(),
        stream_idle: api.stream_idle_timeout.to_std(),
        content: api
            .observability
            .as_ref()
            .and_then(|o| o.traces.as_ref())
            .is_some_and(|t| t.content),
        enforce: Enforce {
            model: given(&api.model).map(|name| Model {
                name,
                force: api.allow_model_override != Some(true),
            }),
            force_params: api.allow_params_override != Some(true),
            params,
            system: given(settings.system),
            prompt_caching: settings.prompt_caching,
        },
    }))
}

/// Who made a format, as telemetry names it.
fn maker(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat | Dialect::Responses => UpstreamFormat::Ccr.maker(),
        Dialect::Messages => UpstreamFormat::MessagesApi.maker(),
    }
}

struct ModelApi {
    /// Of the clients.
    dialect: Dialect,
    /// Of the upstream.
    upstream: Dialect,
    /// Where they differ.
    translation: Option<Translation>,
    credentials: Credentials,
    enforce: Enforce,
    /// Bytes of the largest request.
    limit: u64,
    provider: Name,
    tariff: Arc<dyn Tariff>,
    detailed: bool,
    /// How long a stream may be silent before the client is sent a comment; zero: as long as it likes.
    keep_alive: Duration,
    /// How long the upstream may be silent in the middle of a stream; zero: as long as it likes.
    stream_idle: Duration,
    /// Traces are told what was said.
    content: bool,
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
                if let Some(translation) = &self.translation {
                    return translation.no_call(req.target.path());
                }
                stored(self.dialect.format(), cx);
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
            let (model, leg) = self.begin(&opened, &enforced);
            if self.content && cx.record.trace.is_some() {
                content::asked(self.dialect, &enforced.body, &mut opened.call.borrow_mut());
            }
            // The answer is read on its way: it has to come as it is.
            req.headers.remove_known(Known::AcceptEncoding);
            let crossing = match &self.translation {
                None => {
                    Opened::put(&mut req, enforced.body);
                    None
                }
                Some(translation) => match translation.request(&mut req, &enforced.body, &opened.call) {
                    Ok(crossing) => Some((translation, crossing)),
                    Err(refusal) => return refusal,
                },
            };
            let started = cx.record.started;
            let span = cx.record.enter(|| What::ModelCall { leg });
            let res = next.run(req, cx).await;
            cx.record.leave(&span);
            self.told(&opened, leg, model, &res);
            let res = meter(self.upstream, &opened.call, started, self.in_dialect(res));
            if let Some((translation, crossing)) = crossing {
                return translation.answer(res, crossing, !asked_usage).await;
            }
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
        // A second attempt has an answer of its own.
        call.anew();
        call.format = self.dialect.format();
        call.provider = self.provider.clone();
        call.sent = enforced.model.as_deref().map(name);
        call.detailed = self.detailed;
        (call.upstream_format, call.dropped) = (None, Vec::new());
        (call.keep_alive, call.stream_idle) = (self.keep_alive, self.stream_idle);
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
mod exact;
#[cfg(test)]
mod tests;
