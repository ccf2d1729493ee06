//! What kind of failure an answer of a model's server is.

use trilithon_flow::{BuildError, Fault, FaultKind, Known, Response};

/// The kinds of failure that make another target be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No connection: the name, TCP or TLS.
    Connect,
    /// Nothing in time.
    Timeout,
    /// 429.
    RateLimited,
    /// 503, and the 529 of Anthropic.
    Overloaded,
    /// Any other 5xx.
    ServerError,
    /// No valid answer, or one that breaks off before its first byte.
    Broken,
    /// A stream that begins with an error, or an answer that is one.
    ErrorEvent,
    /// An answer that was held and is no valid one: empty, cut short, no JSON.
    Malformed,
    /// The call is too long for the model.
    ContextLength,
}

impl Class {
    pub const ALL: [Class; 9] = [
        Class::Connect,
        Class::Timeout,
        Class::RateLimited,
        Class::Overloaded,
        Class::ServerError,
        Class::Broken,
        Class::ErrorEvent,
        Class::Malformed,
        Class::ContextLength,
    ];

    /// As `failover.on` writes it.
    fn word(self) -> &'static str {
        match self {
            Class::Connect => "connect",
            Class::Timeout => "timeout",
            Class::RateLimited => "rateLimited",
            Class::Overloaded => "overloaded",
            Class::ServerError => "serverError",
            Class::Broken => "broken",
            Class::ErrorEvent => "errorEvent",
            Class::Malformed => "malformed",
            Class::ContextLength => "contextLength",
        }
    }

    /// As the record of an attempt names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::RateLimited => "rate_limited",
            Class::ServerError => "server_error",
            Class::ErrorEvent => "error_event",
            Class::ContextLength => "context_length",
            other => other.word(),
        }
    }

    /// The class of a head; `None` for an answer that is the client's, for better or worse.
    pub fn of(res: &Response) -> Option<Class> {
        match &res.fault {
            Some(fault) => Class::of_fault(fault),
            None => match res.status {
                429 => Some(Class::RateLimited),
                503 | 529 => Some(Class::Overloaded),
                504 => Some(Class::Timeout),
                500..600 => Some(Class::ServerError),
                _ => None,
            },
        }
    }

    /// The class of a failure; `None` where the client or the gateway is at fault.
    pub fn of_fault(fault: &Fault) -> Option<Class> {
        match fault.kind {
            FaultKind::Connect | FaultKind::ConnectTimeout | FaultKind::Tls => Some(Class::Connect),
            FaultKind::ResponseTimeout => Some(Class::Timeout),
            FaultKind::Closed | FaultKind::Broken | FaultKind::Malformed => Some(Class::Broken),
            _ => None,
        }
    }

    /// The class of the first bytes of a body, as they lie in the buffer; none at all are its end.
    pub fn of_first(res: &Response, first: &[u8]) -> Option<Class> {
        let kind = res.headers.known(Known::ContentType)?;
        if !kind.starts_with(b"text/event-stream") {
            return None;
        }
        if first.is_empty() {
            return Some(Class::Broken);
        }
        begins_with_error(first).then_some(Class::ErrorEvent)
    }
}

/// Whether the first line that is no comment begins an error event of one of the dialects.
pub(super) fn begins_with_error(events: &[u8]) -> bool {
    let lines = events.split(|b| matches!(b, b'\n' | b'\r'));
    let line = lines
        .into_iter()
        .find(|line| !line.is_empty() && !line.starts_with(b":"));
    let field = |line: &[u8], name: &str| -> Option<Vec<u8>> {
        let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        let bare = value.iter().filter(|b| !b.is_ascii_whitespace());
        Some(bare.take(9).copied().collect())
    };
    line.is_some_and(|line| {
        field(line, "event").is_some_and(|name| name == b"error")
            || field(line, "data").is_some_and(|data| data.starts_with(b"{\"error\":"))
    })
}

/// Some of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes(u16);

impl Classes {
    /// All but the one that says nothing against who is asked.
    pub const USUAL: Classes = Classes(!(1 << Class::ContextLength as u16));

    /// The classes that `option` names; `None` when it names none.
    ///
    /// # Errors
    /// A word that names no class.
    pub fn of(option: &str, words: &[String]) -> Result<Option<Classes>, BuildError> {
        let class = |word: &String| {
            let class = Class::ALL.into_iter().find(|c| c.word() == word);
            class.ok_or_else(|| {
                BuildError::new(format!("`{option}` names `{word}`, which is no class of failure"))
                    .help(format!(
                        "write some of {}",
                        Class::ALL.map(Class::word).join(", ")
                    ))
                    .at(word, 0)
            })
        };
        let all = words
            .iter()
            .try_fold(0, |sum, word| class(word).map(|class| sum | 1 << class as u16))?;
        Ok((!words.is_empty()).then_some(Classes(all)))
    }

    pub fn has(self, class: Class) -> bool {
        self.0 & 1 << class as u16 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let check = |status, want| assert_eq!(Class::of(&Response::new(status)), want, "{status}");
        for kept in [200, 204, 301, 400, 401, 404, 413, 499] {
            check(kept, None);
        }
        check(429, Some(Class::RateLimited));
        check(500, Some(Class::ServerError));
        check(502, Some(Class::ServerError));
        check(503, Some(Class::Overloaded));
        check(504, Some(Class::Timeout));
        check(529, Some(Class::Overloaded));
    }

    #[test]
    fn failures() {
        let check = |kind, want| assert_eq!(Class::of(&Fault::new(kind, "x").into()), want, "{kind:?}");
        check(FaultKind::Connect, Some(Class::Connect));
        check(FaultKind::Tls, Some(Class::Connect));
        check(FaultKind::ResponseTimeout, Some(Class::Timeout));
        check(FaultKind::Malformed, Some(Class::Broken));
        check(FaultKind::ClientGone, None);
        check(FaultKind::TooLarge, None);
    }

    #[test]
    fn beginnings() {
        let check = |first: &str, want| {
            let mut res = Response::new(200);
            res.headers
                .set_known(Known::ContentType, "text/event-stream; charset=utf-8");
            assert_eq!(Class::of_first(&res, first.as_bytes()), want, "{first:?}");
            res.headers.set_known(Known::ContentType, "application/json");
            assert_eq!(Class::of_first(&res, first.as_bytes()), None, "{first:?}");
        };
        check("", Some(Class::Broken));
        check(": ping\r\n\r\n", None);
        check("event: error\ndata: {}\n\n", Some(Class::ErrorEvent));
        check("event:error\r\n", Some(Class::ErrorEvent));
        check("event: errors\n", None);
        check("event: message_start\n", None);
        check(": ping\n\ndata: { \"error\" : {}}\n\n", Some(Class::ErrorEvent));
        check("data: {\"error", None);
        check("data: {\"id\":1}\n\nevent: error\n\n", None);
    }

    #[test]
    fn words() {
        let of = |words: &[&str]| {
            Classes::of(
                "failover.on",
                &words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(),
            )
        };
        assert_eq!(of(&[]).unwrap(), None);
        let usual = Class::ALL.into_iter().filter(|c| Classes::USUAL.has(*c));
        assert_eq!(usual.count(), Class::ALL.len() - 1);
        assert!(!Classes::USUAL.has(Class::ContextLength));
        let some = of(&["broken", "contextLength"]).unwrap().unwrap();
        assert!(some.has(Class::Broken) && some.has(Class::ContextLength) && !some.has(Class::Timeout));
        let error = of(&["broken", "slow"]).unwrap_err().message;
        assert_eq!(error, "`failover.on` names `slow`, which is no class of failure");
    }
}
