//! What is told of servers: how often each was asked, and what came of it.

use std::sync::{Arc, OnceLock};
use trilithon_flow::metrics::{Value, registry};

/// What came of asking a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Failed,
    /// Its session was lost, and another one was opened.
    Reopened,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Failed => "failed",
            Outcome::Reopened => "reopened",
        }
    }
}

/// The counters of one server; one is made when it is first needed.
pub struct Told {
    service: Box<str>,
    server: Box<str>,
    counters: [OnceLock<Arc<Value>>; 3],
}

impl Told {
    pub fn of(service: &str, server: &str) -> Told {
        Told {
            service: service.into(),
            server: server.into(),
            counters: Default::default(),
        }
    }

    pub fn count(&self, outcome: Outcome) {
        let make = || {
            registry().counter(
                "trilithon_mcp_server_requests_total",
                "Requests to servers of tools behind one service, by server and by what came of them.",
                &[
                    ("service", &self.service),
                    ("server", &self.server),
                    ("outcome", outcome.as_str()),
                ],
            )
        };
        if let Some(counter) = self.counters.get(outcome as usize) {
            counter.get_or_init(make).inc();
        }
    }
}
