//! Sessions that are used by one call at a time: whatever a server asks in such a session, in whichever stream, it asks for that call.
//! A caller has as many as it has calls under way, and they are used again.

use super::super::table::Number;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which sessions are in use: for each caller, and what its clients can be asked, one of so many. Outlives reloads.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<Number, Vec<bool>>>);

/// The use of a session, until it is dropped.
pub struct Turn {
    of: Number,
    pub place: usize,
    turns: Arc<Turns>,
}

impl Turns {
    /// The first session of a caller that no call uses.
    pub fn take(self: &Arc<Turns>, of: Number) -> Turn {
        let mut all = self.lock();
        let used = all.entry(of).or_default();
        let place = used.iter().position(|used| !used).unwrap_or(used.len());
        match used.get_mut(place) {
            Some(used) => *used = true,
            None => used.push(true),
        }
        drop(all);
        Turn {
            of,
            place,
            turns: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Number, Vec<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.turns.lock();
        if let Some(used) = all.get_mut(&self.of) {
            if let Some(used) = used.get_mut(self.place) {
                *used = false;
            }
            while used.last() == Some(&false) {
                used.pop();
            }
            if used.is_empty() {
                all.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_a_session_of_its_own() {
        let turns = Arc::<Turns>::default();
        let (one, two, other) = (turns.take([1; 16]), turns.take([1; 16]), turns.take([2; 16]));
        assert_eq!((one.place, two.place, other.place), (0, 1, 0));
        drop(one);
        let again = turns.take([1; 16]);
        assert_eq!(again.place, 0, "used again");
        drop((again, two, other));
        assert!(turns.lock().is_empty());
    }
}
