//! What a call is expected to take, and how much of that is set aside.

use super::Quantity;
use bytes::Bytes;
use trilithon_ai::dialect;
use trilithon_ai::price::Price;
use trilithon_ai::tokens::{Family, Forecasts, Kind, LONGEST_FORECAST, Prompt, Ratios};
use trilithon_flow::model_call::Basis;
use trilithon_wire::contains;
use trilithon_wire::json::Text;

/// How much is set aside before a call (`reserve`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reserve {
    /// The prompt, and an answer as long as most were. A part of a limit at most, so that one call never holds all of it.
    Adaptive,
    /// The prompt, and the longest answer that the call allows.
    WorstCase,
    /// One unit: whether anything is left.
    Nothing,
}

/// An answer is expected to take this part of a limit at most: several calls find room, even under a small limit.
const ANSWERS: u64 = 4;

/// What a call is expected to take.
pub(super) struct Expected {
    pub family: Family,
    /// Tokens of the prompt as they were counted, before any correction.
    pub counted: u64,
    pub input: u64,
    pub basis: Basis,
    pub output: u64,
    /// What is learned of calls like it.
    pub kind: Kind,
    /// Something of the prompt is to be kept in the vendor's cache.
    writes_cache: bool,
}

impl Expected {
    /// What a call with this body is expected to take.
    pub fn of(
        (body, request): (&Bytes, &dialect::Request),
        model: &str,
        caller: &[u8],
        (forecasts, ratios): (&Forecasts, &Ratios),
        reserve: Reserve,
    ) -> Expected {
        let family = Family::of(model);
        let prompt = prompt(family, body, request);
        let (input, basis) = prompt.tokens(ratios);
        let kind = Kind::of(model, caller, request.stream);
        let longest = request.max_output.unwrap_or(LONGEST_FORECAST);
        let each = match reserve {
            Reserve::WorstCase => longest,
            Reserve::Adaptive | Reserve::Nothing => forecasts.of(kind).min(longest),
        };
        Expected {
            family,
            counted: prompt.raw(),
            input,
            basis,
            output: each.saturating_mul(request.choices.max(1)),
            kind,
            writes_cache: contains(body, b"\"cache_control\""),
        }
    }

    /// What is known of a body that says nothing of itself: its length.
    pub fn of_length(body: usize, caller: &[u8], forecasts: &Forecasts) -> Expected {
        let kind = Kind::of("", caller, false);
        let tokens = body as u64 / 4;
        Expected {
            family: Family::Other,
            counted: tokens,
            input: tokens,
            basis: Basis::Estimated,
            output: forecasts.of(kind),
            kind,
            writes_cache: false,
        }
    }

    /// Units of `quantity` to set aside, of a limit that allows so many.
    pub fn units(&self, quantity: Quantity, reserve: Reserve, limit: u64, price: Option<&Price>) -> u64 {
        let output = |most: u64| match reserve {
            Reserve::Adaptive => self.output.min(most),
            _ => self.output,
        };
        let units = match (quantity, reserve) {
            // Nothing is known to be asked for; a free call is let in under a budget that is used up.
            (Quantity::Cost, _) if price.is_none() => return 0,
            (_, Reserve::Nothing) => return 1,
            (Quantity::Input, _) => self.input,
            (Quantity::Output, _) => output(limit / ANSWERS),
            (Quantity::Total, _) => self.input.saturating_add(output(limit / ANSWERS)),
            (Quantity::Cost, _) => self.cost(price, limit, reserve),
        };
        match reserve {
            // What is larger than the limit finds room when all of it is free.
            Reserve::Adaptive => units.clamp(1, limit),
            _ => units.max(1),
        }
    }

    fn cost(&self, price: Option<&Price>, limit: u64, reserve: Reserve) -> u64 {
        let Some(price) = price else { return 0 };
        let nano = |input, output| {
            u64::try_from(price.reserve(input, output, self.writes_cache)).unwrap_or(u64::MAX)
        };
        let (prompt, all) = (nano(self.input, 0), nano(self.input, self.output));
        match reserve {
            Reserve::Adaptive => all.min(prompt.saturating_add(limit / ANSWERS)),
            _ => all,
        }
    }
}

fn prompt(family: Family, body: &Bytes, request: &dialect::Request) -> Prompt {
    let mut prompt = Prompt::new(family);
    let doc = std::str::from_utf8(body).unwrap_or_default();
    let mut messages = 0;
    for slot in &request.slots {
        prompt.text(Text::at(doc, slot.range.clone()).to_str().as_bytes());
        messages = messages.max(slot.message.map_or(0, |at| at as u64 + 1));
    }
    prompt.messages(messages);
    prompt.images(request.opaque.len() as u64);
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_ai::dialect::Dialect;
    use trilithon_ai::price::Table;

    fn expected(body: &'static str, reserve: Reserve) -> Expected {
        let body = Bytes::from_static(body.as_bytes());
        let request = Dialect::Chat.request(&body).unwrap();
        let learned = (&Forecasts::default(), &Ratios::default());
        Expected::of((&body, &request), "gpt-4o", b"", learned, reserve)
    }

    const SMALL: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"abcdabcd"}]}"#;
    const BOUNDED: &str =
        r#"{"model":"gpt-4o","max_tokens":100,"n":2,"messages":[{"role":"user","content":"abcdabcd"}]}"#;

    #[test]
    fn what_is_set_aside() {
        let check = |body, reserve, limit: u64, want: [u64; 4]| {
            let expected = expected(body, reserve);
            let price = Table::built_in().price("gpt-4o").cloned();
            let units = |quantity| expected.units(quantity, reserve, limit, price.as_ref());
            let got = [Quantity::Input, Quantity::Output, Quantity::Total, Quantity::Cost].map(units);
            assert_eq!(got, want, "{body} {reserve:?} {limit}");
        };
        let (much, cost) = (1 << 40, |output: u64| 8 * 2_500 + output * 10_000);
        check(SMALL, Reserve::Adaptive, much, [8, 1_024, 1_032, cost(1_024)]);
        check(BOUNDED, Reserve::Adaptive, much, [8, 200, 208, cost(200)]);
        check(SMALL, Reserve::WorstCase, much, [8, 32_768, 32_776, cost(32_768)]);
        check(BOUNDED, Reserve::WorstCase, much, [8, 200, 208, cost(200)]);
        check(SMALL, Reserve::Nothing, much, [1, 1, 1, 1]);
        // Never the whole of a small limit for an answer, and never more than a limit.
        check(SMALL, Reserve::Adaptive, 100, [8, 25, 33, 100]);
        check(SMALL, Reserve::Adaptive, 4, [4, 1, 4, 4]);
        check(BOUNDED, Reserve::WorstCase, 100, [8, 200, 208, cost(200)]);
    }

    #[test]
    fn a_model_without_a_price_costs_nothing_that_is_known() {
        let units = expected(SMALL, Reserve::Adaptive).units(Quantity::Cost, Reserve::Adaptive, 10, None);
        assert_eq!(units, 0);
    }

    #[test]
    fn all_that_is_said_counts() {
        let tools = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","description":"looks something up"}}]}"#;
        let image = r#"{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x/"}}]}]}"#;
        assert!(expected(tools, Reserve::Adaptive).input > expected(SMALL, Reserve::Adaptive).input);
        assert!(expected(image, Reserve::Adaptive).input >= 765);
    }
}
