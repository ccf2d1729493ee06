//! The tokens of answers that are of no known format: where they stand is configured.

use crate::http::model_call::Tap;
use crate::http::model_call::meter::{is_readable, is_stream};
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use trilithon_flow::limits::MAX_MODEL_ANSWER;
use trilithon_flow::model_call::Basis;
use trilithon_flow::{Body, BuildError, Fault, Headers, Response, SharedCall, Source, Usage};
use trilithon_model::dynamic::http::UsageQueries;
use trilithon_wire::json::{self, Value};

/// Steps of a query.
const MAX_STEPS: usize = 32;

/// Where an answer tells its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queries {
    input: Query,
    output: Query,
}

impl Queries {
    /// # Errors
    /// A query that is none.
    pub fn build(config: &UsageQueries) -> Result<Queries, BuildError> {
        Ok(Queries {
            input: Query::parse("usage.inputTokens", &config.input_tokens)?,
            output: Query::parse("usage.outputTokens", &config.output_tokens)?,
        })
    }

    /// The tokens that a document tells; what it does not tell is left as it was.
    fn look(&self, document: &[u8], found: &mut Found) {
        // What is no JSON tells nothing.
        let Ok(root) = json::parse(document) else { return };
        found.input = self.input.number(&root).or(found.input);
        found.output = self.output.number(&root).or(found.output);
    }
}

/// Names and places behind each other: `.usage.tokens`, `.results[0].tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Query(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(Box<str>),
    Place(usize),
}

impl Query {
    fn parse(option: &str, text: &str) -> Result<Query, BuildError> {
        let wrong = || {
            BuildError::new(format!("`{option}` is no query: `{text}`"))
                .help("write names and places, such as `.usage.output_tokens` or `.results[0].tokens`")
        };
        let rest = text.strip_prefix('.').ok_or_else(wrong)?;
        let mut parts = Vec::new();
        for word in rest.split('.') {
            let (name, places) = word.find('[').map_or((word, ""), |at| word.split_at(at));
            if name.is_empty() {
                return Err(wrong());
            }
            parts.push(Part::Name(name.into()));
            for place in places.split_terminator(']') {
                let place = place.strip_prefix('[').and_then(|n| n.parse().ok());
                parts.push(Part::Place(place.ok_or_else(wrong)?));
            }
            if !places.is_empty() && !places.ends_with(']') {
                return Err(wrong());
            }
        }
        if parts.len() > MAX_STEPS {
            return Err(wrong());
        }
        Ok(Query(parts))
    }

    fn number(&self, root: &Value<'_>) -> Option<u64> {
        let mut at = root.clone();
        for part in &self.0 {
            at = match part {
                Part::Name(name) => at.get(name)?,
                Part::Place(place) => at.items().nth(*place)?,
            };
        }
        at.as_u64()
    }
}

/// Reads the tokens of an answer as it goes by; the last that an event of a stream tells count.
pub(super) fn read(queries: &Queries, call: &SharedCall, mut res: Response) -> Response {
    if std::mem::replace(&mut call.borrow_mut().metered, true) || !is_readable(&res) {
        return res;
    }
    let reading = match is_stream(&res) {
        true => Reading::Events(Tap::default()),
        false => Reading::Whole(Vec::new()),
    };
    res.body = Body::from_source(Looking {
        body: res.body.take(),
        seen: 0,
        reading,
        look: Look {
            queries: queries.clone(),
            found: Found::default(),
            call: call.clone(),
        },
    });
    res
}

#[derive(Default)]
struct Found {
    input: Option<u64>,
    output: Option<u64>,
}

struct Look {
    queries: Queries,
    found: Found,
    call: SharedCall,
}

impl Look {
    fn look(&mut self, document: &[u8]) {
        self.queries.look(document, &mut self.found);
        if self.found.input.is_none() && self.found.output.is_none() {
            return;
        }
        self.call.borrow_mut().count(Usage {
            input: self.found.input.unwrap_or(0),
            output: self.found.output.unwrap_or(0),
            basis: Basis::Reported,
            ..Usage::default()
        });
    }
}

enum Reading {
    Events(Tap),
    Whole(Vec<u8>),
    /// It has ended, or is too large.
    Done,
}

impl Reading {
    fn see(&mut self, new: &[u8], look: &mut Look) {
        match self {
            Reading::Events(tap) => tap.see(new, |raw, frame| look.look(&frame.data(raw))),
            Reading::Whole(all) if all.len() + new.len() <= MAX_MODEL_ANSWER => all.extend_from_slice(new),
            Reading::Whole(_) => *self = Reading::Done,
            Reading::Done => {}
        }
    }

    fn end(&mut self, look: &mut Look) {
        match std::mem::replace(self, Reading::Done) {
            Reading::Events(mut tap) => tap.end(|raw, frame| look.look(&frame.data(raw))),
            Reading::Whole(all) => look.look(&all),
            Reading::Done => {}
        }
    }
}

struct Looking {
    body: Body,
    /// Of the bytes that are lent: those that were looked at.
    seen: usize,
    reading: Reading,
    look: Look,
}

impl Source for Looking {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        let lent = ready!(self.body.poll_fill(cx))?;
        if lent.is_empty() {
            self.reading.end(&mut self.look);
        } else if let Some(new) = lent.get(self.seen..).filter(|new| !new.is_empty()) {
            self.reading.see(new, &mut self.look);
            self.seen = lent.len();
        }
        Poll::Ready(Ok(lent))
    }

    fn consume(&mut self, n: usize) {
        self.body.consume(n);
        self.seen = self.seen.saturating_sub(n);
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let chunk = ready!(self.body.poll_chunk(cx))?;
        if chunk.is_empty() {
            self.reading.end(&mut self.look);
        } else {
            let seen = std::mem::take(&mut self.seen);
            self.reading
                .see(chunk.get(seen..).unwrap_or_default(), &mut self.look);
        }
        Poll::Ready(Ok(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::super::testing::block_on;
    use super::*;
    use trilithon_flow::{Format, Known, ModelCall};

    fn queries(input: &str, output: &str) -> Result<Queries, BuildError> {
        Queries::build(&UsageQueries {
            input_tokens: input.into(),
            output_tokens: output.into(),
        })
    }

    fn check(kind: &str, pieces: &[&'static str], want: Option<(u64, u64)>) {
        let call = ModelCall::new(Format::Custom).shared();
        let mut res = Response::new(200);
        res.headers.set_known(Known::ContentType, kind);
        res.body = Script::new(pieces.iter().map(|p| Act::Data(p.as_bytes()))).body();
        let mut res = read(&queries(".usage.in", ".list[1].out").unwrap(), &call, res);
        let body = block_on(res.body.collect(1 << 20)).unwrap();
        assert_eq!(body, pieces.concat(), "not a byte changes");
        let usage = call.borrow().usage;
        assert_eq!(usage.map(|u| (u.input, u.output)), want, "{pieces:?}");
    }

    #[test]
    fn tokens_are_found_where_they_are_said_to_be() {
        let whole = ["{\"usage\":{\"in\":3},", "\"list\":[1,{\"out\":4}]}"];
        check("application/json", &whole, Some((3, 4)));
        check("application/json", &["{\"usage\":{\"in\":\"3\"}}"], None);
        check("application/json", &["{"], None);
        let events = [
            "data: {\"usage\":{\"in\":3}}\n\nda",
            "ta: {\"list\":[0,{\"out\":1}]}\n\ndata: {\"list\":[0,{\"out\":9}]}",
        ];
        check("text/event-stream", &events, Some((3, 9)));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for bad in ["", "usage", ".", ".a..b", ".a[", ".a[x]", ".a[1", ".[0]"] {
            assert!(queries(bad, ".a").is_err(), "{bad}");
        }
        assert!(queries(".a[0][1].b", ".a").is_ok());
    }
}
