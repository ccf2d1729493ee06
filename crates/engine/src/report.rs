//! What became of each object of the configuration: enabled, warning or disabled, why, and who uses it.

use std::collections::BTreeMap;
use std::sync::Arc;
use trilithon_flow::BuildError;
use trilithon_model::dynamic::{http, tcp, udp};
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
    /// The errors with what helps to mend them, in the same order.
    pub notes: Vec<BuildError>,
    /// What could be better; told in the log and by `check`, but no state of the object.
    pub hints: Vec<String>,
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
            notes: Vec::new(),
            hints: Vec::new(),
            used_by: Vec::new(),
            using: Vec::new(),
            priority: 0,
            backend: None,
        }
    }

    /// The object does not work.
    pub fn disable(&mut self, error: impl Into<BuildError>) {
        self.status = Status::Disabled;
        self.say(error.into());
    }

    /// The object works as written; its owner may want to know something all the same.
    pub fn hint(&mut self, hint: impl Into<String>) {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    /// The object works, but not as written.
    pub fn warn(&mut self, error: impl Into<BuildError>) {
        self.status = self.status.max(Status::Warning);
        self.say(error.into());
    }

    fn say(&mut self, error: BuildError) {
        if !self.errors.contains(&error.message) {
            self.errors.push(error.message.clone());
            self.notes.push(error);
        }
    }
}

/// All objects, by qualified name.
#[derive(Clone, Default)]
pub struct Report {
    pub routers: BTreeMap<String, Entry<http::Router>>,
    pub services: BTreeMap<String, Entry<http::Service>>,
    pub middlewares: BTreeMap<String, Entry<http::Middleware>>,
    pub tcp_routers: BTreeMap<String, Entry<tcp::Router>>,
    pub tcp_services: BTreeMap<String, Entry<tcp::Service>>,
    pub tcp_middlewares: BTreeMap<String, Entry<tcp::Middleware>>,
    /// The built TCP services, for the state of their servers.
    pub tcp_backends: BTreeMap<String, Arc<dyn trilithon_upstream::tcp::Backend>>,
    pub udp_routers: BTreeMap<String, Entry<udp::Router>>,
    pub udp_services: BTreeMap<String, Entry<udp::Service>>,
    pub certificates: Vec<CertificateFacts>,
    /// What concerns no single object.
    pub notes: Vec<String>,
}

/// How many objects are not the gateway's own.
fn written<T>(objects: &BTreeMap<String, Entry<T>>) -> usize {
    objects.keys().filter(|name| !name.ends_with("@internal")).count()
}

impl Report {
    /// The number of routers that somebody wrote, whatever their protocol.
    pub fn router_count(&self) -> usize {
        written(&self.routers) + written(&self.tcp_routers) + written(&self.udp_routers)
    }

    /// The number of services that somebody wrote, whatever their protocol.
    pub fn service_count(&self) -> usize {
        written(&self.services) + written(&self.tcp_services) + written(&self.udp_services)
    }

    /// Every complaint with the place of its object, for the log and `check`.
    pub fn complaints(&self) -> Vec<Complaint<'_>> {
        let mut all = Vec::new();
        collect(&mut all, "router", &self.routers);
        collect(&mut all, "service", &self.services);
        collect(&mut all, "middleware", &self.middlewares);
        collect(&mut all, "TCP router", &self.tcp_routers);
        collect(&mut all, "TCP service", &self.tcp_services);
        collect(&mut all, "TCP middleware", &self.tcp_middlewares);
        collect(&mut all, "UDP router", &self.udp_routers);
        collect(&mut all, "UDP service", &self.udp_services);
        all
    }
}

/// One thing that is wrong with one object.
pub struct Complaint<'a> {
    pub noun: &'static str,
    pub name: &'a str,
    pub status: Status,
    pub text: &'a str,
    pub help: Option<&'a str>,
    /// The written text at fault and where in it, if that is known.
    pub at: Option<&'a (String, usize)>,
    pub span: &'a trilithon_model::node::Span,
}

fn collect<'a, T>(all: &mut Vec<Complaint<'a>>, noun: &'static str, entries: &'a BTreeMap<String, Entry<T>>) {
    for (name, entry) in entries {
        let span = &entry.config.span;
        all.extend(entry.notes.iter().map(|note| Complaint {
            noun,
            name,
            status: entry.status,
            text: &note.message,
            help: note.help.as_deref(),
            at: note.at.as_ref(),
            span,
        }));
        let hint = |text: &'a String| Complaint {
            noun,
            name,
            status: Status::Warning,
            text,
            help: None,
            at: None,
            span,
        };
        all.extend(entry.hints.iter().map(hint));
    }
}
