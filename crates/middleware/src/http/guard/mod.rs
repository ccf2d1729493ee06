//! The guards: one spine that every dialect, direction and stream passes, whoever judges.
//!
//! A [`Guard`] has an engine for requests, for answers, or both. The guards of a middleware are asked side by side about the
//! same texts; the first that ends the call ends the others. What each saw, and what it did not, is told to the record.

mod ask;
mod content;
mod llm;
mod remote;
mod said;
mod stream;
mod telling;
mod texts;

pub use llm::Form;

use self::ask::{Active, Heard, ask};
use self::said::Said;
use self::stream::Guarded;
use self::telling::Counters;
use self::texts::Texts;
use super::idle;
use super::model_call::answer as answers;
use super::model_call::meter::{is_readable, is_stream};
use super::model_call::{Opened, open};
use super::rollout::rollout;
use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use trilithon_ai::dialect::{Dialect, Slot};
use trilithon_flow::limits::MAX_MODEL_ANSWER;
use trilithon_flow::model_call::{BodyLimit, Phase, Verdict};
use trilithon_flow::{
    Body, Build, BuildError, Channel, Connection, Exchange, FaultKind, Format, Known, Mode, ModelCall, Next,
    Reply, Request, Response, Rollout, SharedCall, Step, Wrap,
};
use trilithon_model::dynamic::http::{
    ClientRequestFormat, ContentGuard, History, LlmGuard, LlmPhase, OnError,
};
use trilithon_wire::json;

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
        request: judge(&config.request)?,
        response: judge(&config.response)?,
        rollout: rollout(config.mode, config.percent),
        on_error: config.on_error,
        history: config.history,
        counters: Counters::default(),
    };
    checked(guard)
}

fn checked(guard: Guard) -> Result<Guard, BuildError> {
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
    /// Bytes of the largest request that nobody in front has read.
    body_limit: u64,
}

/// What a request turned out to be.
struct Call {
    dialect: Option<Dialect>,
    shared: SharedCall,
}

impl Wrap for Guards {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let active = self.active(cx);
            if active.is_empty() {
                return next.run(req, cx).await;
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
            respond(judging, call, res, cx).await
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

    /// Reads and judges the request; nothing for one that asks nothing of a model.
    async fn request(
        &self,
        active: &[Active],
        req: &mut Request,
        cx: &mut Exchange,
    ) -> Result<Option<Call>, Response> {
        let known = cx.model_call.as_ref().map(|call| call.borrow().format);
        let format = known
            .or_else(|| self.guards.first().map(|guard| guard.format))
            .unwrap_or(Format::Custom);
        let dialect = Dialect::of(format);
        // What somebody in front has read within a limit of its own is not measured again.
        let limit = match req.body.bytes() {
            Some(_) if known.is_some() => u64::MAX,
            _ => self.body_limit,
        };
        let (body, slots, opaque, shared) = match dialect {
            Some(dialect) => match open(dialect, req, cx, limit).await? {
                Some(opened) => {
                    let opaque = opened.request.opaque.iter().map(|o| o.bytes as u64).sum();
                    (opened.body, Some(opened.request.slots), opaque, opened.call)
                }
                None => return Ok(None),
            },
            None => match open_custom(req, cx, limit).await? {
                Some((body, call)) => (body, None, 0, call),
                None => return Ok(None),
            },
        };
        let call = Call { dialect, shared };
        let judging: Vec<&Active> = active
            .iter()
            .filter(|active| active.guard.request.is_some())
            .collect();
        if judging.is_empty() {
            return Ok(Some(call));
        }
        let texts = judging.iter().map(|active| {
            let mut texts = collect(&body, slots.as_deref(), active.guard.engine(Phase::Request));
            texts.opaque = opaque;
            if active.guard.history == History::Last {
                texts.forget(slots.as_deref().unwrap_or_default());
            }
            texts
        });
        let texts: Vec<Texts> = texts.collect();
        let heard = ask(&judging, Phase::Request, dialect, &texts, &cx.connection).await;
        let masks = conclude(&judging, &heard, Phase::Request, &texts, &call, Some(cx))?;
        if let Some(masked) = masks {
            Opened::put(req, masked);
        }
        Ok(Some(call))
    }
}

/// A body of any JSON.
async fn open_custom(
    req: &mut Request,
    cx: &mut Exchange,
    limit: u64,
) -> Result<Option<(Bytes, SharedCall)>, Response> {
    if req.upgrade.is_some() {
        return Err(failure(None, 501, "what follows an upgrade is not guarded"));
    }
    if req.body.is_empty() {
        return Ok(None);
    }
    let coded = req
        .headers
        .known(Known::ContentEncoding)
        .is_some_and(|c| !c.eq_ignore_ascii_case(b"identity"));
    if coded {
        return Err(failure(None, 415, "the body must not be compressed"));
    }
    let body = match req.body.collect(limit).await {
        Ok(body) => body,
        Err(fault) if fault.kind == FaultKind::TooLarge => {
            return Err(failure(
                None,
                413,
                &format!("the body is larger than {limit} bytes"),
            ));
        }
        Err(fault) => return Err(Response::from(fault)),
    };
    if body.is_empty() {
        return Ok(None);
    }
    let call = cx
        .model_call
        .get_or_insert_with(|| ModelCall::new(Format::Custom).shared())
        .clone();
    req.body = Body::from(body.clone());
    Ok(Some((body, call)))
}

/// The texts of a body for one engine: those of its dialect, or those that its queries find.
fn collect(body: &Bytes, slots: Option<&[Slot]>, engine: Option<&Engine>) -> Texts {
    let mut texts = Texts::new(body.clone());
    match (slots, engine) {
        (Some(slots), _) => slots.iter().for_each(|slot| texts.slot(slot)),
        (None, Some(Engine::Content(rules))) => {
            let Ok(root) = json::parse(body) else { return texts };
            for (place, query) in rules.queries.iter().enumerate() {
                query
                    .find(&root)
                    .into_iter()
                    .for_each(|range| texts.add(Channel::Query, Some(place), range));
            }
        }
        (None, _) => {}
    }
    texts
}

/// Records what was heard. The body with what is hidden, if anything is.
///
/// # Errors
/// The answer of the guard that ends the call.
fn conclude(
    judging: &[&Active],
    heard: &[Heard],
    phase: Phase,
    texts: &[Texts],
    call: &Call,
    cx: Option<&mut Exchange>,
) -> Result<Option<Bytes>, Response> {
    let mut decisions = Vec::new();
    for ((active, heard), texts) in judging.iter().zip(heard).zip(texts) {
        decisions.extend(telling::tell(active, heard, phase, texts, &call.shared));
    }
    if let Some(cx) = cx {
        cx.record.decisions.append(&mut decisions);
    }
    let ending = judging
        .iter()
        .zip(heard)
        .find(|(active, heard)| active.guard.ends(&heard.said, active.mode));
    if let Some((active, heard)) = ending {
        call.shared.borrow_mut().denied_by = Some(active.guard.name.clone());
        return Err(active
            .guard
            .answer(&heard.said, call.dialect, &call.shared.borrow()));
    }
    let mut masks = Vec::new();
    for ((active, heard), own) in judging.iter().zip(heard).zip(texts) {
        if active.mode == Mode::Enforce {
            masks.extend(own.places(&heard.said.masks));
        }
    }
    Ok(texts
        .first()
        .filter(|_| !masks.is_empty())
        .map(|texts| texts::masked(&texts.body, masks)))
}

/// Judges the answer, before the client sees it.
async fn respond(judging: Vec<Active>, call: Call, res: Response, cx: &mut Exchange) -> Response {
    if res.fault.is_some()
        || res.upgraded.is_some()
        || !(200..300).contains(&res.status)
        || res.body.is_empty()
    {
        let reason = format!("status {}", res.status);
        judging
            .iter()
            .for_each(|active| telling::skipped(active, &reason, &call.shared));
        return res;
    }
    if !is_readable(&res) {
        return unreadable(&judging, "the answer is compressed", call, res);
    }
    if is_stream(&res) {
        return Guarded::begin(judging, call.dialect, call.shared, res, cx).await;
    }
    whole(judging, call, res, cx).await
}

/// An answer that nobody can judge: closed guards end it.
fn unreadable(judging: &[Active], why: &'static str, call: Call, res: Response) -> Response {
    let said = Said::error(why);
    for active in judging {
        telling::failed(active, why, &call.shared);
    }
    match judging
        .iter()
        .find(|active| active.guard.ends(&said, active.mode))
    {
        Some(active) => {
            call.shared.borrow_mut().denied_by = Some(active.guard.name.clone());
            failure(call.dialect, 500, UNJUDGED)
        }
        None => res,
    }
}

async fn whole(judging: Vec<Active>, call: Call, mut res: Response, cx: &mut Exchange) -> Response {
    let body = match res.body.collect(MAX_MODEL_ANSWER as u64).await {
        Ok(body) => body,
        Err(fault) if fault.kind == FaultKind::TooLarge => {
            let mut res = failure(call.dialect, 502, "the answer is too large to be judged");
            res.fault = Some(Box::new(fault));
            return res;
        }
        Err(fault) => return Response::from(fault),
    };
    let trailers = res.body.trailers();
    let (slots, opaque) = match call.dialect.map(|dialect| dialect.answer(&body)) {
        Some(Ok(answer)) => {
            let opaque = answer.opaque.iter().map(|o| o.bytes as u64).sum();
            (Some(answer.slots), opaque)
        }
        Some(Err(_)) => {
            res.body = Body::with_trailers(body, trailers);
            return unreadable(&judging, "the answer is no JSON", call, res);
        }
        None => (None, 0),
    };
    let judging: Vec<&Active> = judging.iter().collect();
    let texts = judging.iter().map(|active| {
        let mut texts = collect(&body, slots.as_deref(), active.guard.engine(Phase::Response));
        texts.opaque = opaque;
        texts
    });
    let texts: Vec<Texts> = texts.collect();
    let heard = ask(&judging, Phase::Response, call.dialect, &texts, &cx.connection).await;
    match conclude(&judging, &heard, Phase::Response, &texts, &call, Some(cx)) {
        Ok(None) => {
            res.body = match trailers {
                None => Body::from(body),
                trailers => Body::with_trailers(body, trailers),
            };
            res
        }
        Ok(Some(masked)) => {
            res.headers.remove_known(Known::ContentLength);
            res.headers.remove("ETag");
            res.body = Body::from(masked);
            res
        }
        Err(refusal) => refusal,
    }
}

/// How long something took.
fn since(start: Instant) -> std::time::Duration {
    start.elapsed()
}

#[cfg(test)]
mod tests;
