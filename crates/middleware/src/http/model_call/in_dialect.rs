//! The gateway's own refusals on routes of model calls, in the words that the clients expect: whoever refuses a call in front of the
//! middleware that knows its format, such as an authentication or a limit, says it in plain text.

use super::answer;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{Edit, Exchange, Known, Response, Step, status};
use trilithon_model::dynamic::http::MiddlewareKind;

/// The step for a route with this middleware, if that is one that knows what clients speak. Status and headers stay.
pub fn step(kind: &MiddlewareKind<'_>) -> Option<Step> {
    let dialect = match kind {
        MiddlewareKind::ChatCompletion(_) => Dialect::Chat,
        MiddlewareKind::ResponsesApi(_) => Dialect::Responses,
        MiddlewareKind::MessagesApi(_) => Dialect::Messages,
        _ => return None,
    };
    Some(Step::edit(InDialect(dialect)))
}

struct InDialect(Dialect);

impl Edit for InDialect {
    fn response(&self, res: &mut Response, _: &mut Exchange) {
        if !res.is_plain || res.status < 400 || res.headers.has(Known::ContentEncoding) {
            return;
        }
        let Some(told) = res.body.bytes() else { return };
        let told = String::from_utf8_lossy(told);
        let told = told.trim();
        let told = told.strip_prefix(&*res.status.to_string()).unwrap_or(told);
        let message = match told.trim_start() {
            "" => status::text(res.status),
            message => message,
        };
        let body = self.0.error(res.status, message);
        res.headers.set_known(Known::ContentType, answer::JSON);
        res.body = bytes::Bytes::from(body).into();
        res.is_plain = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, request, text};
    use super::*;
    use trilithon_model::dynamic::http::{ChatCompletion, MessagesApi};

    fn said(kind: &MiddlewareKind<'_>, answer: fn() -> Response) -> (u16, Option<String>, String) {
        let bench = Bench::answering(vec![step(kind).expect("it knows")], move |_| answer());
        let mut res = bench.run(request("POST", "/v1/chat/completions", &[]));
        let kind = res.headers.get_str("Content-Type").map(str::to_owned);
        (res.status, kind, text(&mut res))
    }

    fn check(kind: &MiddlewareKind<'_>, answer: fn() -> Response, want: (u16, Option<&str>, &str)) {
        let (status, kind, body) = said(kind, answer);
        assert_eq!((status, kind.as_deref(), &*body), want);
    }

    #[test]
    fn refusals_are_told_in_the_clients_words() {
        let (chat, messages) = (ChatCompletion::default(), MessagesApi::default());
        let (chat, messages) = (
            MiddlewareKind::ChatCompletion(&chat),
            MiddlewareKind::MessagesApi(&messages),
        );
        check(
            &chat,
            || Response::error(401, "401 Unauthorized"),
            (
                401,
                Some("application/json"),
                r#"{"error":{"message":"Unauthorized","type":"invalid_request_error","param":null,"code":null}}"#,
            ),
        );
        check(
            &messages,
            || Response::status_text(429),
            (
                429,
                Some("application/json"),
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"Too Many Requests"}}"#,
            ),
        );
    }

    #[test]
    fn what_others_say_stays() {
        let chat = ChatCompletion::default();
        let chat = MiddlewareKind::ChatCompletion(&chat);
        check(&chat, || Response::bare(401, "no"), (401, None, "no"));
        check(&chat, || Response::status_text(200), (200, None, "OK"));
    }
}
