//! Answers of the gateway's own to clients of models.

use std::time::{SystemTime, UNIX_EPOCH};
use trilithon_ai::dialect::{Denial, Dialect};
use trilithon_flow::{BuildError, Known, ModelCall, Response, status};
use trilithon_model::dynamic::http::OnDenyResponse;

pub const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// A JSON answer.
pub fn json(status: u16, body: Vec<u8>) -> Response {
    of_type(status, JSON, body)
}

/// An error as the clients of a dialect expect it.
pub fn error(dialect: Dialect, status: u16, message: &str) -> Response {
    json(status, dialect.error(status, message))
}

/// Now, in seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn of_type(status: u16, content_type: &str, body: impl Into<bytes::Bytes>) -> Response {
    let mut res = Response::bare(status, body);
    res.headers.set_known(Known::ContentType, content_type);
    res
}

/// What a client is told in place of what a guard or a limit refused (`onDenyResponse`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDeny {
    status: u16,
    message: Box<str>,
    content_type: Box<str>,
}

impl OnDeny {
    /// `status` and `message` are what is said where the configuration does not say it.
    ///
    /// # Errors
    /// A status that is none of an answer with a body.
    pub fn build(config: Option<&OnDenyResponse>, status: u16, message: &str) -> Result<OnDeny, BuildError> {
        let (mut status, mut message, mut content_type) = (status, message, "");
        if let Some(config) = config {
            if let Some(code) = config.status_code {
                status = of_answer(code)?;
            }
            if !config.message.is_empty() {
                message = &config.message;
            }
            content_type = &config.content_type;
        }
        Ok(OnDeny {
            status,
            message: message.into(),
            content_type: content_type.into(),
        })
    }

    /// The same with another message, such as the reason of a guard.
    pub fn saying(&self, message: &str) -> OnDeny {
        OnDeny {
            message: message.into(),
            ..self.clone()
        }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the message is sent as it is, in a type of its own.
    pub fn is_plain(&self) -> bool {
        !matches!(&*self.content_type, "" | JSON | EVENTS)
    }

    /// The answer. With status 200 it looks like one of the model, with another like an error of its server; a content
    /// type that is neither JSON nor a stream has the message as it is, and so has a format without a dialect.
    pub fn answer(&self, dialect: Option<Dialect>, call: Option<&ModelCall>) -> Response {
        let plain = || match &*self.content_type {
            "" => Response::error(self.status, &self.message),
            own => of_type(self.status, own, self.message.to_string()),
        };
        let Some(dialect) = dialect else { return plain() };
        match (self.status, &*self.content_type) {
            (200, "" | JSON | EVENTS) => self.denial(dialect, call),
            (_, "") => error(dialect, self.status, &self.message),
            _ => plain(),
        }
    }

    fn denial(&self, dialect: Dialect, call: Option<&ModelCall>) -> Response {
        let stream = match &*self.content_type {
            JSON => false,
            EVENTS => true,
            _ => call.is_some_and(|call| call.stream),
        };
        let body = dialect.denial(&Denial {
            message: &self.message,
            model: call
                .and_then(|c| c.sent.as_deref().or(c.asked.as_deref()))
                .unwrap_or(""),
            stream,
            created: now(),
            nonce: fastrand::u64(..),
        });
        of_type(200, if stream { EVENTS } else { JSON }, body)
    }
}

fn of_answer(code: i64) -> Result<u16, BuildError> {
    let known = u16::try_from(code).ok().filter(|c| (200..600).contains(c));
    known
        .filter(|c| !status::is_bodiless(*c) && !status::text(*c).is_empty())
        .ok_or_else(|| {
            BuildError::new(format!(
                "`onDenyResponse.statusCode` {code} is no status of an answer with a body"
            ))
            .help("write 200 for an answer that looks like the model's, or one from 400 on")
        })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::text;
    use super::*;
    use trilithon_flow::Format;

    fn deny(status: Option<i64>, content_type: &str) -> OnDeny {
        let config = OnDenyResponse {
            status_code: status,
            message: "no".into(),
            content_type: content_type.into(),
        };
        OnDeny::build(Some(&config), 403, "denied").unwrap()
    }

    #[test]
    fn answers() {
        let check = |on: OnDeny, stream: bool, status: u16, kind: &str, part: &str| {
            let call = ModelCall {
                stream,
                ..ModelCall::new(Format::Ccr)
            };
            let mut res = on.answer(Some(Dialect::Chat), Some(&call));
            assert_eq!(
                (res.status, res.headers.get_str("Content-Type")),
                (status, Some(kind))
            );
            let body = text(&mut res);
            assert!(body.contains(part), "{body}");
        };
        check(deny(None, ""), false, 403, JSON, r#"{"error":{"message":"no","#);
        check(deny(Some(429), ""), true, 429, JSON, "rate_limit_exceeded");
        check(deny(Some(200), ""), false, 200, JSON, r#""content":"no""#);
        check(deny(Some(200), ""), true, 200, EVENTS, "data: [DONE]");
        check(deny(Some(200), JSON), true, 200, JSON, "chat.completion");
        check(deny(Some(200), "text/plain"), false, 200, "text/plain", "no");
        check(deny(Some(403), "application/json"), false, 403, JSON, "no");
    }

    #[test]
    fn without_a_dialect_it_is_text() {
        let mut res = deny(None, "").answer(None, None);
        assert_eq!((res.status, text(&mut res).as_str()), (403, "no\n"));
    }

    #[test]
    fn bad_statuses_are_refused() {
        for bad in [0, 99, 100, 204, 304, 600, -1, 299] {
            let config = OnDenyResponse {
                status_code: Some(bad),
                ..OnDenyResponse::default()
            };
            assert!(OnDeny::build(Some(&config), 403, "").is_err(), "{bad}");
        }
    }
}
