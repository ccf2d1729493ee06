//! `audit`

use trilithon_model_derive::Config;

use crate::duration::Duration;

/// What the audit log holds and how it is kept. Trilithon's own; Traefik has no such section. The log is written without this
/// section too; with it the gateway does not start when the log cannot be written.
///
/// Recorded are changes of the configuration and the requests of routers with `observability.audit`. Bodies never are.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Audit {
    /// Request headers that are recorded. None when empty.
    pub headers: Vec<String>,
    /// Claims of the caller's credential that are recorded, by their first-level names. None when empty.
    pub claims: Vec<String>,
    /// Query parameters whose values are recorded; of all others only the names are.
    pub query: Vec<String>,
    /// Regular expressions. What they match in anything recorded becomes `xxxx`. When not given: JSON web tokens, and keys that
    /// begin like those of well-known services.
    #[config(default = secrets())]
    pub redact: Vec<String>,
    /// The longest that an entry waits for a signed checkpoint that covers it.
    #[config(default = Duration::from_secs(1))]
    pub checkpoint_interval: Duration,
    /// Megabytes of entries at which a log is closed and the next one begun.
    #[config(default = 256)]
    pub max_size: i64,
    /// Age at which a log is closed and the next one begun; 0 means never.
    #[config(default = Duration::from_secs(24 * 3600))]
    pub rotate_every: Duration,
    /// Closed logs that are kept; 0 keeps all.
    #[config(default = 90)]
    pub max_backups: i64,
    /// What checkpoints call the log, before `/audit/` and its number. The host's name when empty.
    pub origin: String,
}

fn secrets() -> Vec<String> {
    [
        r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        r"\b(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abprs])[-_][A-Za-z0-9_-]{16,}",
        r"\bAKIA[A-Z0-9]{16}\b",
    ]
    .map(str::to_owned)
    .to_vec()
}
