//! How often each rule decided what: `trilithon_decisions_total`.

use std::sync::{Arc, OnceLock};
use trilithon_flow::{Mode, metrics};
use trilithon_policy::decide::Verdict;

const NAME: &str = "trilithon_decisions_total";
const HELP: &str = "Decisions of policies, by policy, rule, decision and mode.";

/// The counters of one policy. A series is there from its first decision on; after that, counting is one addition.
pub struct Counters {
    policy: Arc<str>,
    /// By the place of the rule; denied and allowed, each in shadow and enforced.
    cells: Box<[[OnceLock<Arc<metrics::Value>>; 4]]>,
}

impl Counters {
    pub fn new(policy: &str, places: usize) -> Counters {
        Counters {
            policy: policy.into(),
            cells: (0..places).map(|_| Default::default()).collect(),
        }
    }

    pub fn count(&self, verdict: &Verdict<'_>, mode: Mode) {
        let which = usize::from(verdict.allowed) * 2 + usize::from(mode == Mode::Enforce);
        if let Some(cells) = self.cells.get(verdict.place) {
            cells[which].get_or_init(|| self.series(verdict, mode)).inc();
        }
    }

    fn series(&self, verdict: &Verdict<'_>, mode: Mode) -> Arc<metrics::Value> {
        let labels = [
            ("policy", &*self.policy),
            ("rule", &**verdict.rule),
            ("decision", if verdict.allowed { "allow" } else { "deny" }),
            ("mode", mode.as_str()),
        ];
        metrics::registry().counter(NAME, HELP, &labels)
    }
}
