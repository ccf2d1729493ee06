//! `api` and `ping`.

use trilithon_model_derive::Config;

/// The API and the dashboard.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Api {
    /// Prefix of `/api` and `/dashboard`.
    #[config(default = "/".to_owned())]
    pub base_path: String,
    /// Serve both on the entry point `traefik` without any protection.
    pub insecure: bool,
    /// Serve the dashboard.
    #[config(default = true)]
    pub dashboard: bool,
    /// Serve `/debug/vars` and `/debug/pprof`.
    pub debug: bool,
    /// Leave out advertising. Trilithon has none.
    pub disable_dashboard_ad: bool,
    /// Title of the dashboard.
    pub dashboard_name: String,
}

/// A page that says the gateway is alive: `/ping`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Ping {
    /// Entry point it is served on.
    #[config(default = "traefik".to_owned())]
    pub entry_point: String,
    /// Do not make a router for it; use `ping@internal` in one of your own.
    pub manual_routing: bool,
    /// Status answered while the gateway is stopping.
    #[config(default = 503)]
    pub terminating_status_code: i64,
}
