//! The last calls. Each worker has a ring of its own, so that none waits for another: a lock is shared only with whoever asks.

use super::call::Call;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls that one worker keeps, and that are told.
const KEPT: usize = 200;

type Ring = Arc<Mutex<VecDeque<Call>>>;

/// The rings of all workers.
pub struct Recent {
    /// Tells rings of one process apart.
    number: u64,
    rings: Mutex<Vec<Ring>>,
}

thread_local! {
    /// This worker's ring, and of which `Recent`.
    static MINE: RefCell<Option<(u64, Ring)>> = const { RefCell::new(None) };
}

impl Default for Recent {
    fn default() -> Recent {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Recent {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            rings: Mutex::default(),
        }
    }
}

impl Recent {
    /// Keeps a call; the oldest of this worker goes for it.
    pub fn add(&self, call: Call) {
        MINE.with_borrow_mut(|mine| {
            let ring = match mine {
                Some((number, ring)) if *number == self.number => ring,
                _ => &mut mine.insert((self.number, self.join())).1,
            };
            let mut ring = held(ring);
            if ring.len() == KEPT {
                ring.pop_front();
            }
            ring.push_back(call);
        });
    }

    fn join(&self) -> Ring {
        let ring = Ring::default();
        held(&self.rings).push(ring.clone());
        ring
    }

    /// The last calls of all workers as `told` makes them, the newest first.
    pub fn last<T>(&self, told: impl Fn(&Call) -> T) -> Vec<T> {
        let rings = held(&self.rings).clone();
        let mut all = Vec::new();
        for ring in &rings {
            all.extend(held(ring).iter().map(|call| (call.at, told(call))));
        }
        all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        all.truncate(KEPT);
        all.into_iter().map(|(_, told)| told).collect()
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};
    use trilithon_flow::Record;

    fn call(second: u64) -> Call {
        let record = Record {
            started_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(second)),
            router: Some("r".into()),
            status: 500,
            ..Record::default()
        };
        Call::of(&record).expect("a call")
    }

    #[test]
    fn the_newest_of_all_workers_come_first() {
        let recent = Recent::default();
        let other = Recent::default();
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let recent = &recent;
                scope.spawn(move || (0..1000).for_each(|n| recent.add(call(2 * n + worker))));
            }
        });
        other.add(call(7));
        let seconds = recent.last(|call| call.at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(seconds, (1800..2000).rev().collect::<Vec<_>>());
        assert_eq!(other.last(|_| ()).len(), 1);
    }
}
