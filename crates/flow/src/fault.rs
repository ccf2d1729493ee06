//! What can go wrong with one exchange, whose fault it is, and the one table that turns it into a status.

use std::borrow::Cow;
use std::fmt;

/// Who caused a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Upstream,
    Gateway,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection could not be made: refused, unreachable, name not found.
    Connect,
    /// The connection could not be made in time.
    ConnectTimeout,
    /// TLS with the upstream failed, certificate checks included.
    Tls,
    /// The upstream closed before it answered.
    Closed,
    /// No response head in time.
    ResponseTimeout,
    /// The upstream's answer is not valid HTTP.
    Malformed,
    /// The upstream reset the stream or broke the connection while the body was under way.
    Broken,
    /// The client went away, or sent a broken body.
    ClientGone,
    /// The client was too slow with its body.
    ClientTimeout,
    /// The client's body is not framed as it should be.
    ClientMalformed,
    /// A body is larger than a limit allows.
    TooLarge,
    /// The configuration asks for what cannot be done (an unknown scheme).
    Unsupported,
    /// Anything else.
    Internal,
}

/// A failure of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// For the log: what exactly, never with a secret.
    pub detail: Cow<'static, str>,
    /// No byte of the request had been written to the upstream: another attempt cannot do anything twice.
    pub unsent: bool,
}

impl Fault {
    pub fn new(kind: FaultKind, detail: impl Into<Cow<'static, str>>) -> Fault {
        Fault {
            kind,
            detail: detail.into(),
            unsent: false,
        }
    }

    /// The same, with nothing written to the upstream yet.
    pub fn unsent(mut self) -> Fault {
        self.unsent = true;
        self
    }

    /// Whose fault it is.
    pub fn side(&self) -> Side {
        match self.kind {
            FaultKind::ClientGone | FaultKind::ClientTimeout | FaultKind::ClientMalformed => Side::Client,
            FaultKind::TooLarge | FaultKind::Unsupported | FaultKind::Internal => Side::Gateway,
            _ => Side::Upstream,
        }
    }

    /// The status that the client is given.
    pub fn status(&self) -> u16 {
        match self.kind {
            FaultKind::Connect | FaultKind::Closed | FaultKind::Broken => 502,
            FaultKind::ConnectTimeout | FaultKind::ResponseTimeout => 504,
            FaultKind::ClientGone => 499,
            FaultKind::ClientTimeout => 408,
            FaultKind::ClientMalformed => 400,
            FaultKind::TooLarge => 413,
            // Traefik answers 500, not 502, to what its transport cannot classify: measured.
            FaultKind::Tls | FaultKind::Malformed | FaultKind::Unsupported | FaultKind::Internal => 500,
        }
    }

    /// Whether this is what Traefik's retry calls a network error.
    pub fn is_network(&self) -> bool {
        self.side() == Side::Upstream && !matches!(self.kind, FaultKind::Malformed)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Fault {}
