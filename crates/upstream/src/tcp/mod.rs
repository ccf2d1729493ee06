//! TCP servers: which of them gets a connection, and how it is reached. What is moved over it is the engine's affair.

mod check;
mod dial;
mod load_balancer;
mod round_robin;
mod transport;
mod weighted;

pub use crate::stream::Stream;
pub use check::Check;
pub use dial::dial;
pub use load_balancer::{LoadBalancer, Server};
pub use round_robin::RoundRobin;
pub use transport::Transport;
pub use weighted::{Child, Weighted};

use crate::Status;
use std::sync::Arc;

/// A TCP service of the configuration.
pub trait Backend: Send + Sync {
    /// The server that gets the next connection; `None` when there is none, or none is up.
    fn pick(&self) -> Option<Target>;
    /// Whether it is up, for a parent that asks for it; `None` when it cannot report.
    fn status(&self) -> Option<Arc<Status>> {
        None
    }
    /// The servers by address with what checks say of them; for the API. Empty for what has no servers of its own.
    fn server_status(&self) -> Vec<(String, bool)> {
        Vec::new()
    }
}

/// A chosen server and the way to reach it.
#[derive(Clone)]
pub struct Target {
    pub server: Arc<Server>,
    pub transport: Arc<Transport>,
}

/// `host:port` in its parts; `None` when it is not that. IPv6 addresses stand in brackets.
pub fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    // Go takes an empty host for this machine.
    Some((if host.is_empty() { "localhost" } else { host }, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |address: &str, want: Option<(&str, u16)>| assert_eq!(split(address), want, "{address}");
        check("a.test:80", Some(("a.test", 80)));
        check("[::1]:80", Some(("::1", 80)));
        check(":80", Some(("localhost", 80)));
        check("::1:80", None);
        check("[::1:80", None);
        check("a.test", None);
        check("a.test:", None);
        check("a.test:65536", None);
    }
}
