//! `rateLimit`

use trilithon_model_derive::Config;

use super::forward_auth::ClientTls;
use super::in_flight_req::SourceCriterion;
use crate::duration::Duration;
use crate::rollout::{Mode, Percent};
use crate::secret::Secret;

/// Limits how fast requests of one source come; further ones get 429. A token bucket per source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct RateLimit {
    /// Requests per `period` in the long run; 0 means no limit.
    pub average: i64,
    /// The time `average` is meant for.
    #[config(default = Duration::from_secs(1))]
    pub period: Duration,
    /// Requests that may come at once.
    #[config(default = 1)]
    pub burst: i64,
    /// What makes requests one source; the client's address when absent.
    pub source_criterion: Option<SourceCriterion>,
    /// Share the counters of several gateways through Redis.
    pub redis: Option<Redis>,
    /// How seriously it is taken; `enforce` when absent. Not in Traefik.
    pub mode: Option<Mode>,
    /// For how many percent of callers; all when absent. Not in Traefik.
    pub percent: Option<Percent>,
    /// Headers that tell clients how much is left; none when absent. Not in Traefik.
    #[config(one_of("none", "ietf", "hub", "x-ratelimit"))]
    pub headers: String,
}

/// A Redis or Valkey that keeps shared counters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Redis {
    /// `host:port` of each node.
    #[config(default = vec!["127.0.0.1:6379".to_owned()])]
    pub endpoints: Vec<String>,
    /// TLS towards it.
    pub tls: Option<ClientTls>,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// Number of the database.
    pub db: i64,
    /// Connections kept; 0 means ten per CPU.
    pub pool_size: i64,
    /// Fewest idle connections kept.
    pub min_idle_conns: i64,
    /// Most connections at a time; 0 means no limit.
    pub max_active_conns: i64,
    /// How long an answer may take.
    #[config(default = Some(Duration::from_secs(3)))]
    pub read_timeout: Option<Duration>,
    /// How long sending may take.
    #[config(default = Some(Duration::from_secs(3)))]
    pub write_timeout: Option<Duration>,
    /// How long connecting may take.
    #[config(default = Some(Duration::from_secs(5)))]
    pub dial_timeout: Option<Duration>,
}
