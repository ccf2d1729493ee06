//! HTTP/2 with servers: connections shared by many requests, one list per server and worker.
//!
//! A server whose protocol is not known yet, or whose connections are full, is dialled by one request while the others
//! wait for the outcome: a hundred first requests make one connection, not a hundred.
//!
//! [`places`] finds a connection or says who dials, [`open`] starts one, [`exchange`] sends a request and awaits its
//! response's head, [`upload`] and [`body`] carry the bodies.

mod body;
mod exchange;
mod head;
mod open;
mod places;
mod upload;

pub(crate) use exchange::{Failure, exchange};
pub(crate) use open::open;
pub(crate) use places::{Claim, Lease, claim, tick};

use trilithon_flow::{Fault, FaultKind};

/// Why an exchange does not go on.
enum Why {
    Error(h2::Error),
    Fault(Fault),
}

/// A connection that breaks is the network's fault (502); a stream that is reset, a connection that is given up, and
/// frames that are none (an HTTP/1 server's answer) are the server's (500).
fn fault(error: &h2::Error) -> Fault {
    let kind = if error.is_io() {
        FaultKind::Closed
    } else {
        FaultKind::Malformed
    };
    Fault::new(kind, format!("HTTP/2 with the server failed: {error}"))
}

#[cfg(test)]
mod tests;
