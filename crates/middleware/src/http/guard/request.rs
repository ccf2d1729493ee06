//! Reading and judging a request.

use super::ask::{Active, ask};
use super::conclude::{Call, collect, conclude};
use super::said::Said;
use super::texts::Texts;
use super::{Guards, answers, failure};
use crate::http::model_call::{Opened, open, stored};
use bytes::Bytes;
use trilithon_ai::dialect::{Dialect, Invalid, Slot};
use trilithon_flow::model_call::Phase;
use trilithon_flow::{Body, Exchange, FaultKind, Format, Known, ModelCall, Request, Response, SharedCall};
use trilithon_model::dynamic::http::History;
use trilithon_wire::json;

impl Guards {
    /// Reads and judges the request; nothing where nobody judges anything of it.
    pub(super) async fn request(
        &self,
        active: &[Active],
        req: &mut Request,
        cx: &mut Exchange,
    ) -> Result<Option<Call>, Response> {
        let known = cx.model_call.as_ref().map(|call| call.borrow().format);
        let format = known
            .or_else(|| self.guards.first().map(|guard| guard.format))
            .unwrap_or(Format::Custom);
        // What somebody in front has read within a limit of its own is not measured again.
        let limit = match req.body.bytes() {
            Some(_) if known.is_some() => u64::MAX,
            _ => self.body_limit.models,
        };
        let Some(read) = read(format, limit, req, cx).await? else {
            let judges = active.iter().any(|active| active.guard.response.is_some());
            return Ok(judges.then(|| Call {
                dialect: Dialect::of(format),
                is_stored: true,
                shared: stored(format, cx),
            }));
        };
        let call = Call {
            dialect: Dialect::of(format),
            is_stored: false,
            shared: read.call,
        };
        let judging: Vec<&Active> = active
            .iter()
            .filter(|active| active.guard.request.is_some())
            .collect();
        if judging.is_empty() {
            return Ok(Some(call));
        }
        if let Some(refusal) = ambiguous(&judging, &read.body, call.dialect) {
            return Err(refusal);
        }
        let texts = judging.iter().map(|active| {
            let engine = active.guard.engine(Phase::Request);
            let mut texts = collect(&read.body, read.slots.as_deref(), engine);
            texts.opaque = read.opaque;
            if active.guard.history == History::Last {
                texts.forget(read.slots.as_deref().unwrap_or_default());
            }
            texts
        });
        let texts: Vec<Texts> = texts.collect();
        let heard = ask(
            &judging,
            Phase::Request,
            call.dialect.is_some(),
            &texts,
            &cx.connection,
        )
        .await;
        let masks = conclude(&judging, &heard, Phase::Request, &texts, &call, Some(cx))?;
        if let Some(masked) = masks {
            Opened::put(req, masked);
        }
        Ok(Some(call))
    }
}

/// The answer to a body that the model's server may read differently than the guards: those that are closed end the call.
fn ambiguous(judging: &[&Active], body: &[u8], dialect: Option<Dialect>) -> Option<Response> {
    let error = json::parse_names(body).ok()?.1.err()?;
    let said = Said::error("the body has an object with a name twice");
    let is_closed = |active: &&Active| active.guard.ends(&said, active.mode);
    judging.iter().any(is_closed).then(|| match dialect {
        Some(dialect) => answers::json(400, dialect.invalid(&Invalid::from(error))),
        None => failure(None, 400, &Invalid::from(error).message),
    })
}

/// A body that was read.
struct Read {
    body: Bytes,
    /// Where its texts are, if its format says.
    slots: Option<Vec<Slot>>,
    /// Bytes of content that is no text.
    opaque: u64,
    call: SharedCall,
}

/// Reads the body, up to `limit` bytes; nothing where there is none.
async fn read(
    format: Format,
    limit: u64,
    req: &mut Request,
    cx: &mut Exchange,
) -> Result<Option<Read>, Response> {
    let Some(dialect) = Dialect::of(format) else {
        let custom = open_custom(req, cx, limit).await?;
        return Ok(custom.map(|(body, call)| Read {
            body,
            slots: None,
            opaque: 0,
            call,
        }));
    };
    let opened = open(dialect, req, cx, limit).await?;
    Ok(opened.map(|opened| Read {
        body: opened.body,
        opaque: opened.request.opaque.iter().map(|o| o.bytes as u64).sum(),
        slots: Some(opened.request.slots),
        call: opened.call,
    }))
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
