//! How many bytes are kept for clients, over all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for what is kept.
#[derive(Debug)]
pub struct Room {
    taken: AtomicUsize,
    most: usize,
}

/// Some of it, until it is dropped.
#[derive(Debug)]
pub struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// Room for `most` bytes.
    pub fn new(most: usize) -> Room {
        Room {
            taken: AtomicUsize::new(0),
            most,
        }
    }

    /// Whether an eighth of it is left, or less.
    pub fn is_nearly_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.most - self.most / 8
    }

    /// Room for `bytes`; `None` when there is not as much left.
    pub fn take(self: &Arc<Room>, bytes: usize) -> Option<Taken> {
        let fits = |taken: usize| taken.checked_add(bytes).filter(|all| *all <= self.most);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok().map(|_| Taken {
            room: self.clone(),
            bytes,
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_and_given_back() {
        let room = Arc::new(Room::new(10));
        let six = room.take(6);
        assert!(six.is_some() && room.take(5).is_none() && room.take(usize::MAX).is_none());
        assert!(room.take(4).is_some(), "what was given back fits");
        drop(six);
        assert!(room.take(10).is_some());
    }
}
