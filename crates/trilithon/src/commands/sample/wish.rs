//! Words that ask a sample for something else than its best: behind the model's name (`sample+status=503`), in the header `X-Sample` (`status=503; retry-after=2`), or in the query (`?status=503`).

use super::asked::Asked;
use super::model::dialect::Refusal;
use std::time::Duration;
use trilithon_flow::target::decode;

/// What goes wrong with an answer that was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// `cut`: the connection ends.
    Cut,
    /// `end`: the stream ends in order, but without its last event.
    End,
    /// `stall`: nothing more comes, until the client goes.
    Stall,
    /// `malformed`: what follows is no JSON.
    Malformed,
    /// `error`: the stream ends with an error event.
    Error,
}

/// Where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// `=head`: before the first byte.
    Head,
    /// `=N`: behind N events of a stream, or N bytes of a body.
    After(usize),
}

/// What the words of a request ask for. Words that are not known ask for nothing.
#[derive(Clone, Default)]
pub struct Wish {
    /// `status=N`, `overloaded`, `context-length`, `quota`: refused.
    pub refusal: Option<Refusal>,
    /// `times=N`: only the first N calls of this model or tool; then all is well.
    pub times: Option<usize>,
    /// `head=MS`, `first=MS`, `gap=MS`: waits before the head, before the body, between events.
    pub head: Duration,
    pub first: Duration,
    pub gap: Duration,
    /// `cut`, `end`, `stall`, `malformed`, `error`.
    pub breaks: Option<(Break, At)>,
    /// `html`: a page instead of an answer. `empty`: no body.
    pub html: bool,
    pub empty: bool,
    /// `type=X`: this content type.
    pub content_type: Option<String>,
    /// `tokens=N`, `huge=BYTES`: so much text. `say=TEXT`: this text (percent-encoded).
    pub tokens: Option<usize>,
    pub huge: Option<usize>,
    pub say: Option<String>,
    /// `call=NAME` or `call=all`: calls these tools, whatever the text says.
    pub call: Option<String>,
    /// `pieces=N`: tool arguments in pieces of N bytes (8).
    pub pieces: Option<usize>,
    /// `finish=REASON`: this reason, as it is.
    pub finish: Option<String>,
    /// `cached=N`: so many tokens came from a cache.
    pub cached: u64,
    /// `usage=none`: does not say what was used. `usage=every`: says it with each event.
    pub usage: Option<String>,
    /// `split=N`: written in pieces of N bytes. `crlf`: lines of events end so. `comments`: comments between events.
    pub split: Option<usize>,
    pub crlf: bool,
    pub comments: bool,
    /// `served=NAME`: the answer names this model.
    pub served: Option<String>,
    /// `strict`: refuses fields that are not documented.
    pub strict: bool,
    /// `tool-error`: the tool says that it failed. `code=N`: an error of JSON-RPC.
    pub tool_error: bool,
    pub code: Option<i64>,
    /// `lost`: the server has forgotten its sessions.
    pub lost: bool,
    /// `changed`: the tools are described in other words.
    pub changed: bool,
}

impl Wish {
    /// Reads the words of a request for `model`.
    pub fn of(model: &str, asked: &Asked) -> Wish {
        let header = asked.headers.get_str("X-Sample").unwrap_or_default();
        let mut wish = Wish::default();
        let words = model
            .split('+')
            .skip(1)
            .chain(header.split(';'))
            .chain(asked.query().split('&'));
        for word in words {
            let (name, value) = word.trim().split_once('=').unwrap_or((word.trim(), ""));
            wish.take(name, value);
        }
        if let Some(refusal) = &mut wish.refusal
            && refusal.retry_after.as_deref() == Some("")
        {
            refusal.retry_after = None;
        }
        wish
    }

    fn take(&mut self, name: &str, value: &str) {
        let millis = || Duration::from_millis(value.parse().unwrap_or(0));
        match name {
            "status" => self.refuse(Refusal::new(value.parse().unwrap_or(500), "as you wish")),
            "overloaded" => self.refuse(Refusal::overloaded()),
            "context-length" => self.refuse(Refusal::context_length()),
            "quota" => self.refuse(Refusal::quota()),
            "retry-after" => {
                let refusal = self
                    .refusal
                    .get_or_insert_with(|| Refusal::new(429, "as you wish"));
                refusal.retry_after = Some(value.to_owned());
            }
            "times" => self.times = value.parse().ok(),
            "head" => self.head = millis(),
            "first" => self.first = millis(),
            "gap" => self.gap = millis(),
            "cut" => self.breaks = at(Break::Cut, value),
            "end" => self.breaks = at(Break::End, value),
            "stall" => self.breaks = at(Break::Stall, value),
            "malformed" => self.breaks = at(Break::Malformed, value),
            "error" => self.breaks = at(Break::Error, value),
            "html" => self.html = true,
            "empty" => self.empty = true,
            "type" => self.content_type = Some(value.to_owned()),
            "tokens" => self.tokens = value.parse().ok(),
            "huge" => self.huge = value.parse().ok(),
            "say" => self.say = Some(String::from_utf8_lossy(&decode(value)).into_owned()),
            "call" => self.call = Some(value.to_owned()),
            "pieces" => self.pieces = value.parse().ok(),
            "finish" => self.finish = Some(value.to_owned()),
            "cached" => self.cached = value.parse().unwrap_or(0),
            "usage" => self.usage = Some(value.to_owned()),
            "split" => self.split = value.parse().ok().filter(|n| *n > 0),
            "crlf" => self.crlf = true,
            "comments" => self.comments = true,
            "served" => self.served = Some(value.to_owned()),
            "strict" => self.strict = true,
            "tool-error" => self.tool_error = true,
            "code" => self.code = value.parse().ok(),
            "lost" => self.lost = true,
            "changed" => self.changed = true,
            _ => {}
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        let retry_after = self.refusal.take().and_then(|r| r.retry_after);
        self.refusal = Some(Refusal {
            retry_after,
            ..refusal
        });
    }
}

fn at(what: Break, value: &str) -> Option<(Break, At)> {
    let place = match value {
        "head" => At::Head,
        _ => At::After(value.parse().unwrap_or(0)),
    };
    Some((what, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::Headers;

    fn wish(model: &str, header: &str, query: &str) -> Wish {
        let mut headers = Headers::new();
        headers.append("X-Sample", header);
        let asked = Asked {
            method: "POST".into(),
            target: format!("/v1/messages?{query}"),
            headers,
            body: Vec::new(),
        };
        Wish::of(model, &asked)
    }

    #[test]
    fn words_stand_in_three_places() {
        let all = wish(
            "sample+pieces=3+crlf",
            "cut=head; say=a%20b%zz",
            "gap=20&unknown&cached=4",
        );
        assert_eq!(all.pieces, Some(3));
        assert!(all.crlf && !all.comments);
        assert_eq!(all.breaks, Some((Break::Cut, At::Head)));
        assert_eq!(all.say.as_deref(), Some("a b%zz"));
        assert_eq!((all.gap, all.cached), (Duration::from_millis(20), 4));
    }

    #[test]
    fn refusals_keep_their_wait() {
        for header in ["status=503; retry-after=2", "retry-after=2; status=503"] {
            let refusal = wish("m", header, "").refusal.expect("a refusal");
            assert_eq!((refusal.status, refusal.retry_after.as_deref()), (503, Some("2")));
        }
        assert_eq!(wish("m+overloaded", "", "").refusal.map(|r| r.status), Some(529));
        assert!(wish("m", "", "").refusal.is_none());
    }
}
