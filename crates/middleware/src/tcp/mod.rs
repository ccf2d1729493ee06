//! TCP middlewares. Each decides once, before any byte is moved, whether a connection is let in; a refused one is closed.

pub mod in_flight_conn;
pub mod ip_allow_list;

use std::net::IpAddr;

/// One TCP middleware.
pub trait Admit: Send + Sync {
    /// Lets the client's connection in; `None` closes it.
    fn admit(&self, client: IpAddr) -> Option<Pass>;
}

/// Leave to be here, given back when the connection is over.
pub struct Pass(#[expect(dead_code, reason = "held for its end only")] Option<Box<dyn std::any::Any + Send>>);

impl Pass {
    /// Nothing to give back.
    pub fn free() -> Pass {
        Pass(None)
    }

    /// What is dropped at the end of the connection.
    pub fn holding(place: impl std::any::Any + Send) -> Pass {
        Pass(Some(Box::new(place)))
    }
}
