//! How many streams are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places for streams; outlives reloads that leave the number as it is.
pub struct Places {
    open: AtomicU64,
    most: u64,
}

/// One of them, until it is dropped.
pub struct Place(Arc<Places>);

impl Places {
    pub fn new(most: u64) -> Places {
        Places {
            open: AtomicU64::new(0),
            most,
        }
    }

    /// A place; `None` when all are taken.
    pub fn take(self: &Arc<Places>) -> Option<Place> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        // Given back when it is dropped.
        let place = Place(self.clone());
        (before < self.most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let places = Arc::new(Places::new(2));
        let (one, two) = (places.take(), places.take());
        assert!(one.is_some() && two.is_some() && places.take().is_none());
        drop(one);
        assert!(places.take().is_some());
    }
}
