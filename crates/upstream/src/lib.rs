//! The far side: connections to servers, their pools, one exchange with one server, and the services that choose among
//! servers.
//!
//! Two halves. The client half ([`Origin`], [`Transport`], [`send`], [`Forward`]) knows one server: how to reach it, how to
//! speak HTTP/1.1 and HTTP/2 with it, and when its connections may be used again. The services half ([`LoadBalancer`] and
//! the composites) knows many: which of them gets the next request, and which of them are up.
//!
//! Connections belong to a worker thread. Nothing here is shared between workers but what is configured.
#![forbid(unsafe_code)]

pub mod client;
pub mod connect;
pub mod forward;
mod hop;
pub mod http1;
pub mod http2;
pub mod origin;
pub mod pool;
mod proxy;
mod stream;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod transport;
mod upload;

pub mod balancer;
pub mod failover;
pub mod health;
pub mod highest_random_weight;
pub mod load_balancer;
pub mod mcp_servers;
pub mod mirroring;
pub mod models;
pub mod open_api;
pub mod replay;
pub mod service;
pub mod sticky;
mod tail;
pub mod tcp;
pub mod udp;
pub mod weighted;

pub use client::send;
pub use failover::Failover;
pub use forward::Forward;
pub use health::own_exchange;
pub use highest_random_weight::HighestRandomWeight;
pub use load_balancer::LoadBalancer;
pub use mcp_servers::McpServers;
pub use mirroring::Mirroring;
pub use models::Models;
pub use open_api::OpenApi;
pub use origin::{Origin, Scheme};
pub use service::{Backend, Child, Status};
pub use transport::{Settings, Transport, tls_settings};
pub use weighted::Weighted;
