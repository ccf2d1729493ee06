//! A breaker: puts a target aside that fails, and lets one call try it before it is asked by all again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The longest that a target may put itself aside with `Retry-After`.
const LONGEST_ASIDE: Duration = Duration::from_secs(3600);

/// The breaker of one target.
pub struct Breaker {
    /// Failures in a row that put it aside; 0: it never is for those.
    failures: u32,
    open_for: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failed_in_a_row: u32,
    /// Put aside until then; afterwards one call tries.
    aside_until: Option<Instant>,
    /// That call is under way.
    trying: bool,
}

impl State {
    /// Whether it is not put aside, or may be tried and nobody does.
    fn may(&self, now: Instant) -> bool {
        self.aside_until.is_none_or(|until| now >= until && !self.trying)
    }
}

impl Breaker {
    pub fn new(failures: u32, open_for: Duration) -> Breaker {
        Breaker {
            failures,
            open_for,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether [`Breaker::admit`] would let a call through now.
    pub fn may(&self, now: Instant) -> bool {
        self.state().may(now)
    }

    /// Until when it is put aside.
    pub fn aside_until(&self) -> Option<Instant> {
        self.state().aside_until
    }

    /// Lets a call through, or not.
    pub fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let mut state = self.state();
        if !state.may(now) {
            return None;
        }
        let tries = state.aside_until.is_some();
        state.trying |= tries;
        Some(Permit { breaker: self, tries })
    }
}

/// A call that was let through. Dropped without a word (its client went away), it says nothing of the target.
pub struct Permit<'a> {
    breaker: &'a Breaker,
    /// It is the one that tries a target which was put aside.
    tries: bool,
}

impl Permit<'_> {
    /// The target answered.
    pub fn succeeded(self) {
        let mut state = self.breaker.state();
        // What was begun before it was put aside does not bring it back.
        if self.tries || state.aside_until.is_none() {
            state.failed_in_a_row = 0;
            state.aside_until = None;
        }
    }

    /// It failed, and asked to be left alone for `retry_after`.
    pub fn failed(self, now: Instant, retry_after: Option<Duration>) {
        let breaker = self.breaker;
        let mut state = breaker.state();
        state.failed_in_a_row = state.failed_in_a_row.saturating_add(1);
        let opens = self.tries || (breaker.failures > 0 && state.failed_in_a_row >= breaker.failures);
        let asked = retry_after.map(|wish| wish.min(LONGEST_ASIDE));
        let aside = opens.then_some(breaker.open_for).max(asked);
        if let Some(aside) = aside {
            state.aside_until = state.aside_until.max(Some(now + aside));
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.breaker.state().trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(30);

    fn fail(breaker: &Breaker, now: Instant, retry_after: Option<u64>) {
        let permit = breaker.admit(now).expect("let through");
        permit.failed(now, retry_after.map(Duration::from_secs));
    }

    #[test]
    fn failures_in_a_row_put_aside() {
        let (breaker, now) = (Breaker::new(2, OPEN), Instant::now());
        fail(&breaker, now, None);
        breaker.admit(now).unwrap().succeeded();
        fail(&breaker, now, None);
        assert!(breaker.may(now), "not in a row");
        fail(&breaker, now, None);
        assert!(!breaker.may(now) && !breaker.may(now + OPEN - Duration::from_millis(1)));
        assert!(breaker.may(now + OPEN));
    }

    #[test]
    fn one_call_tries() {
        let (breaker, now) = (Breaker::new(1, OPEN), Instant::now());
        fail(&breaker, now, None);
        let then = now + OPEN;
        let tries = breaker.admit(then).unwrap();
        assert!(breaker.admit(then).is_none(), "the others wait");
        drop(tries);
        let tries = breaker.admit(then).expect("its client left: another tries");
        tries.failed(then, None);
        assert!(!breaker.may(then), "aside again");
        breaker.admit(then + OPEN).unwrap().succeeded();
        let both = (breaker.admit(then), breaker.admit(then));
        assert!(both.0.is_some() && both.1.is_some());
    }

    #[test]
    fn retry_after_is_the_least() {
        let check = |failures, after: Option<u64>, want: Option<u64>| {
            let (breaker, now) = (Breaker::new(failures, OPEN), Instant::now());
            fail(&breaker, now, after);
            let aside = breaker.aside_until().map(|until| (until - now).as_secs());
            assert_eq!(aside, want, "{failures} {after:?}");
        };
        check(0, None, None);
        check(0, Some(7), Some(7));
        check(9, Some(7), Some(7));
        check(1, Some(7), Some(30));
        check(1, Some(70), Some(70));
        check(1, Some(u64::MAX), Some(3600));
    }

    #[test]
    fn what_began_before_does_not_bring_it_back() {
        let (breaker, now) = (Breaker::new(1, OPEN), Instant::now());
        let early = breaker.admit(now).unwrap();
        fail(&breaker, now, None);
        early.succeeded();
        assert!(!breaker.may(now));
    }
}
