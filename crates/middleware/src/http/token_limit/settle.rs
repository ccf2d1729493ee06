//! What was set aside for a call, settled once with what it took, however it ended.

use super::quantity::Quantity;
use smallvec::SmallVec;
use std::sync::Arc;
use trilithon_ai::price::Prices;
use trilithon_ai::tokens::{Family, Forecasts, Kind, Ratios};
use trilithon_flow::metrics::Value;
use trilithon_flow::model_call::Basis;
use trilithon_flow::{Held, ModelCall, SharedCall};
use trilithon_limit::{Charges, clock};

/// What calls teach.
pub(super) struct Learned {
    pub forecasts: Arc<Forecasts>,
    pub ratios: Arc<Ratios>,
}

/// Charges of one call. Dropped, they are settled: with what the call is known to have taken, with nothing when no model was
/// asked, and as they were reserved when nobody can tell.
pub(super) struct Settling {
    pub charges: Charges,
    pub quantities: Arc<[Quantity]>,
    pub call: SharedCall,
    pub prices: Arc<Prices>,
    pub learned: Arc<Learned>,
    /// Of the prompt: the family, the tokens as counted, what is learned of calls like it.
    pub family: Family,
    pub counted: u64,
    /// Answers that took something before these charges were reserved: they are somebody else's to settle.
    pub before: usize,
    pub kind: Kind,
    /// Calls that are not settled.
    pub open: Arc<Value>,
    pub end: End,
}

/// How an exchange ended, as far as its answer's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There was no answer yet.
    Unknown,
    /// A model's answer, whose body may still be under way.
    Answered,
    /// No model worked for it: nobody was reached, or the answer is an error.
    Refused,
}

impl Held for Settling {}

impl Settling {
    /// What the call came to by each limit, attempts that came to nothing included; `None` when nobody can tell.
    fn actual(&self, call: &ModelCall) -> Option<SmallVec<[u64; 4]>> {
        // Whoever answered in place of a model took no tokens.
        let is_known = call.usage.is_some() || self.end == End::Refused || call.denied_by.is_some();
        if !is_known {
            return None;
        }
        let table = self.prices.table();
        let mut sums: SmallVec<[u64; 4]> = self.quantities.iter().map(|_| 0).collect();
        for taken in call.taken().skip(self.before) {
            // 0 for a model that has no price: whether those are let in was decided before.
            let cost = table.of(&taken).map_or(0, |(_, price)| price.of(&taken.usage));
            let cost = u64::try_from(cost).unwrap_or(u64::MAX);
            for (sum, quantity) in sums.iter_mut().zip(&*self.quantities) {
                *sum = sum.saturating_add(quantity.of(&taken.usage, cost));
            }
        }
        Some(sums)
    }

    fn learn(&self, call: &ModelCall) {
        let Some(usage) = call.usage.filter(|usage| usage.basis == Basis::Reported) else {
            return;
        };
        self.learned.forecasts.learn(self.kind, usage.output);
        self.learned.ratios.learn(self.family, self.counted, usage.input);
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.open.add(-1);
        let charges = std::mem::take(&mut self.charges);
        // Whoever has it open for writing is being dropped too: what was reserved stands.
        let Ok(call) = self.call.try_borrow() else {
            return;
        };
        if let Some(actual) = self.actual(&call) {
            charges.settle_each(&actual, clock::now());
        }
        self.learn(&call);
    }
}
