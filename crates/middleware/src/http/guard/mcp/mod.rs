//! Guards on calls of tools: the same engines over messages of the Model Context Protocol. A message is judged whole: in a request,
//! in a whole answer, and in each event of a stream before it goes on. Where their text is says `trilithon_mcp::texts`.

mod answer;
mod refusal;
mod stream;

use self::refusal::Refusal;
use super::ask::{Active, ask};
use super::said::Said;
use super::telling;
use super::texts::{self, Texts};
use super::{Engine, Guards};
use crate::http::mcp::open::{open, shared};
use crate::http::model_call::Opened;
use bytes::Bytes;
use std::rc::Rc;
use trilithon_flow::model_call::Phase;
use trilithon_flow::{
    Channel, Connection, Decision, Exchange, Format, Known, Method, Mode, Next, Request, Response,
    SharedMcpCall,
};
use trilithon_mcp::repeated;
use trilithon_mcp::texts::{Part, Sender, Texts as Found, texts as find};
use trilithon_model::dynamic::http::{GuardMcp, McpPart};

/// The parts that a guard judges.
#[derive(Clone, Copy, Debug)]
pub struct Parts([bool; Part::ALL.len()]);

impl Parts {
    /// Those that are written, or all.
    pub fn of(config: Option<&GuardMcp>) -> Parts {
        let written = config.map(|mcp| &*mcp.parts).unwrap_or_default();
        let is_written = |part: Part| {
            let is_question = matches!(part, Part::Sampling | Part::Elicitation);
            written.contains(&word(part)) || is_question && written.contains(&McpPart::Questions)
        };
        Parts(Part::ALL.map(|part| written.is_empty() || is_written(part)))
    }

    fn has(self, part: Part) -> bool {
        self.0[part as usize]
    }
}

/// A part, as it is written.
fn word(part: Part) -> McpPart {
    match part {
        Part::Arguments => McpPart::Arguments,
        Part::Results => McpPart::Results,
        Part::Errors => McpPart::Errors,
        Part::Descriptions => McpPart::Descriptions,
        Part::Questions => McpPart::Questions,
        Part::Sampling => McpPart::Sampling,
        Part::Elicitation => McpPart::Elicitation,
    }
}

/// Who judges what one side says.
struct Judges {
    active: Vec<Active>,
    phase: Phase,
    call: SharedMcpCall,
    client: Rc<Connection>,
}

/// What becomes of a message.
enum Judged {
    Same,
    /// Something in it is hidden.
    Changed(Bytes),
    Refused(Refusal),
}

impl Guards {
    /// Whether bodies are messages: the guards say so, or a middleware in front does and they say nothing else.
    pub(super) fn is_of_tools(&self, cx: &Exchange) -> bool {
        let is_open = cx.mcp_call.is_some() && cx.model_call.is_none();
        self.guards
            .first()
            .is_some_and(|guard| guard.of_tools || (is_open && guard.format == Format::Custom))
    }

    /// Judges what is asked and what is answered.
    pub(super) async fn messages(
        &self,
        active: Vec<Active>,
        mut req: Request,
        cx: &mut Exchange,
        next: Next<'_>,
    ) -> Response {
        let call = shared(cx);
        let judges = |phase: Phase, cx: &Exchange| Judges {
            active: active
                .iter()
                .filter(|a| a.guard.engine(phase).is_some())
                .cloned()
                .collect(),
            phase,
            call: call.clone(),
            client: cx.connection.clone(),
        };
        let asked = judges(Phase::Request, cx);
        if let Err(refusal) = asked.request(self.body_limit.tools, &mut req, cx).await {
            return refusal;
        }
        let answered = judges(Phase::Response, cx);
        if answered.active.is_empty() {
            return next.run(req, cx).await;
        }
        // What is coded cannot be judged, and part of an answer is not an answer.
        req.headers.remove_known(Known::AcceptEncoding);
        req.headers.remove("Range");
        let res = next.run(req, cx).await;
        answer::judged(answered, res, cx).await
    }
}

impl Judges {
    /// Judges a request.
    ///
    /// # Errors
    /// The answer to one that does not pass.
    async fn request(&self, limit: u64, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let is_read = cx.mcp.is_some() && req.body.bytes().is_some();
        if !is_read {
            let error = Said::error("");
            let is_strict = self.active.iter().any(|a| a.guard.ends(&error, a.mode));
            open(req, cx, limit, is_strict).await?;
        }
        if self.active.is_empty() || (req.method != Method::Post && req.body.is_empty()) {
            return Ok(());
        }
        let body = req.body.bytes().filter(|_| cx.mcp.is_some()).cloned();
        let found = body.as_ref().and_then(|body| find(body, Sender::Client).ok());
        let (Some(body), Some(found)) = (body, found) else {
            let refusal = self.closed("it is no message of the protocol");
            return refusal.map_or(Ok(()), |refusal| Err(refusal.answer(&self.call.borrow())));
        };
        let (judged, mut decisions) = self.judge(&body, &found).await;
        cx.record.decisions.append(&mut decisions);
        match judged {
            Judged::Same => Ok(()),
            Judged::Changed(changed) => {
                repeated::follow(&mut req.headers, &body, &changed);
                Opened::put(req, changed);
                Ok(())
            }
            Judged::Refused(refusal) => Err(refusal.answer(&self.call.borrow())),
        }
    }

    /// Asks all guards about a document, each about its parts, and tells the record what they saw.
    async fn judge(&self, body: &Bytes, found: &Found) -> (Judged, Vec<Decision>) {
        let (mut judging, mut texts) = (Vec::new(), Vec::new());
        for active in &self.active {
            let own = collect(active, self.phase, body, found);
            if own.list.is_empty() {
                telling::skipped(active, self.phase, "there is no text", &self.call);
                continue;
            }
            judging.push(active);
            texts.push(own);
        }
        let heard = ask(&judging, self.phase, true, &texts, &self.client).await;
        let all = || judging.iter().zip(&heard).zip(&texts);
        let told = all()
            .filter_map(|((active, heard), own)| telling::tell(active, heard, self.phase, own, &self.call));
        let decisions: Vec<Decision> = told.collect();
        let ends = all().find(|((active, heard), _)| active.guard.ends(&heard.said, active.mode));
        if let Some(((active, heard), _)) = ends {
            return (Judged::Refused(self.refuse(active, &heard.said)), decisions);
        }
        let enforced = all().filter(|((active, _), _)| active.mode == Mode::Enforce);
        let changes: Vec<_> = enforced
            .flat_map(|((_, heard), own)| own.changes(&heard.said.masks))
            .collect();
        let judged = match changes.is_empty() {
            true => Judged::Same,
            false => Judged::Changed(texts::changed(body, changes)),
        };
        (judged, decisions)
    }

    fn refuse(&self, active: &Active, said: &Said) -> Refusal {
        self.call.borrow_mut().denied_by = Some(active.guard.name.clone());
        Refusal::of(said)
    }

    /// Tells that nobody can judge something; the refusal of the first guard that lets nothing pass unjudged.
    fn closed(&self, why: &'static str) -> Option<Refusal> {
        for active in &self.active {
            telling::failed(active, self.phase, why, &self.call);
        }
        let said = Said::error(why);
        let closed = self
            .active
            .iter()
            .find(|active| active.guard.ends(&said, active.mode))?;
        Some(self.refuse(closed, &said))
    }
}

/// The texts for one guard: what its queries find, or the parts that it judges.
fn collect(active: &Active, phase: Phase, body: &Bytes, found: &Found) -> Texts {
    if let Some(Engine::Content(rules)) = active.guard.engine(phase)
        && !rules.queries.is_empty()
    {
        return super::conclude::collect(body, None, active.guard.engine(phase));
    }
    let mut texts = Texts::new(body.clone());
    texts.opaque = found.opaque;
    let parts = found
        .list
        .iter()
        .filter(|(part, _)| active.guard.parts.has(*part));
    parts.for_each(|(part, range)| texts.add(channel(*part), None, range.clone()));
    texts
}

/// Arguments stand in the message as values: they are not what a model's [`Channel::ToolArguments`] are, JSON within a string.
fn channel(part: Part) -> Channel {
    match part {
        Part::Arguments => Channel::User,
        Part::Results | Part::Errors => Channel::ToolResult,
        Part::Descriptions => Channel::ToolDefinition,
        Part::Questions | Part::Sampling | Part::Elicitation => Channel::System,
    }
}

#[cfg(test)]
mod tests;
