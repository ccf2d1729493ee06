//! What this process remembers of sessions besides what their ids say: sessions with servers that were opened after the id was
//! given, and that a session has ended. Bounded: what was not looked at for longest goes first, and is opened anew when it is
//! needed.

use super::generations::Generations;
use super::remember::Subscriptions;
use super::room::Room;
use super::underway::Underway;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use trilithon_mcp::{Leg, Level};

/// Sessions of each of the two generations.
const MOST: usize = 32 * 1024;

/// Bytes of addresses that all sessions remember together.
const MOST_REMEMBERED: usize = 16 << 20;

/// The number of a session.
pub type Number = [u8; 16];

/// Sessions by number; outlives reloads.
pub struct Table {
    sessions: Mutex<Generations<Number, Arc<Entry>>>,
    /// For what clients have servers remember.
    room: Arc<Room>,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            sessions: Mutex::new(Generations::new(MOST)),
            room: Arc::new(Room::new(MOST_REMEMBERED)),
        }
    }
}

/// What is remembered of one session.
#[derive(Default)]
pub struct Entry {
    ended: AtomicBool,
    slots: Mutex<HashMap<Box<str>, Arc<Slot>>>,
    /// What the client wants to be told (`logging/setLevel`): for servers that take it with each message, and for those that are
    /// opened anew.
    level: Mutex<Option<Box<str>>>,
    /// What the client was asked, by number: where its answer goes.
    questions: Mutex<HashMap<u64, oneshot::Sender<Bytes>>>,
    /// Its calls that can be cancelled here.
    pub underway: Underway,
}

/// The session with one server.
#[derive(Default)]
pub struct Slot {
    leg: Mutex<Option<Leg>>,
    pub subscriptions: Subscriptions,
    /// From where on the server tells in it, if the gateway said so itself.
    level: Mutex<Option<Level>>,
    /// Held by who is opening one: the others wait for that.
    pub opening: tokio::sync::Mutex<()>,
}

impl Table {
    /// Room for what clients have servers remember.
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// What is remembered of a session; `None` when there is nothing.
    pub fn find(&self, number: &Number) -> Option<Arc<Entry>> {
        let mut all = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(number)
    }

    /// The same, made if there was nothing.
    pub fn entry(&self, number: &Number) -> Arc<Entry> {
        let mut all = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = all.get(number) {
            return entry;
        }
        let entry = Arc::<Entry>::default();
        all.put(*number, entry.clone());
        entry
    }
}

impl Entry {
    /// The client has ended the session.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The client wants to be told from this level on; written as JSON.
    pub fn set_level(&self, level: &str) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level.into());
    }

    pub fn level(&self) -> Option<Box<str>> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The client is asked something; its answer goes to `answer`.
    pub fn ask(&self, number: u64, answer: oneshot::Sender<Bytes>) {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.insert(number, answer);
    }

    /// Who waits for the answer to a question; nobody does from now on.
    pub fn asked(&self, number: u64) -> Option<oneshot::Sender<Bytes>> {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.remove(&number)
    }

    /// The place of a server's session.
    pub fn slot(&self, server: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(server.into()).or_default().clone()
    }

    /// A server's session, if one was opened.
    pub fn leg(&self, server: &str) -> Option<Leg> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(server)?.get()
    }
}

impl Slot {
    /// Whether the server has to be told that more is wanted; it is from now on.
    pub fn lowers(&self, level: Level) -> bool {
        let mut known = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let lower = known.is_none_or(|known| level < known);
        if lower {
            *known = Some(level);
        }
        lower
    }

    pub fn get(&self) -> Option<Leg> {
        self.leg.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The session with the server is another one, which knows of nothing.
    pub fn set(&self, leg: Leg) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.leg.lock().unwrap_or_else(PoisonError::into_inner) = Some(leg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: usize) -> Number {
        let mut number = [0; 16];
        number[..8].copy_from_slice(&(n as u64).to_be_bytes());
        number
    }

    #[test]
    fn what_is_looked_at_stays() {
        let table = Table::default();
        table.entry(&number(0)).end();
        for n in 1..3 * MOST {
            table.entry(&number(n));
            if n % (MOST / 2) == 0 {
                assert!(table.find(&number(0)).is_some_and(|e| e.has_ended()), "{n}");
            }
        }
        assert!(table.find(&number(1)).is_none(), "nobody looked");
    }

    #[test]
    fn a_slot_is_one() {
        let entry = Table::default().entry(&number(1));
        assert_eq!(entry.leg("a"), None);
        let leg = Leg {
            server: "a".into(),
            id: Some("s1".into()),
            version: "2025-11-25".into(),
        };
        let slot = entry.slot("a");
        slot.set(leg.clone());
        let lowers = [Level::Info, Level::Error, Level::Info, Level::Debug].map(|level| slot.lowers(level));
        assert_eq!(lowers, [true, false, false, true]);
        slot.set(leg.clone());
        assert!(slot.lowers(Level::Error), "another session");
        assert_eq!((entry.leg("a"), entry.leg("b")), (Some(leg), None));
        assert!(!entry.has_ended());
    }
}
