//! Streams that the gateway keeps for clients of the first era, which may leave and come back (revision 2025-11-25, "Resumability and
//! Redelivery"): what servers tell without ids of their own could not be asked of them again, and a call is not over because its
//! client has left.

mod reader;
mod replay;
mod tape;
mod tapes;

pub use tape::Tape;
pub use tapes::{Bounds, Tapes};

use super::Federation;
use super::table::Number;
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::{Exchange, Request};
use trilithon_mcp::{EventId, Session, header};

/// The first revision whose clients take an event without a message, which tells them where they can come back.
const PRIMED: &str = "2025-11-25";

/// Who keeps a stream, if it has to be kept.
#[derive(Clone)]
pub struct Keeper {
    tapes: Arc<Tapes>,
    session: Number,
    /// A hash of whose session that is.
    caller: u64,
    primes: bool,
}

impl Keeper {
    /// Begins to keep the stream that is at `place`.
    pub fn begin(&self, place: &mut EventId) -> Option<Arc<Tape>> {
        self.tapes.begin(self.session, self.caller, place)
    }

    /// Whether its client may be told where it can come back, before there is anything else to tell.
    pub fn primes(&self) -> bool {
        self.primes
    }

    /// The client has left what is kept on `tape`; -> how long it is told on.
    pub fn leave(&self, tape: &Tape) -> Duration {
        tape.leave();
        self.tapes.left(self.caller);
        self.tapes.bounds.max_age
    }
}

impl Federation {
    /// Who keeps the streams of a session; `None` when nothing is kept.
    pub fn keeper(&self, session: &Session, head: &Request, cx: &Exchange) -> Option<Keeper> {
        let keeps = !self.tapes.bounds.max_age.is_zero();
        let version = head.headers.get_str(header::PROTOCOL_VERSION);
        keeps.then(|| Keeper {
            tapes: self.tapes.clone(),
            session: session.number,
            caller: self.tapes.caller(&session.principal, cx.caller()),
            primes: version.is_some_and(|version| version >= PRIMED),
        })
    }
}
