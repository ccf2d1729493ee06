//! What became of each object of the configuration: enabled, warning or disabled, why, and who uses it.

use std::collections::BTreeMap;
use std::sync::Arc;
use trilithon_model::dynamic::http;
use trilithon_model::spanned::Spanned;
use trilithon_tls::CertificateFacts;
use trilithon_upstream::Backend;

/// What an object is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    #[default]
    Enabled,
    Warning,
    Disabled,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Enabled => "enabled",
            Status::Warning => "warning",
            Status::Disabled => "disabled",
        }
    }
}

/// One object.
#[derive(Clone)]
pub struct Entry<T> {
    pub config: Spanned<T>,
    pub status: Status,
    pub errors: Vec<String>,
    /// Routers that use it.
    pub used_by: Vec<String>,
    /// Entry points that a router is served on.
    pub using: Vec<String>,
    /// Effective priority of a router.
    pub priority: i64,
    /// The built service, for the state of its servers.
    pub backend: Option<Arc<dyn Backend>>,
}

impl<T> Entry<T> {
    pub fn new(config: Spanned<T>) -> Entry<T> {
        Entry {
            config,
            status: Status::Enabled,
            errors: Vec::new(),
            used_by: Vec::new(),
            using: Vec::new(),
            priority: 0,
            backend: None,
        }
    }

    /// The object does not work.
    pub fn disable(&mut self, error: impl Into<String>) {
        self.status = Status::Disabled;
        self.say(error.into());
    }

    /// The object works, but not as written.
    pub fn warn(&mut self, error: impl Into<String>) {
        self.status = self.status.max(Status::Warning);
        self.say(error.into());
    }

    fn say(&mut self, error: String) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}

/// All objects, by qualified name.
#[derive(Clone, Default)]
pub struct Report {
    pub routers: BTreeMap<String, Entry<http::Router>>,
    pub services: BTreeMap<String, Entry<http::Service>>,
    pub middlewares: BTreeMap<String, Entry<http::Middleware>>,
    pub certificates: Vec<CertificateFacts>,
    /// What concerns no single object.
    pub notes: Vec<String>,
}

impl Report {
    /// Every complaint with the place of its object, for the log and `check`.
    pub fn complaints(&self) -> Vec<Complaint<'_>> {
        let mut all = Vec::new();
        collect(&mut all, "router", &self.routers);
        collect(&mut all, "service", &self.services);
        collect(&mut all, "middleware", &self.middlewares);
        all
    }
}

/// One thing that is wrong with one object.
pub struct Complaint<'a> {
    pub noun: &'static str,
    pub name: &'a str,
    pub status: Status,
    pub text: &'a str,
    pub span: &'a trilithon_model::node::Span,
}

fn collect<'a, T>(all: &mut Vec<Complaint<'a>>, noun: &'static str, entries: &'a BTreeMap<String, Entry<T>>) {
    for (name, entry) in entries {
        for text in &entry.errors {
            all.push(Complaint {
                noun,
                name,
                status: entry.status,
                text,
                span: &entry.config.span,
            });
        }
    }
}
