//! HTTP routers, services, middlewares and transports of the routing configuration.

mod mcp_servers;
pub mod middleware;
mod models;
mod open_api;
mod router;
mod service;
mod transport;

use trilithon_model_derive::Config;

pub use mcp_servers::{McpParkedCalls, McpReplay, McpServer, McpServers, McpSessions};
pub use middleware::*;
pub use models::{ModelBreaker, ModelFailover, ModelRetry, ModelTarget, Models};
pub use open_api::{OpenApi, OpenApiCriteria, OpenApiOperations};
pub use router::{Observability, Router, RouterTls};
pub use service::*;
pub use transport::{ForwardingTimeouts, ServersTransport, Spiffe};

use crate::spanned::Map;

/// The `http` section.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Http {
    /// Routers by name.
    pub routers: Map<Router>,
    /// Services by name.
    pub services: Map<Service>,
    /// Middlewares by name.
    pub middlewares: Map<Middleware>,
    /// Ways to reach servers, by name.
    #[config(no_labels)]
    pub servers_transports: Map<ServersTransport>,
}

impl Http {
    /// True when it names no object.
    pub fn is_empty(&self) -> bool {
        self.routers.is_empty()
            && self.services.is_empty()
            && self.middlewares.is_empty()
            && self.servers_transports.is_empty()
    }
}
