//! Judging what a server answers, before the client sees it.

use super::{Judged, Judges, stream, telling};
use crate::http::model_call::decoded;
use crate::http::model_call::meter::is_stream;
use bytes::Bytes;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Beginning, Body, Exchange, Headers, Known, Response, read_up_to};
use trilithon_mcp::texts::{Part, Sender, Texts, texts};
use trilithon_wire::json;

/// Judges the answer; in a stream each event, as it comes.
pub async fn judged(judges: Judges, res: Response, cx: &mut Exchange) -> Response {
    if res.fault.is_some() || res.upgraded.is_some() || res.body.is_empty() {
        skipped(&judges, res.status);
        return res;
    }
    let mut res = decoded(res);
    let coding = res.headers.known(Known::ContentEncoding);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return unreadable(&judges, "the answer has a coding that is not known", res);
    }
    if is_stream(&res) {
        res.headers.remove_known(Known::ContentLength);
        res.body = stream::body(res.body.take(), judges);
        return res;
    }
    whole(&judges, res, cx).await
}

/// Nothing is said that anybody could judge.
fn skipped(judges: &Judges, status: u16) {
    let reason = format!("status {status}");
    let skipped = |active| telling::skipped(active, judges.phase, &reason, &judges.call);
    judges.active.iter().for_each(skipped);
}

fn unreadable(judges: &Judges, why: &'static str, res: Response) -> Response {
    match judges.closed(why) {
        Some(refusal) => refusal.answer(&judges.call.borrow()),
        None => res,
    }
}

async fn whole(judges: &Judges, mut res: Response, cx: &mut Exchange) -> Response {
    let (body, trailers) = match read_up_to(res.body.take(), MAX_MCP_ANSWER as u64).await {
        Ok(Beginning::Whole(body, trailers)) => (body, trailers),
        Ok(Beginning::Larger(body)) => {
            res.body = body;
            return unreadable(judges, "the answer is too large", res);
        }
        Err(fault) => return Response::from(fault),
    };
    if body.is_empty() {
        // Some servers take a notification with a body in chunks, of which there are none.
        skipped(judges, res.status);
        res.body = with_trailers(body, trailers);
        return res;
    }
    let is_error = !(200..300).contains(&res.status);
    let Some(read) = Read::of(&body, is_error) else {
        res.body = with_trailers(body, trailers);
        return unreadable(judges, "the answer is no JSON", res);
    };
    let (judged, mut decisions) = judges.judge(&read.doc, &read.found).await;
    cx.record.decisions.append(&mut decisions);
    match judged {
        Judged::Same => res.body = with_trailers(body, trailers),
        Judged::Changed(doc) => {
            res.headers.remove_known(Known::ContentLength);
            res.headers.remove("ETag");
            res.body = read.body(doc);
        }
        Judged::Refused(refusal) => return refusal.answer(&judges.call.borrow()),
    }
    res
}

fn with_trailers(body: Bytes, trailers: Option<Headers>) -> Body {
    match trailers {
        None => Body::from(body),
        trailers => Body::with_trailers(body, trailers),
    }
}

/// An answer that was read.
struct Read {
    doc: Bytes,
    found: Texts,
    /// It is the text of an HTTP error, made a string of JSON to be judged.
    is_plain: bool,
}

impl Read {
    fn of(body: &Bytes, is_error: bool) -> Option<Read> {
        if let Ok(found) = texts(body, Sender::Server) {
            let doc = body.clone();
            return Some(Read {
                doc,
                found,
                is_plain: false,
            });
        }
        let text = std::str::from_utf8(body).ok().filter(|_| is_error)?;
        let doc = json::quote(text);
        let found = Texts {
            list: vec![(Part::Errors, 1..doc.len() - 1)],
            opaque: 0,
        };
        Some(Read {
            doc: doc.into(),
            found,
            is_plain: true,
        })
    }

    /// The body that a changed document makes.
    fn body(&self, doc: Bytes) -> Body {
        let plain = || {
            json::parse(&doc)
                .ok()?
                .text()
                .map(|text| text.to_str().into_owned())
        };
        match plain().filter(|_| self.is_plain) {
            Some(text) => Body::from(text),
            None => Body::from(doc),
        }
    }
}
