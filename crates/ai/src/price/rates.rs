//! What the tokens of one model cost.

use trilithon_flow::Usage;

/// Prices are for so many tokens.
const PER: i128 = 1_000_000;

/// The price of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub(super) base: Rates,
    /// Other rates for all tokens of a call whose prompt is longer, by length, the longest first.
    pub(super) above: Vec<(u64, Rates)>,
}

/// Billionths of a dollar for a million tokens of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rates {
    pub input: u64,
    pub output: u64,
    /// Input that came from the vendor's cache.
    pub cache_read: u64,
    /// Input that was written to it, for five minutes.
    pub cache_write: u64,
    /// Input that was written to it, for an hour.
    pub cache_write_hour: u64,
}

impl Price {
    /// What a call cost, in billionths of a dollar, rounded up. `usage.input` holds all input, with what went through a
    /// cache, whichever way the vendor counts.
    pub fn of(&self, usage: &Usage) -> i128 {
        let rates = self.rates(usage.input);
        let read = usage.cache_read.min(usage.input);
        let written = usage.cache_write.min(usage.input - read);
        let hour = usage.cache_write_hour.min(written);
        let cost = |tokens: u64, rate: u64| i128::from(tokens) * i128::from(rate);
        let all = cost(usage.input - read - written, rates.input)
            + cost(read, rates.cache_read)
            + cost(written - hour, rates.cache_write)
            + cost(hour, rates.cache_write_hour)
            + cost(usage.output, rates.output);
        (all + PER - 1).div_euclid(PER)
    }

    /// The most that so many tokens can cost: no cache makes them cheaper, and none of the prompt is cached dear.
    pub fn reserve(&self, input: u64, output: u64, writes_cache: bool) -> i128 {
        let rates = self.rates(input);
        let dearest = match writes_cache {
            true => rates.input.max(rates.cache_write).max(rates.cache_write_hour),
            false => rates.input,
        };
        let all = i128::from(input) * i128::from(dearest) + i128::from(output) * i128::from(rates.output);
        (all + PER - 1).div_euclid(PER)
    }

    fn rates(&self, input: u64) -> &Rates {
        let above = self.above.iter().find(|(tokens, _)| input > *tokens);
        above.map_or(&self.base, |(_, rates)| rates)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    /// A call as (input, output, read, written, written for an hour), of a model of the built-in table.
    fn check(model: &str, (input, output, read, write, hour): (u64, u64, u64, u64, u64), want: i128) {
        let usage = Usage {
            input,
            output,
            cache_read: read,
            cache_write: write,
            cache_write_hour: hour,
            ..Usage::default()
        };
        let table = Table::built_in();
        assert_eq!(table.price(model).unwrap().of(&usage), want, "{model} {usage:?}");
    }

    #[test]
    fn costs() {
        check("gpt-4o", (0, 0, 0, 0, 0), 0);
        check("gpt-4o", (1_000_000, 0, 0, 0, 0), 2_500_000_000);
        check("gpt-4o", (1_000, 500, 0, 0, 0), 2_500_000 + 5_000_000);
        check("gpt-4o", (1_000, 0, 400, 0, 0), 600 * 2_500 + 400 * 1_250);
        check("gpt-5-nano", (1, 0, 1, 0, 0), 5);
        check("gpt-4o-mini", (1, 0, 0, 0, 0), 150);
    }

    #[test]
    fn what_is_written_to_a_cache_costs_by_how_long_it_stays() {
        let (base, write, hour, read) = (3_000, 3_750, 6_000, 300);
        let want = 100 * base + 200 * read + 300 * write + 400 * hour;
        check("claude-sonnet-4-5", (1_000, 0, 200, 700, 400), want);
    }

    #[test]
    fn a_long_prompt_makes_the_whole_call_dearer() {
        check(
            "claude-sonnet-4-5",
            (200_000, 10, 0, 0, 0),
            200_000 * 3_000 + 10 * 15_000,
        );
        check(
            "claude-sonnet-4-5",
            (200_001, 10, 0, 0, 0),
            200_001 * 6_000 + 10 * 22_500,
        );
    }

    #[test]
    fn a_part_of_a_billionth_is_rounded_up() {
        let rates = |input| Rates {
            input,
            output: 0,
            cache_read: 0,
            cache_write: 0,
            cache_write_hour: 0,
        };
        let price = Price {
            base: rates(1),
            above: Vec::new(),
        };
        let usage = |input| Usage {
            input,
            ..Usage::default()
        };
        assert_eq!(price.of(&usage(1)), 1);
        assert_eq!(price.of(&usage(1_000_000)), 1);
        assert_eq!(price.of(&usage(1_000_001)), 2);
    }

    #[test]
    fn reports_that_contradict_themselves_are_not_paid_twice() {
        check("gpt-4o", (100, 0, 1_000, 1_000, 0), 100 * 1_250);
        check(
            "gpt-4o",
            (u64::MAX, u64::MAX, 0, 0, 0),
            i128::from(u64::MAX) * 12_500,
        );
    }

    #[test]
    fn a_reservation_is_never_less_than_the_cost() {
        let table = Table::built_in();
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            let input = random.u64(0..400_000);
            let usage = Usage {
                input,
                output: random.u64(0..10_000),
                cache_read: random.u64(0..=input),
                cache_write: random.u64(0..=input),
                cache_write_hour: random.u64(0..=input),
                ..Usage::default()
            };
            for model in ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro"] {
                let price = table.price(model).unwrap();
                assert!(
                    price.reserve(usage.input, usage.output, true) >= price.of(&usage),
                    "{usage:?}"
                );
            }
        }
    }
}
