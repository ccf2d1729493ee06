//! Whether a server answers. One that does not is not waited for by everybody: what all are asked is given without it, while it is
//! looked after beside, by one at a time, until it answers again.

use super::told::Told;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time until an absent server is looked after: first, and at most. Each is twice the one before, and by chance up to a quarter
/// longer or shorter.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// When nobody has looked for this long after it was due, nobody knows: the next one waits for the server.
const STALE: Duration = Duration::from_secs(30);

/// What is known of one server; outlives reloads.
pub struct Presence {
    told: Arc<Told>,
    is_away: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When it is to be looked after; `None` while it answers.
    due: Option<Instant>,
    pause: Duration,
    looking: bool,
}

/// What to do with a server when all are asked.
pub enum Turn {
    /// Ask it, and wait.
    Ask,
    /// Ask it, and do not wait.
    Look(Look),
    Leave,
}

/// The right to look after a server, until it is dropped.
pub struct Look(Arc<Presence>);

impl Presence {
    pub fn new(told: Arc<Told>) -> Presence {
        Presence {
            told,
            is_away: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Whether it did not answer when it was asked last.
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// What to do with it now.
    pub fn turn(self: &Arc<Presence>, now: Instant) -> Turn {
        if !self.is_away() {
            return Turn::Ask;
        }
        let mut state = self.lock();
        match state.due {
            None => Turn::Ask,
            _ if state.looking => Turn::Leave,
            Some(due) if now >= due + STALE => Turn::Ask,
            Some(due) if now >= due => {
                state.looking = true;
                Turn::Look(Look(self.clone()))
            }
            Some(_) => Turn::Leave,
        }
    }

    /// It has answered, whatever it said.
    pub fn answered(&self) {
        if !self.is_away() {
            self.told.up(true);
            return;
        }
        self.lock().due = None;
        if self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!(
                service = &*self.told.service,
                server = &*self.told.server,
                "a server of tools answers again"
            );
            self.told.up(true);
        }
    }

    /// It has not.
    pub fn failed(&self, why: &dyn Display, now: Instant) {
        let mut state = self.lock();
        let (first, longest) = PAUSES;
        match state.due {
            None => state.pause = first,
            // Others fail that were asked before it was known.
            Some(due) if now < due => return,
            Some(_) => state.pause = (state.pause * 2).min(longest),
        }
        state.due = Some(now + state.pause.mul_f64(0.75 + fastrand::f64() / 2.0));
        if !self.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                service = &*self.told.service, server = &*self.told.server, %why,
                "a server of tools does not answer: lists are given without it until it does"
            );
            self.told.up(false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.0.lock().looking = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_look(turn: &Turn) -> bool {
        matches!(turn, Turn::Look(_))
    }

    #[test]
    fn one_at_a_time_looks_after_what_is_away() {
        let server = Arc::new(Presence::new(Arc::new(Told::of("all", "a"))));
        let mut now = Instant::now();
        server.answered();
        assert!(matches!(server.turn(now), Turn::Ask) && !server.is_away());
        server.failed(&"late", now);
        server.failed(&"late", now);
        assert!(matches!(server.turn(now), Turn::Leave) && server.is_away());

        let mut pause = PAUSES.0;
        for _ in 0..10 {
            now += pause.mul_f64(0.7);
            assert!(matches!(server.turn(now), Turn::Leave), "{pause:?} are not over");
            now += pause.mul_f64(0.6);
            let look = server.turn(now);
            assert!(
                is_look(&look) && matches!(server.turn(now), Turn::Leave),
                "{pause:?}"
            );
            server.failed(&"late", now);
            drop(look);
            pause = (pause * 2).min(PAUSES.1);
        }
        now += pause.mul_f64(1.3);
        drop(server.turn(now));
        assert!(is_look(&server.turn(now)), "who looked said nothing");
        server.answered();
        assert!(matches!(server.turn(now), Turn::Ask) && !server.is_away());
        server.failed(&"late", now);
        now += PAUSES.0 * 2;
        assert!(is_look(&server.turn(now)), "the next time it begins anew");
    }

    #[test]
    fn what_nobody_looked_after_for_long_is_asked() {
        let server = Arc::new(Presence::new(Arc::new(Told::of("all", "a"))));
        let then = Instant::now();
        server.failed(&"late", then);
        let now = then + PAUSES.0 * 2 + STALE;
        assert!(matches!(server.turn(now), Turn::Ask));
        server.failed(&"late", now);
        assert!(matches!(server.turn(now), Turn::Leave));
    }
}
