//! `limit`

use trilithon_model_derive::Config;

use super::in_flight_req::SourceCriterion;
use crate::duration::Duration;
use crate::rollout::{Mode, Percent};

/// Limits how much each source may take: by one rule or several, all of which must allow a request; further ones get 429.
/// Trilithon's own. Routers that use the same middleware share its counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Limit {
    /// What makes requests one source; the client's address when absent.
    pub source_criterion: Option<SourceCriterion>,
    /// The rules, asked in this order. What one refuses is counted by none. Required.
    pub rules: Vec<LimitRule>,
    /// What a request costs; 1 when absent.
    pub cost: Option<LimitCost>,
    /// Headers that tell clients how much is left.
    #[config(default = "none".to_owned(), one_of("none", "ietf", "hub", "x-ratelimit"))]
    pub headers: String,
    /// How seriously it is taken.
    pub mode: Mode,
    /// For how many percent of callers.
    pub percent: Percent,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LimitRule {
    /// Its name in headers, log and store: letters, digits, `_`, `-`, `.`. Required where there are several rules.
    #[config(default = "default".to_owned())]
    pub name: String,
    /// How it counts: `gcra` evenly (a token bucket), `slidingWindow` so many in any stretch of `period`, nearly,
    /// `fixedWindow` so many in each stretch, `inFlight` so many at a time.
    #[config(default = "gcra".to_owned(), one_of("gcra", "slidingWindow", "fixedWindow", "inFlight"))]
    pub algorithm: String,
    /// Units per period; for `inFlight`, requests at a time. At least 1. Required.
    pub limit: i64,
    /// The time `limit` is meant for. Fixed windows begin at its multiples since 1970.
    pub period: Option<Duration>,
    /// In place of `period`, for `fixedWindow`: a stretch of the calendar, in UTC; weeks begin on Monday.
    #[config(one_of("hour", "day", "week", "month"))]
    pub calendar: String,
    /// Units that may come at once, for `gcra`; `limit` when absent.
    pub burst: Option<i64>,
    /// Which requests it counts, in Traefik Hub's language over the facts: ``Equals(`mcp.tool`, `send_mail`)``. All when this and
    /// `expression` are absent.
    #[config(rename = "match")]
    pub matches: String,
    /// Which requests it counts, in CEL over the facts: `mcp.tool == "send_mail"`.
    pub expression: String,
    /// Whether counts outlive the process, for windows of a second or more: in the [store](../../../install/store.md).
    pub durable: bool,
}

/// What a request costs. At most one of `header` and `responseBytes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct LimitCost {
    /// Units of each request; with one of the others, what is reserved until the true cost is known.
    #[config(default = 1)]
    pub units: i64,
    /// The answer says the true cost in this header, as a whole number. An answer that does not costs what was reserved;
    /// a request that no server answered costs nothing.
    pub header: String,
    /// The true cost is the bytes of the answer's body that were sent, or that came down an upgraded connection.
    pub response_bytes: bool,
}
