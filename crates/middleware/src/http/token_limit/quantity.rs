//! What a limit counts.

use trilithon_ai::price::Dollars;
use trilithon_flow::{Headers, Usage};

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Quantity {
    Input,
    Output,
    Total,
    /// Billionths of a dollar.
    Cost,
}

impl Quantity {
    pub fn as_str(self) -> &'static str {
        match self {
            Quantity::Input => "input",
            Quantity::Output => "output",
            Quantity::Total => "total",
            Quantity::Cost => "cost",
        }
    }

    pub fn option(self) -> &'static str {
        match self {
            Quantity::Input => "inputTokenLimit",
            Quantity::Output => "outputTokenLimit",
            Quantity::Total => "totalTokenLimit",
            Quantity::Cost => "costLimit",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Quantity::Input => "X-Ratelimit-Remaining-Tokens-Input",
            Quantity::Output => "X-Ratelimit-Remaining-Tokens-Output",
            Quantity::Total => "X-Ratelimit-Remaining-Tokens-Total",
            Quantity::Cost => "X-Ratelimit-Remaining-Cost",
        }
    }

    /// Units of a call that took so much.
    pub fn of(self, usage: &Usage, cost: u64) -> u64 {
        match self {
            Quantity::Input => usage.input,
            Quantity::Output => usage.output,
            Quantity::Total => usage.total(),
            Quantity::Cost => cost,
        }
    }

    /// Tells a client how much is left.
    pub fn remaining(self, units: u64, headers: &mut Headers) {
        match self {
            Quantity::Cost => headers.append(self.header(), Dollars(units.into()).to_string()),
            _ => headers.append(self.header(), itoa::Buffer::new().format(units)),
        }
    }
}
