//! UDP services: which server gets a session.

use crate::tcp::{RoundRobin, split};
use std::sync::Arc;

/// A UDP service of the configuration.
#[derive(Debug)]
pub enum Service {
    /// Servers in turn, by address.
    Servers(Vec<Arc<str>>, RoundRobin),
    /// Other services in weighted turns.
    Weighted(Vec<Arc<Service>>, RoundRobin),
}

impl Service {
    /// Servers in turn. One whose address cannot be used is logged and left out.
    pub fn servers<'a>(name: &str, addresses: impl IntoIterator<Item = &'a str>) -> Service {
        let usable = |address: &&str| {
            let good = split(address).is_some();
            if !good {
                tracing::error!(
                    serviceName = name,
                    address,
                    "the address of a server is no `host:port`"
                );
            }
            good
        };
        let servers: Vec<Arc<str>> = addresses.into_iter().filter(usable).map(Arc::from).collect();
        let turns = RoundRobin::new(servers.iter().map(|_| 1));
        Service::Servers(servers, turns)
    }

    /// Services with their shares; one without a positive share is never chosen.
    pub fn weighted(children: impl IntoIterator<Item = (Arc<Service>, Option<i64>)>) -> Service {
        let share = |(service, weight): (_, Option<i64>)| (service, weight.unwrap_or(1));
        let (services, weights): (_, Vec<i64>) =
            children.into_iter().map(share).filter(|(_, w)| *w > 0).unzip();
        Service::Weighted(services, RoundRobin::new(weights))
    }

    /// The address of the server that gets the next session; `None` when there is none.
    pub fn pick(&self) -> Option<Arc<str>> {
        match self {
            Service::Servers(servers, turns) => servers.get(turns.pick(|_| true)?).cloned(),
            Service::Weighted(services, turns) => services.get(turns.pick(|_| true)?)?.pick(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(service: &Service, want: &[&str]) {
        let got: Vec<Arc<str>> = want.iter().filter_map(|_| service.pick()).collect();
        assert_eq!(got.iter().map(|a| &**a).collect::<Vec<_>>(), want);
    }

    #[test]
    fn turns() {
        check(
            &Service::servers("s", ["a:1", "none", "b:2"]),
            &["a:1", "b:2", "a:1"],
        );
        let child = |address: &str| Arc::new(Service::servers("s", [address]));
        let weighted = Service::weighted([
            (child("a:1"), Some(2)),
            (child("b:2"), None),
            (child("c:3"), Some(0)),
        ]);
        check(&weighted, &["a:1", "a:1", "b:2", "a:1"]);
        assert_eq!(Service::servers("s", []).pick(), None);
    }
}
