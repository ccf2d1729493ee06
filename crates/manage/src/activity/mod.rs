//! What goes on now: the last calls through the three gates with what was decided on them, and what calls of models cost since the
//! start. It is there while the API is on; without it no exchange is looked at.

mod call;
mod failing;
mod recent;
mod spend;

use call::Call;
use recent::Recent;
use serde_json::{Value, json};
use spend::Spend;
use std::time::SystemTime;
use trilithon_engine::report::Report;
use trilithon_flow::{Observer, Record};

/// What is known of the process so far.
#[derive(Default)]
pub struct Activity {
    recent: Recent,
    spend: Spend,
}

impl Observer for Activity {
    fn observe(&self, record: &Record) {
        if let Some(call) = Call::of(record) {
            self.recent.add(call);
        }
        self.spend.count(record);
    }
}

impl Activity {
    /// The answer of `/api/activity`.
    pub(crate) fn answer(&self, report: &Report, started: SystemTime) -> Value {
        json!({
            "since": millis(started),
            "failing": failing::of(report),
            "calls": self.recent.last(Call::told),
            "spend": self.spend.told(),
        })
    }
}

/// Milliseconds since 1970.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
