//! Judging an answer, before the client sees it.

use super::ask::{Active, ask};
use super::conclude::{Call, collect, conclude};
use super::said::Said;
use super::stream::Guarded;
use super::texts::Texts;
use super::{UNJUDGED, failure, telling};
use crate::http::model_call::decoded;
use crate::http::model_call::meter::{is_readable, is_stream};
use trilithon_ai::dialect::{self, Slot};
use trilithon_flow::limits::MAX_MODEL_ANSWER;
use trilithon_flow::model_call::Phase;
use trilithon_flow::{Body, Exchange, FaultKind, Known, Response};
use trilithon_wire::json;

/// Judges the answer, before the client sees it.
pub async fn judged(judging: Vec<Active>, call: Call, res: Response, cx: &mut Exchange) -> Response {
    if res.fault.is_some()
        || res.upgraded.is_some()
        || !(200..300).contains(&res.status)
        || res.body.is_empty()
    {
        let reason = format!("status {}", res.status);
        judging
            .iter()
            .for_each(|active| telling::skipped(active, Phase::Response, &reason, &call.shared));
        return res;
    }
    let res = decoded(res);
    if !is_readable(&res) {
        return unreadable(&judging, "the answer has a coding that is not known", call, res);
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
        telling::failed(active, Phase::Response, why, &call.shared);
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
    let (slots, opaque) = match read(&call, &body) {
        Ok(read) => read,
        Err(error) => {
            let why = match error.what {
                json::Fault::Twice => "the answer has an object with a name twice",
                _ => "the answer is no JSON",
            };
            res.body = Body::with_trailers(body, trailers);
            return unreadable(&judging, why, call, res);
        }
    };
    let judging: Vec<&Active> = judging.iter().collect();
    let texts = judging.iter().map(|active| {
        let mut texts = collect(&body, slots.as_deref(), active.guard.engine(Phase::Response));
        texts.opaque = opaque;
        texts
    });
    let texts: Vec<Texts> = texts.collect();
    let heard = ask(
        &judging,
        Phase::Response,
        call.dialect.is_some(),
        &texts,
        &cx.connection,
    )
    .await;
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

/// The texts of an answer, where its dialect says where they are, and the bytes of what is no text.
///
/// # Errors
/// It is not what the dialect says, or is read differently by somebody else.
fn read(call: &Call, body: &[u8]) -> Result<(Option<Vec<Slot>>, u64), json::Error> {
    if call.is_stored && call.dialect.is_some() {
        return Ok((Some(dialect::texts(body)?), 0));
    }
    if let Ok((_, names)) = json::parse_names(body) {
        names?;
    }
    let Some(dialect) = call.dialect else {
        return Ok((None, 0));
    };
    let answer = dialect.answer(body)?;
    let opaque = answer.opaque.iter().map(|o| o.bytes as u64).sum();
    Ok((Some(answer.slots), opaque))
}
