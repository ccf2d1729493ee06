//! What was set aside for a call, settled once with what it took, however it ended.

use super::Quantity;
use smallvec::SmallVec;
use std::sync::Arc;
use trilithon_ai::price::Prices;
use trilithon_ai::tokens::{Family, Forecasts, Kind, Ratios};
use trilithon_flow::metrics::Value;
use trilithon_flow::model_call::Basis;
use trilithon_flow::{Held, ModelCall, SharedCall, Usage};
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
    /// What the call came to by each limit; `None` when nobody can tell.
    fn actual(&self, call: &ModelCall) -> Option<SmallVec<[u64; 4]>> {
        let usage = match (call.usage, self.end) {
            (Some(usage), _) => usage,
            // Whoever answered in place of a model took no tokens.
            (None, End::Refused) => Usage::default(),
            (None, _) if call.denied_by.is_some() => Usage::default(),
            (None, End::Unknown | End::Answered) => return None,
        };
        let cost = cost(call, &usage, &self.prices);
        Some(self.quantities.iter().map(|q| q.of(&usage, cost)).collect())
    }

    fn learn(&self, call: &ModelCall) {
        let Some(usage) = call.usage.filter(|usage| usage.basis == Basis::Reported) else {
            return;
        };
        self.learned.forecasts.learn(self.kind, usage.output);
        self.learned.ratios.learn(self.family, self.counted, usage.input);
    }
}

/// What a call cost, in billionths of a dollar: by the model that served it, else by the one that was sent. 0 for one that
/// has no price: whether those are let in was decided before.
fn cost(call: &ModelCall, usage: &Usage, prices: &Prices) -> u64 {
    let names = [&call.served, &call.sent, &call.asked];
    let price = names
        .into_iter()
        .flatten()
        .find_map(|model| prices.table().price(model));
    price.map_or(0, |price| u64::try_from(price.of(usage)).unwrap_or(u64::MAX))
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
