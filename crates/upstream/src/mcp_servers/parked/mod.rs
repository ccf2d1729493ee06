//! Calls of clients of the second era to servers of the first, which may ask while they answer. Such a client cannot be asked while its
//! call is under way: the call is parked. What the server wants to know is the client's answer, with a state that it brings back when it
//! repeats the call with what was asked, and the call goes on ("Multi Round-Trip Requests", revision 2026-07-28).
//!
//! The server's stream belongs to a task of the worker that it came to ([`call`]), whoever listens to it; clients come and go
//! ([`client`]), on any worker. What is between them is here: the calls that wait.

mod begin;
mod beside;
mod call;
mod client;
mod heard;
mod resume;
mod turns;

pub use beside::Beside;
pub use call::Call;
pub use client::{Client, Said};
pub use heard::Heard;
pub use turns::{Turn, Turns};

use super::room::{Room, Taken};
use aws_lc_rs::rand;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use trilithon_flow::metrics::{Value, registry};
use trilithon_flow::record::Name;
use trilithon_mcp::Leg;
use trilithon_mcp::rounds::Question;

/// Bytes of questions that wait for answers, in all calls.
const MOST_ASKED: usize = 64 << 20;

/// Tells parked calls apart; made by chance.
pub type Id = [u8; 16];

/// How many calls wait, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub max: usize,
    pub max_per_caller: usize,
    pub max_age: Duration,
}

/// The calls of one service that wait for their clients; outlives reloads, whatever bounds these bring.
pub struct Parked {
    /// Tells this process from others whose states are sealed with the same secret.
    pub process: [u8; 8],
    service: Box<str>,
    waiting: Mutex<HashMap<Id, Waiting>>,
    /// For what all of their clients are asked.
    room: Arc<Room>,
    count: Arc<Value>,
}

/// A call that waits.
pub struct Waiting {
    /// How often the client was asked; the state of an earlier round is worth nothing any more.
    pub round: u64,
    /// Who may have so many of them.
    pub caller: [u8; 16],
    pub since: Instant,
    /// The session with the server that asks.
    pub leg: Leg,
    pub questions: Vec<Question>,
    pub _room: Taken,
    /// Dropped, the call is cancelled.
    pub resume: oneshot::Sender<Resumed>,
}

/// The client is back.
pub struct Resumed {
    pub client: Client,
    /// What it has not answered.
    pub left: Vec<Question>,
}

/// As many calls wait as may.
#[derive(Debug)]
pub struct Full;

/// What came of waiting.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Resumed,
    /// The client did not come back in time.
    Expired,
    /// Another call of the same caller took its place.
    Displaced,
    /// There was no place for it.
    Refused,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Resumed => "resumed",
            Outcome::Expired => "expired",
            Outcome::Displaced => "displaced",
            Outcome::Refused => "refused",
        }
    }
}

impl Parked {
    pub fn new(service: &str) -> Parked {
        let mut process = [0; 8];
        rand::fill(&mut process).expect("the system gives random bytes");
        Parked {
            process,
            service: service.into(),
            waiting: Mutex::default(),
            room: Arc::new(Room::new(MOST_ASKED)),
            count: registry().gauge(
                "trilithon_mcp_parked_calls",
                "Calls of tools that wait for what their clients were asked.",
                &[("service", service)],
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for questions until they are answered.
    ///
    /// # Errors
    /// There is none left.
    pub fn room(&self, questions: &[Question]) -> Result<Taken, Full> {
        let bytes = questions.iter().map(Question::size).sum();
        self.room.take(bytes).ok_or(Full)
    }

    /// Lets a call wait within these bounds. Of one caller the one that has waited for longest makes room for it; where fewer may
    /// wait than did before, so many as are too many.
    ///
    /// # Errors
    /// Too many wait, of all callers.
    pub fn park(&self, bounds: Bounds, id: Id, call: Waiting) -> Result<(), Full> {
        let mut waiting = self.lock();
        let own = waiting.iter().filter(|(_, other)| other.caller == call.caller);
        let mut own: Vec<(Instant, Id)> = own.map(|(id, other)| (other.since, *id)).collect();
        own.sort_unstable();
        let surplus = (own.len() + 1).saturating_sub(bounds.max_per_caller);
        for (_, oldest) in own.iter().take(surplus) {
            waiting.remove(oldest);
            self.tell(Outcome::Displaced);
        }
        let fits = waiting.len() < bounds.max;
        if fits {
            waiting.insert(id, call);
        }
        self.count.set(count(&waiting));
        drop(waiting);
        match fits {
            true => Ok(()),
            false => {
                self.tell(Outcome::Refused);
                Err(Full)
            }
        }
    }

    /// Takes the call that waits in this round; `None` when none does.
    pub fn take(&self, id: &Id, round: u64) -> Option<Waiting> {
        let mut waiting = self.lock();
        waiting.get(id).filter(|call| call.round == round)?;
        let call = waiting.remove(id);
        self.count.set(count(&waiting));
        call
    }

    /// It has waited for too long; false when somebody has taken it.
    fn expire(&self, id: &Id) -> bool {
        let mut waiting = self.lock();
        let was_there = waiting.remove(id).is_some();
        self.count.set(count(&waiting));
        drop(waiting);
        if was_there {
            self.tell(Outcome::Expired);
        }
        was_there
    }

    /// Counts what came of one.
    pub fn tell(&self, outcome: Outcome) {
        let labels = [("service", &*self.service), ("outcome", outcome.as_str())];
        registry()
            .counter(
                "trilithon_mcp_parked_calls_total",
                "Calls of tools that waited for their clients, by what came of that.",
                &labels,
            )
            .inc();
    }
}

fn count(waiting: &HashMap<Id, Waiting>) -> i64 {
    i64::try_from(waiting.len()).unwrap_or(i64::MAX)
}

/// As logs name it.
pub fn name(id: &Id) -> Name {
    let hex: String = id.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    hex.as_str().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(caller: u8, round: u64) -> (Waiting, oneshot::Receiver<Resumed>) {
        let (resume, resumed) = oneshot::channel();
        let leg = Leg {
            server: "s".into(),
            id: None,
            version: "2025-11-25".into(),
        };
        let call = Waiting {
            round,
            caller: [caller; 16],
            since: Instant::now(),
            leg,
            questions: Vec::new(),
            _room: Arc::new(Room::new(1)).take(1).unwrap(),
            resume,
        };
        (call, resumed)
    }

    fn bounds(max: usize, max_per_caller: usize) -> Bounds {
        Bounds {
            max,
            max_per_caller,
            max_age: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_call_is_taken_once_and_in_its_round() {
        let all = Parked::new("t");
        let (call, _resumed) = waiting(1, 1);
        all.park(bounds(2, 2), [1; 16], call).unwrap();
        assert!(all.take(&[1; 16], 2).is_none());
        assert!(all.take(&[2; 16], 1).is_none());
        assert!(all.take(&[1; 16], 1).is_some());
        assert!(all.take(&[1; 16], 1).is_none());
        assert!(!all.expire(&[1; 16]), "somebody took it");
    }

    #[test]
    fn one_caller_displaces_its_own_oldest() {
        let all = Parked::new("t");
        let mut kept = Vec::new();
        for n in 0..4u8 {
            let (call, resumed) = waiting(n / 3, 1);
            all.park(bounds(9, 2), [n; 16], call).unwrap();
            kept.push(resumed);
        }
        let cancelled = kept
            .iter_mut()
            .map(|resumed| resumed.try_recv().err() == Some(oneshot::error::TryRecvError::Closed));
        assert_eq!(cancelled.collect::<Vec<_>>(), [true, false, false, false]);
        assert!(all.expire(&[3; 16]) && !all.expire(&[0; 16]));
    }

    #[test]
    fn nobody_is_displaced_by_others() {
        let all = Parked::new("t");
        let (one, two, three) = (waiting(1, 1), waiting(2, 1), waiting(3, 1));
        assert!(
            all.park(bounds(2, 2), [1; 16], one.0).is_ok() && all.park(bounds(2, 2), [2; 16], two.0).is_ok()
        );
        assert!(all.park(bounds(2, 2), [3; 16], three.0).is_err());
        assert!(all.take(&[1; 16], 1).is_some() && all.take(&[3; 16], 1).is_none());
    }

    #[test]
    fn narrower_bounds_are_for_calls_to_come() {
        let all = Parked::new("t");
        let mut kept = Vec::new();
        for n in 0..4u8 {
            let (call, resumed) = waiting(1, 1);
            all.park(bounds(9, 9), [n; 16], call).unwrap();
            kept.push(resumed);
        }
        let (other, _other) = waiting(2, 1);
        assert!(
            all.park(bounds(2, 2), [8; 16], other).is_err(),
            "too many of others"
        );
        let (last, _last) = waiting(1, 1);
        all.park(bounds(2, 2), [9; 16], last).unwrap();
        let waits = |n: u8| all.take(&[n; 16], 1).is_some();
        assert_eq!([0, 1, 2, 3, 9].map(waits), [false, false, false, true, true]);
    }
}
