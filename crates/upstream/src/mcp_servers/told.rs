//! What is told of servers: whether each answers, how often it was asked, and what came of it.

use std::sync::{Arc, OnceLock};
use trilithon_flow::metrics::{Value, registry};

const REQUESTS: &str = "trilithon_mcp_server_requests_total";
const UP: &str = "trilithon_mcp_server_up";

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

/// The series of one server, over reloads: each is made when it is first needed, and all are gone when the server is.
pub struct Told {
    pub service: Box<str>,
    pub server: Box<str>,
    requests: [OnceLock<Arc<Value>>; 3],
    up: OnceLock<Arc<Value>>,
}

impl Told {
    pub fn of(service: &str, server: &str) -> Told {
        Told {
            service: service.into(),
            server: server.into(),
            requests: Default::default(),
            up: OnceLock::new(),
        }
    }

    pub fn count(&self, outcome: Outcome) {
        let make = || {
            registry().counter(
                REQUESTS,
                "Requests to servers of tools behind one service, by server and by what came of them.",
                &[
                    ("service", &self.service),
                    ("server", &self.server),
                    ("outcome", outcome.as_str()),
                ],
            )
        };
        if let Some(counter) = self.requests.get(outcome as usize) {
            counter.get_or_init(make).inc();
        }
    }

    /// Whether it answers.
    pub fn up(&self, up: bool) {
        let make = || {
            let help = "Whether a server of tools answers when all of one service are asked: 1, or 0 while it is only looked after.";
            let labels = [("service", &*self.service), ("server", &*self.server)];
            registry().gauge(UP, help, &labels)
        };
        let (gauge, up) = (self.up.get_or_init(make), i64::from(up));
        // Mostly it is said already, and to look at it holds up no other worker.
        if gauge.get() != up {
            gauge.set(up);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let own = |labels: &[(&'static str, String)]| matches!(labels, [(_, service), (_, server), ..] if **service == *self.service && **server == *self.server);
        for family in [REQUESTS, UP] {
            registry().remove(family, own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::presence::Presence;
    use super::*;
    use tokio::time::Instant;

    fn shown(service: &str) -> Vec<(&'static str, String, i64)> {
        let mut all = Vec::new();
        registry().visit(|name, _, _, labels, value| {
            if labels.iter().any(|(_, v)| v == service) {
                let values: Vec<&str> = labels.iter().skip(1).map(|(_, v)| v.as_str()).collect();
                all.push((name, values.join(" "), value));
            }
        });
        all
    }

    #[test]
    fn what_is_told_goes_with_the_server() {
        let (goes, stays) = (Told::of("told", "a"), Told::of("told", "b"));
        for told in [&goes, &stays] {
            told.count(Outcome::Answered);
            told.count(Outcome::Failed);
            told.up(true);
        }
        let of = |server: &str| {
            [
                (REQUESTS, format!("{server} answered"), 1),
                (REQUESTS, format!("{server} failed"), 1),
                (UP, server.to_owned(), 1),
            ]
        };
        let mut want = [of("a"), of("b")].concat();
        want.sort();
        assert_eq!(shown("told"), want);
        drop(goes);
        assert_eq!(shown("told"), of("b"));
    }

    /// What was known of it where it was before says nothing of where it is now.
    #[test]
    fn a_server_that_moved_is_told_of_anew() {
        let told = Arc::new(Told::of("moved", "a"));
        Presence::new(told.clone()).failed(&"late", Instant::now());
        assert_eq!(shown("moved"), [(UP, "a".to_owned(), 0)]);
        Presence::new(told.clone()).answered();
        assert_eq!(shown("moved"), [(UP, "a".to_owned(), 1)]);
    }
}
