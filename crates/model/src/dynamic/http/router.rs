//! HTTP routers.

use trilithon_model_derive::Config;

use crate::dynamic::tls::Domain;

/// Chooses requests by a rule and hands them to a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Router {
    /// Entry points it listens on; the default ones when empty.
    pub entry_points: Vec<String>,
    /// Middlewares, the first outermost. They run after those of the entry point.
    pub middlewares: Vec<String>,
    /// The service that answers. Needed unless other routers name this one as parent.
    pub service: String,
    /// Which requests it takes, such as ``Host(`example.com`) && PathPrefix(`/api`)``.
    pub rule: String,
    /// Routers whose requests this one refines: it sees only what a parent has taken, after the parent's middlewares.
    #[config(no_labels)]
    pub parent_refs: Vec<String>,
    /// The rule language.
    #[config(
        deprecated = "write the rule in the v3 syntax and remove it",
        one_of("default", "v2", "v3")
    )]
    pub rule_syntax: String,
    /// Higher is tried first; 0 means the length of the rule in bytes.
    pub priority: i64,
    /// Takes TLS requests only, and ends TLS here.
    #[config(allow_empty)]
    pub tls: Option<RouterTls>,
    /// What is recorded of its requests; the entry point's choice when absent.
    pub observability: Option<Observability>,
}

/// TLS of a router.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct RouterTls {
    /// The set of TLS options to use; `default` when empty.
    pub options: String,
    /// The certificate resolver to ask.
    pub cert_resolver: String,
    /// Names to obtain certificates for; those of the rule when empty.
    pub domains: Vec<Domain>,
}

/// What is recorded of a request. Absent: as the entry point says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Observability {
    /// Write access log lines. True when neither router nor entry point says otherwise.
    pub access_logs: Option<bool>,
    /// Count in metrics. True when neither router nor entry point says otherwise.
    pub metrics: Option<bool>,
    /// Record traces. True when neither router nor entry point says otherwise.
    pub tracing: Option<bool>,
    /// How much a trace holds: `minimal` when empty.
    #[config(one_of("minimal", "detailed"))]
    pub trace_verbosity: String,
    /// Record requests in the audit log. Where neither router nor entry point says so or otherwise, calls of language models
    /// are (`chat-completion`, `responses-api`, `messages-api`), and others are not. Trilithon's own.
    pub audit: Option<bool>,
}
