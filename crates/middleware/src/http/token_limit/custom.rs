//! The tokens of answers that are of no known format: where they stand is configured.

use crate::http::model_call::decoded;
use crate::http::model_call::meter::{is_readable, is_stream};
use crate::http::model_call::watch::{self, Look};
use trilithon_ai::Query;
use trilithon_flow::model_call::Basis;
use trilithon_flow::{BuildError, Response, SharedCall, Usage};
use trilithon_model::dynamic::http::UsageQueries;
use trilithon_wire::json;

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
            input: parse("usage.inputTokens", &config.input_tokens)?,
            output: parse("usage.outputTokens", &config.output_tokens)?,
        })
    }
}

fn parse(option: &str, text: &str) -> Result<Query, BuildError> {
    Query::parse(text).map_err(|error| {
        BuildError::new(format!("`{option}` is no query: {error}"))
            .help("write names and places, such as `.usage.output_tokens` or `.results[0].tokens`")
    })
}

/// Reads the tokens of an answer as it goes by; the last that an event of a stream tells count.
pub(super) fn read(queries: &Queries, call: &SharedCall, res: Response) -> Response {
    if std::mem::replace(&mut call.borrow_mut().metered, true) {
        return res;
    }
    let mut res = decoded(res);
    if !is_readable(&res) {
        return res;
    }
    let looking = Looking {
        queries: queries.clone(),
        input: None,
        output: None,
        call: call.clone(),
    };
    let is_stream = is_stream(&res);
    res.body = watch::body(res.body.take(), is_stream, looking);
    res
}

struct Looking {
    queries: Queries,
    input: Option<u64>,
    output: Option<u64>,
    call: SharedCall,
}

impl Look for Looking {
    fn event(&mut self, data: &[u8]) {
        self.whole(data);
    }

    /// What the document does not tell is left as it was.
    fn whole(&mut self, document: &[u8]) {
        // What is no JSON tells nothing.
        let Ok(root) = json::parse(document) else { return };
        self.input = self.queries.input.number(&root).or(self.input);
        self.output = self.queries.output.number(&root).or(self.output);
        if self.input.is_none() && self.output.is_none() {
            return;
        }
        self.call.borrow_mut().count(Usage {
            input: self.input.unwrap_or(0),
            output: self.output.unwrap_or(0),
            basis: Basis::Reported,
            ..Usage::default()
        });
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
        for bad in ["", "usage", ".a..b", ".a[", ".a[x]", ".a[1"] {
            assert!(queries(bad, ".a").is_err(), "{bad}");
        }
        assert!(queries(".a[0][1].b", ".a").is_ok());
    }
}
