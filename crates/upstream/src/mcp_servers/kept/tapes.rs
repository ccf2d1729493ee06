//! All streams that are kept, within bounds.

use super::super::room::Room;
use super::super::table::Number;
use super::reader::Reader;
use super::tape::Tape;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use trilithon_mcp::{EventId, Kept};

/// Streams that are kept at once, at most.
const MOST: usize = 16 * 1024;
/// How often it is looked for streams that can go.
const SWEEP: Duration = Duration::from_secs(1);

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// How long a client may be away; zero: nothing is kept.
    pub max_age: Duration,
    /// Bytes of one stream, and of all.
    pub max_stream_bytes: usize,
    pub max_bytes: usize,
    /// Streams of one caller that are told while nobody reads them.
    pub max_per_caller: usize,
}

/// The streams by number; outlives reloads that leave the bounds as they are.
pub struct Tapes {
    pub bounds: Bounds,
    room: Arc<Room>,
    hasher: RandomState,
    all: Mutex<All>,
}

struct All {
    /// In the order of their beginning.
    tapes: BTreeMap<u64, Arc<Tape>>,
    /// The number of the next one. It begins by chance: clients may come back with one of another process.
    next: u64,
    swept: Instant,
}

impl Tapes {
    pub fn new(bounds: Bounds) -> Tapes {
        Tapes {
            bounds,
            room: Arc::new(Room::new(bounds.max_bytes)),
            hasher: RandomState::new(),
            all: Mutex::new(All {
                tapes: BTreeMap::new(),
                next: fastrand::u64(..u64::MAX / 2),
                swept: Instant::now(),
            }),
        }
    }

    /// Begins to keep a stream of a session, which is at `place`; `None` when as many are kept as may be.
    pub fn begin(&self, session: Number, caller: u64, place: &mut EventId) -> Option<Arc<Tape>> {
        let mut all = self.lock();
        if all.swept.elapsed() >= SWEEP {
            all.swept = Instant::now();
            all.tapes.retain(|_, tape| !tape.is_stale(self.bounds.max_age));
        }
        // The oldest goes for a new one, but none that is still told.
        if all.tapes.len() >= MOST || self.room.is_nearly_full() {
            let (&oldest, _) = all.tapes.iter().find(|(_, tape)| tape.has_ended())?;
            all.tapes.remove(&oldest);
        }
        let stream = all.next;
        all.next += 1;
        place.kept = Some(Kept { stream, event: 0 });
        let (most, room) = (self.bounds.max_stream_bytes, self.room.clone());
        let tape = Arc::new(Tape::new(session, caller, place.clone(), most, room));
        all.tapes.insert(stream, tape.clone());
        Some(tape)
    }

    /// A hash of who asks.
    pub fn caller(&self, principal: &[u8; 16], caller: &[u8]) -> u64 {
        self.hasher.hash_one((principal, caller))
    }

    /// A caller has left one more stream: of those that nobody reads the oldest are told no more.
    pub fn left(&self, caller: u64) {
        let all = self.lock();
        let left = all.tapes.values().filter(|tape| tape.caller == caller);
        let left: Vec<_> = left.filter(|tape| tape.is_told_to_nobody()).collect();
        let more = left.len().saturating_sub(self.bounds.max_per_caller);
        left.into_iter().take(more).for_each(|tape| tape.let_go());
    }

    /// The stream that a client of a session comes back to.
    pub fn find(&self, stream: u64, session: &Number) -> Option<Reader> {
        self.lock().tapes.get(&stream)?.read(session)
    }

    /// Nobody comes back to what a session listened to: it listens anew.
    pub fn listens_anew(&self, session: &Number) {
        self.let_go(session, true);
    }

    /// Nobody comes back to the streams of a session: it has ended.
    pub fn ends(&self, session: &Number) {
        self.let_go(session, false);
    }

    fn let_go(&self, session: &Number, only_listening: bool) {
        let all = self.lock();
        let meant = all
            .tapes
            .values()
            .filter(|tape| tape.is_of(session) && (!only_listening || tape.is_listening()));
        meant.for_each(|tape| tape.let_go());
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_mcp::Stream;

    fn bounds(max_age: Duration, max_bytes: usize) -> Bounds {
        Bounds {
            max_age,
            max_stream_bytes: 100,
            max_bytes,
            max_per_caller: 2,
        }
    }

    #[test]
    fn streams_are_found_by_their_sessions() {
        let tapes = Tapes::new(bounds(Duration::from_secs(60), 1000));
        let (ann, bob) = ([1; 16], [2; 16]);
        let mut place = EventId::new(Stream::Listening);
        let tape = tapes.begin(ann, 1, &mut place).unwrap();
        let stream = place.kept.unwrap().stream;
        assert!(tapes.find(stream, &ann).is_some() && tapes.find(stream, &bob).is_none());
        assert!(tapes.find(stream + 1, &ann).is_none());
        tape.leave();
        tapes.ends(&bob);
        assert!(tapes.find(stream, &ann).is_some(), "another session ended");
        tapes.listens_anew(&ann);
        assert!(tapes.find(stream, &ann).is_none() && tape.is_stale(Duration::MAX));
    }

    #[test]
    fn the_oldest_go_for_new_ones() {
        let tapes = Tapes::new(bounds(Duration::from_secs(60), 100));
        let begin = || {
            let mut place = EventId::new(Stream::Answer("1".into()));
            let tape = tapes.begin([1; 16], 1, &mut place)?;
            tape.keep(&place, &[b'x'; 50], b"");
            Some((tape, place.kept?.stream))
        };
        let (one, first) = begin().unwrap();
        begin().unwrap();
        assert!(begin().is_none(), "both are still told");
        one.end();
        drop(one);
        assert!(begin().is_some() && tapes.find(first, &[1; 16]).is_none());
    }

    #[test]
    fn a_caller_leaves_so_many_and_no_more() {
        let tapes = Tapes::new(bounds(Duration::from_secs(60), 1000));
        let (ann, bob) = (tapes.caller(&[0; 16], b"ann"), tapes.caller(&[0; 16], b"bob"));
        let begin = |caller| {
            let mut place = EventId::new(Stream::Listening);
            tapes.begin([1; 16], caller, &mut place).unwrap()
        };
        let of_bob = begin(bob);
        let of_ann = [begin(ann), begin(ann), begin(ann), begin(ann)];
        let leave = |tape: &Tape| {
            tape.leave();
            tapes.left(tape.caller);
        };
        leave(&of_bob);
        // One is still read, and one has ended: neither counts.
        of_ann[1].end();
        of_ann.iter().skip(1).for_each(|tape| leave(tape));
        let is_told = |tape: &Arc<Tape>| tape.is_told_to_nobody();
        assert_eq!(of_ann.each_ref().map(is_told), [false, false, true, true]);
        leave(&of_ann[0]);
        assert_eq!(
            of_ann.each_ref().map(is_told),
            [false, false, true, true],
            "the oldest goes"
        );
        assert!(is_told(&of_bob));
    }
}
