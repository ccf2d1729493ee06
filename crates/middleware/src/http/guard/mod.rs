//! The guards: one spine that every dialect, direction and stream passes, whoever judges.
//!
//! A [`Guard`] has an engine for requests, for answers, or both. The guards of a middleware are asked side by side about the
//! same texts; the first that ends the call ends the others. What each saw, and what it did not, is told to the record.

mod ask;
mod conclude;
mod content;
mod llm;
mod mcp;
mod remote;
mod request;
mod response;
mod said;
mod stream;
mod telling;
mod texts;

pub use llm::Form;

use self::ask::Active;
use self::said::Said;
use self::telling::Counters;
use self::texts::Texts;
use super::idle;
use super::model_call::answer as answers;
use super::rollout::rollout;
use std::rc::Rc;
use std::sync::Arc;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::model_call::{BodyLimit, Phase, Verdict};
use trilithon_flow::{
    Build, BuildError, Connection, Exchange, Format, Known, Mode, ModelCall, Next, Reply, Request, Response,
    Rollout, Step, Wrap,
};
use trilithon_model::dynamic::http::{
    ClientRequestFormat, ContentGuard, History, LlmGuard, LlmPhase, OnError,
};

/// The status of a refusal where none is written.
const STATUS: u16 = 403;
/// The text of a refusal where none is written.
const MESSAGE: &str = "the content was refused by a guard";
/// What a client is told when a guard could not say and its errors end calls.
const UNJUDGED: &str = "the content could not be judged";

/// One guard.
pub struct Guard {
    name: Arc<str>,
    /// What judges, for records.
    engine: &'static str,
    format: Format,
    /// Bodies are messages of the Model Context Protocol.
    of_tools: bool,
    /// What of such messages is judged.
    parts: mcp::Parts,
    request: Option<Engine>,
    response: Option<Engine>,
    rollout: Rollout,
    on_error: OnError,
    history: History,
    counters: Counters,
}

/// What judges texts.
enum Engine {
    Content(content::Rules),
    Llm(llm::Judge),
}

impl Engine {
    async fn judge(&self, texts: &Texts, client: &Rc<Connection>) -> Said {
        match self {
            Engine::Content(rules) => rules.judge(texts, client).await,
            Engine::Llm(judge) => judge.judge(texts, client).await,
        }
    }

    /// Whether it can judge a body of which nobody says where the text is.
    fn reads_any(&self) -> bool {
        match self {
            Engine::Content(rules) => !rules.queries.is_empty(),
            Engine::Llm(judge) => judge.has_template(),
        }
    }
}

impl Guard {
    fn engine(&self, phase: Phase) -> Option<&Engine> {
        match phase {
            Phase::Request => self.request.as_ref(),
            Phase::Response | Phase::Tool => self.response.as_ref(),
        }
    }

    /// Whether what was said ends the call.
    fn ends(&self, said: &Said, mode: Mode) -> bool {
        let severe = match said.verdict {
            Verdict::Block => true,
            Verdict::Error => self.on_error == OnError::Block,
            _ => false,
        };
        severe && mode == Mode::Enforce
    }

    /// The answer for a call that it ends.
    fn answer(&self, said: &Said, dialect: Option<Dialect>, call: &ModelCall) -> Response {
        match &said.deny {
            Some(deny) if said.tell_reason => deny.saying(&said.reason).answer(dialect, Some(call)),
            Some(deny) => deny.answer(dialect, Some(call)),
            None => failure(dialect, 500, UNJUDGED),
        }
    }
}

fn failure(dialect: Option<Dialect>, status: u16, message: &str) -> Response {
    match dialect {
        Some(dialect) => answers::error(dialect, status, message),
        None => Response::error(status, message),
    }
}

/// A content guard; `format` is what its name says, if it says one.
///
/// # Errors
/// See [`content::Rules::build`].
pub fn content(
    config: &ContentGuard,
    format: Option<Format>,
    cx: &mut Build<'_>,
) -> Result<Guard, BuildError> {
    let analyzer = content::analyzer(config, cx)?;
    let rules = |phase: &Option<_>| {
        let rules = phase
            .as_ref()
            .map(|phase| content::Rules::build(phase, config, analyzer.as_ref()));
        Ok::<_, BuildError>(rules.transpose()?.map(Engine::Content))
    };
    let guard = Guard {
        name: cx.name.into(),
        engine: content::engine(config),
        format: format.unwrap_or(format_of(config.client_request_format)),
        of_tools: config.mcp.is_some(),
        parts: mcp::Parts::of(config.mcp.as_ref()),
        request: rules(&config.request)?,
        response: rules(&config.response)?,
        rollout: rollout(config.mode, config.percent),
        on_error: config.on_error,
        history: config.history,
        counters: Counters::default(),
    };
    checked(guard)
}

/// A guard that asks a model or a service; `format` and `form` are what its name says.
///
/// # Errors
/// See [`llm::service`] and [`llm::Judge::build`].
pub fn llm(
    config: &LlmGuard,
    format: Option<Format>,
    form: Option<Form>,
    cx: &mut Build<'_>,
) -> Result<Guard, BuildError> {
    let service = llm::service(config, form, cx)?;
    let judge = |phase: &Option<LlmPhase>| {
        let judge = phase
            .as_ref()
            .map(|phase| llm::Judge::build(phase, config, service.clone()));
        Ok::<_, BuildError>(judge.transpose()?.map(Engine::Llm))
    };
    let guard = Guard {
        name: cx.name.into(),
        engine: "llm",
        format: format.unwrap_or(format_of(config.client_request_format)),
        of_tools: config.mcp.is_some(),
        parts: mcp::Parts::of(config.mcp.as_ref()),
        request: judge(&config.request)?,
        response: judge(&config.response)?,
        rollout: rollout(config.mode, config.percent),
        on_error: config.on_error,
        history: config.history,
        counters: Counters::default(),
    };
    checked(guard)
}

/// A guard that judges something, of one kind of bodies.
fn checked(guard: Guard) -> Result<Guard, BuildError> {
    if guard.of_tools && guard.format != Format::Custom {
        let why = format!(
            "`mcp` and `clientRequestFormat` `{}` are mutually exclusive",
            guard.format.as_str()
        );
        return Err(BuildError::new(why).help("remove one of them"));
    }
    if guard.request.is_none() && guard.response.is_none() {
        return Err(BuildError::new("neither `request` nor `response` is given").help("say what is judged"));
    }
    Ok(guard)
}

fn format_of(format: ClientRequestFormat) -> Format {
    match format {
        ClientRequestFormat::Custom => Format::Custom,
        ClientRequestFormat::Ccr => Format::Ccr,
        ClientRequestFormat::ResponsesApi => Format::ResponsesApi,
        ClientRequestFormat::MessagesApi => Format::MessagesApi,
    }
}

/// The step that asks these guards.
pub fn step(guards: Vec<Guard>, cx: &Build<'_>) -> Step {
    if guards.iter().all(|guard| guard.rollout.mode == Mode::Off) {
        return idle::step();
    }
    Step::wrap(Guards {
        guards: guards.into_iter().map(Arc::new).collect(),
        body_limit: BodyLimit::of(cx.keep),
    })
}

struct Guards {
    guards: Vec<Arc<Guard>>,
    /// Of requests that nobody in front has read.
    body_limit: Arc<BodyLimit>,
}

impl Wrap for Guards {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let active = self.active(cx);
            if active.is_empty() {
                return next.run(req, cx).await;
            }
            if self.is_of_tools(cx) {
                return self.messages(active, req, cx, next).await;
            }
            let call = match self.request(&active, &mut req, cx).await {
                Ok(Some(call)) => call,
                Ok(None) => return next.run(req, cx).await,
                Err(refusal) => return refusal,
            };
            let judging: Vec<Active> = active
                .into_iter()
                .filter(|a| a.guard.response.is_some())
                .collect();
            if judging.is_empty() {
                return next.run(req, cx).await;
            }
            // What is coded cannot be judged, and part of an answer is not an answer.
            req.headers.remove_known(Known::AcceptEncoding);
            req.headers.remove("Range");
            let res = next.run(req, cx).await;
            response::judged(judging, call, res, cx).await
        })
    }
}

impl Guards {
    fn active(&self, cx: &Exchange) -> Vec<Active> {
        let caller = cx.caller();
        let active = self.guards.iter().map(|guard| Active {
            guard: guard.clone(),
            mode: guard.rollout.of(caller),
        });
        active.filter(|active| active.mode != Mode::Off).collect()
    }
}

#[cfg(test)]
mod tests;
