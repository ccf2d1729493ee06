//! `store`

use trilithon_model_derive::Config;

/// Where the gateway keeps what must outlive it: limits' counters, the audit log, the history of configurations.
/// Trilithon's own; Traefik has no such section.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Store {
    /// The folder; made when it is missing, readable by its owner alone. When empty: `$STATE_DIRECTORY` (systemd sets it),
    /// else `$XDG_STATE_HOME/trilithon`, else `~/.local/state/trilithon`, else `/var/lib/trilithon`.
    pub directory: String,
    /// Versions of the configuration that are kept for `history`, `diff` and `rollback`; 0 keeps none.
    #[config(default = 100)]
    pub max_versions: i64,
}
