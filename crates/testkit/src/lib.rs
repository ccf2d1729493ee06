//! For tests only: real gateways, real upstreams, literal clients, certificates.
//!
//! Everything here is a thread and a blocking socket with a deadline, so that a test reads as what happens on the wire.
//! It is not a mock of anything: a [`Gateway`] is the built binary, an [`Upstream`] is a server on a port of its own.
//!
//! ```no_run
//! use trilithon_testkit::{Gateway, Upstream};
//! let gateway = Gateway::new("target/debug/trilithon")
//!     .routing("http: {routers: {r: {rule: PathPrefix(`/`), service: s}},
//!               services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}}")
//!     .upstream("b1", Upstream::echo())
//!     .start();
//! assert_eq!(gateway.get("a.test", "/").status, 200);
//! ```
#![forbid(unsafe_code)]

mod certs;
mod client;
mod folder;
mod gateway;
mod message;
mod ports;
mod upstream;
mod wait;

pub use certs::Certs;
pub use client::{Ended, RawClient, TlsOffer};
pub use folder::Folder;
pub use gateway::{Gateway, GatewayBuilder};
pub use message::{Headers, Response, Seen};
pub use ports::free_port;
use ports::listens;
pub use upstream::{Act, Answer, Upstream};
pub use wait::{PATIENCE, eventually, until};
