//! UDP routers and services of the routing configuration.

use trilithon_model_derive::Config;

use super::kinds;
use crate::spanned::Map;

/// The `udp` section.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Udp {
    /// Routers by name.
    pub routers: Map<Router>,
    /// Services by name.
    pub services: Map<Service>,
}

impl Udp {
    /// True when it names no object.
    pub fn is_empty(&self) -> bool {
        self.routers.is_empty() && self.services.is_empty()
    }
}

/// Sends every datagram of its entry points to one service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Router {
    /// Entry points it listens on; all UDP ones when empty.
    pub entry_points: Vec<String>,
    /// The service that answers.
    pub service: String,
}

/// Where datagrams go. Holds exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Service {
    /// Spreads sessions over servers.
    pub load_balancer: Option<ServersLoadBalancer>,
    /// Spreads sessions over other services by weight.
    #[config(no_labels)]
    pub weighted: Option<WeightedRoundRobin>,
}

kinds! { "service",
    /// The kinds of UDP service.
    ServiceKind {
        Service {
            ServersLoadBalancer: load_balancer = "loadBalancer",
            WeightedRoundRobin: weighted = "weighted",
        }
    }
}

/// Spreads sessions over servers in turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ServersLoadBalancer {
    /// The servers.
    pub servers: Vec<Server>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Server {
    /// `host:port`.
    #[config(no_labels)]
    pub address: String,
}

/// Spreads sessions over other services by weight.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct WeightedRoundRobin {
    /// The services and their weights.
    pub services: Vec<WrrService>,
}

/// A service with its share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct WrrService {
    /// Name of the service.
    pub name: String,
    /// Its share; 0 takes it out.
    #[config(default = Some(1))]
    pub weight: Option<i64>,
}
