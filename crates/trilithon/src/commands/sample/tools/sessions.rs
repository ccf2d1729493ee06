//! Sessions of the protocol's first era.

use aws_lc_rs::rand::fill;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions that are open at the same time; the oldest ends for one more.
const MOST: usize = 1024;

/// The open sessions, oldest first.
#[derive(Default)]
pub struct Sessions(Mutex<VecDeque<String>>);

impl Sessions {
    /// Opens one; gives its id.
    pub fn open(&self) -> String {
        let mut bytes = [0; 16];
        // Without randomness the id is the same for all, which a sample can live with.
        let _ = fill(&mut bytes);
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut open = self.lock();
        if open.len() == MOST {
            open.pop_front();
        }
        open.push_back(id.clone());
        id
    }

    pub fn is_open(&self, id: &str) -> bool {
        self.lock().iter().any(|known| known == id)
    }

    /// Ends one; whether there was one.
    pub fn close(&self, id: &str) -> bool {
        let mut open = self.lock();
        let before = open.len();
        open.retain(|known| known != id);
        open.len() < before
    }

    /// Ends all, as a restart does.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
