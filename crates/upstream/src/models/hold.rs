//! Answers that are held until they are whole, so that another target can still be asked when one turns out to be no answer.

use super::class::Class;
use super::told::broke;
use bytes::Bytes;
use trilithon_flow::{Beginning, Body, Exchange, Format, Known, Response, read_up_to};
use trilithon_wire::json;
use trilithon_wire::sse::Frames;

/// What is held, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// Whole answers: a client can do nothing with a part of one.
    pub answers: bool,
    /// Streams: a client sees nothing before the end.
    pub streams: bool,
    /// Bytes of the largest answer; of a larger one nothing is known, and it passes.
    pub max: usize,
}

/// What an answer ought to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Events,
    /// It is coded: whether it comes to its end is all that can be seen.
    Opaque,
}

impl Hold {
    /// Reads an answer to its end, if such are held; the class of one that is none. `has_body`: the request was not one
    /// whose answer is a head alone.
    pub async fn check(&self, res: &mut Response, has_body: bool, cx: &Exchange) -> Option<Class> {
        if !has_body || matches!(res.status, 204 | 205) || res.upgraded.is_some() {
            return None;
        }
        let is_call = cx
            .model_call
            .as_ref()
            .is_some_and(|call| call.borrow().format != Format::Custom);
        let form = form(res, is_call)?;
        let is_held = if form == Form::Events {
            self.streams
        } else {
            self.answers
        };
        if !is_held {
            return None;
        }
        let (bytes, trailers) = match read_up_to(res.body.take(), self.max as u64).await {
            Ok(Beginning::Whole(bytes, trailers)) => (bytes, trailers),
            Ok(Beginning::Larger(body)) => {
                res.body = body;
                return None;
            }
            Err(fault) => {
                let class = Class::of_fault(&fault).unwrap_or(Class::Broken);
                *res = Response::from(fault);
                return Some(class);
            }
        };
        res.body = match trailers {
            None => Body::from(bytes.clone()),
            trailers => Body::with_trailers(bytes.clone(), trailers),
        };
        broke(cx).or_else(|| match form {
            Form::Json => whole(&bytes, is_call),
            Form::Events => events(&bytes, is_call),
            Form::Opaque => None,
        })
    }
}

/// What an answer is to be: of a model JSON or events, whatever it says it is; of others what says nothing is taken for JSON,
/// and may be anything else.
fn form(res: &Response, is_call: bool) -> Option<Form> {
    let coding = res.headers.known(Known::ContentEncoding);
    let is_coded = coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    let kind = res
        .headers
        .known(Known::ContentType)
        .unwrap_or(b"application/json");
    let kind = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let kind = kind.to_ascii_lowercase();
    match &*kind {
        // Nobody could say where it ends.
        b"text/event-stream" => (!is_coded).then_some(Form::Events),
        kind if !is_call && kind != b"application/json" => None,
        _ if is_coded => Some(Form::Opaque),
        _ => Some(Form::Json),
    }
}

/// The class of a whole answer.
fn whole(body: &Bytes, is_call: bool) -> Option<Class> {
    let Ok(root) = json::parse(body) else {
        return Some(Class::Malformed);
    };
    // An answer that failed has its error beside what it is (Responses).
    let is_error = root.get("object").is_none() && root.get("error").is_some_and(|e| !e.is_null());
    (is_call && is_error).then_some(Class::ErrorEvent)
}

/// The class of a whole stream.
fn events(body: &Bytes, is_call: bool) -> Option<Class> {
    let mut cut = Frames::new(usize::MAX);
    let mut rest = &body[..];
    while let Ok(Some(frame)) = cut.next(rest) {
        let (raw, after) = rest.split_at(frame.len);
        let data = frame.data(raw);
        if super::class::begins_with_error(raw) {
            return Some(Class::ErrorEvent);
        }
        let is_known = !frame.has_data() || data.trim_ascii() == b"[DONE]" || json::parse(&data).is_ok();
        if is_call && !is_known {
            return Some(Class::Malformed);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::{exchange, run};
    use trilithon_flow::{Fault, FaultKind, ModelCall};

    const ALL: Hold = Hold {
        answers: true,
        streams: true,
        max: 60,
    };

    fn check_with(hold: Hold, is_call: bool, kind: &str, body: &'static str, want: Option<Class>) {
        let mut cx = exchange(1);
        cx.model_call = is_call.then(|| ModelCall::new(Format::Ccr).shared());
        let mut res = Response::bare(200, body);
        if !kind.is_empty() {
            res.headers.set_known(Known::ContentType, kind);
        }
        assert_eq!(run(hold.check(&mut res, true, &cx)), want, "{kind} {body}");
        assert_eq!(run(res.body.collect(1 << 20)).unwrap(), body, "nothing is lost");
    }

    #[test]
    fn answers() {
        let check = |kind: &str, body, want| check_with(ALL, true, kind, body, want);
        check("application/json", r#"{"choices":[]}"#, None);
        check(
            "Application/JSON; charset=utf-8",
            r#"{"choices":[]"#,
            Some(Class::Malformed),
        );
        check("application/json", "", Some(Class::Malformed));
        check("", "{}", None);
        check("text/html", "<html>", Some(Class::Malformed));
        check("text/plain", "{}", None);
        check(
            "application/json",
            r#"{"error":{"message":"x"}}"#,
            Some(Class::ErrorEvent),
        );
        check(
            "application/json",
            r#"{"object":"response","error":{"code":"x"}}"#,
            None,
        );
        check("application/json", r#"{"error":null}"#, None);
        let large = r#"{"choices":"larger than what is held, so that nobody can say whether it"#;
        check("application/json", large, None);
    }

    #[test]
    fn streams() {
        let check = |body, want| check_with(ALL, true, "text/event-stream", body, want);
        check("data: {}\n\n: c\n\ndata: [DONE]\n\n", None);
        check("data: {}\n\ndata: {\n\n", Some(Class::Malformed));
        check("data: {}\n\ndata: {\"error\":{}}\n\n", Some(Class::ErrorEvent));
        check("data: {}\n\nevent: error\ndata: {}\n\n", Some(Class::ErrorEvent));
    }

    #[test]
    fn what_is_not_held_passes() {
        let none = Hold {
            answers: false,
            streams: false,
            max: 60,
        };
        check_with(none, true, "application/json", "{", None);
        check_with(none, true, "text/html", "<html>", None);
        check_with(none, true, "text/event-stream", "data: {\n\n", None);
        check_with(ALL, false, "text/html", "<html>", None);
        check_with(ALL, false, "application/json", r#"{"error":{}}"#, None);
    }

    #[test]
    fn what_the_middlewares_found_broken_is() {
        let mut cx = exchange(1);
        let mut call = ModelCall::new(Format::Ccr);
        call.broke(Fault::new(FaultKind::ResponseTimeout, "silent"));
        cx.model_call = Some(call.shared());
        let mut res = Response::bare(200, "data: {}\n\n");
        res.headers.set_known(Known::ContentType, "text/event-stream");
        assert_eq!(run(ALL.check(&mut res, true, &cx)), Some(Class::Timeout));
    }
}
