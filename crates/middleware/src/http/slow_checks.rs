//! Checks of passwords and keys that are made to be slow (bcrypt, MD5-crypt): they run beside the workers, at most one for
//! each core at a time, and equal ones that arrive together run once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::{OnceCell, Semaphore};

/// Checks under way, by what is checked.
pub struct SlowChecks<T>(Mutex<HashMap<Vec<u8>, Arc<OnceCell<T>>>>);

impl<T> Default for SlowChecks<T> {
    fn default() -> SlowChecks<T> {
        SlowChecks(Mutex::default())
    }
}

/// Checks that run at one time, over all workers.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

impl<T: Clone + Default + Send + 'static> SlowChecks<T> {
    /// The outcome of `check`, or of one for the same `key` that is under way. The default if it cannot be run.
    pub async fn run(&self, key: Vec<u8>, check: impl FnOnce() -> T + Send + 'static) -> T {
        let flight = self.join(key);
        let first = async {
            let _turn = TURNS.acquire().await;
            tokio::task::spawn_blocking(check).await.unwrap_or_default()
        };
        flight.cell.get_or_init(|| first).await.clone()
    }

    fn join(&self, key: Vec<u8>) -> Flight<'_, T> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = flights.entry(key.clone()).or_default().clone();
        Flight { all: self, key, cell }
    }
}

/// One check, and who waits for it. The last one to leave removes it.
struct Flight<'a, T> {
    all: &'a SlowChecks<T>,
    key: Vec<u8>,
    cell: Arc<OnceCell<T>>,
}

impl<T> Drop for Flight<'_, T> {
    fn drop(&mut self) {
        let mut flights = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This one and the table's: whoever else waits holds another.
        if Arc::strong_count(&self.cell) == 2 {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_checks_run_once() {
        let checks = SlowChecks::<bool>::default();
        let (a, b) = (checks.join(b"x".to_vec()), checks.join(b"x".to_vec()));
        assert!(Arc::ptr_eq(&a.cell, &b.cell));
        drop(a);
        assert_eq!(checks.0.lock().unwrap().len(), 1, "somebody waits still");
        drop(b);
        assert_eq!(checks.0.lock().unwrap().len(), 0, "nothing is kept");
    }
}
