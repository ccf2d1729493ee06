//! UDP: each client address has a session with one server, for as long as either of them says something.

mod listener;
mod session;

pub use listener::{bind, serve};

use std::sync::Arc;
use std::time::Duration;
use trilithon_upstream::udp::Service;

/// The router of a UDP entry point, compiled.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    pub service: Arc<Service>,
}

/// A UDP entry point.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    pub name: Arc<str>,
    /// Position in the snapshot's list of UDP routers.
    pub index: usize,
    /// Silence after which a session ends.
    pub timeout: Duration,
}

/// Bytes of the largest datagram.
const MAX_DATAGRAM: usize = 65_535;
/// Sessions of one entry point at the same time; each holds a socket. Datagrams of further clients are dropped.
const MAX_SESSIONS: usize = 16_384;
/// Datagrams that wait for a session's server to be found; more are dropped.
const WAITING: usize = 64;
