//! Nonces that were given out, and the counts they were used with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Nonces kept, how many more there may be before some are forgotten, and how many are forgotten then.
const KEPT: usize = 1000;
const TOLERANCE: usize = 100;
const FORGOTTEN: usize = 2 * TOLERANCE;

/// What a nonce and a count are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Good,
    /// The count that was used last: a repetition.
    Again,
    /// A count below the last one: requests overtook each other.
    Lower,
    Unknown,
}

/// The nonces of one middleware.
pub struct Nonces {
    opaque: String,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    nonces: HashMap<String, Nonce>,
    clock: u64,
}

#[derive(Clone, Copy)]
struct Nonce {
    /// The last count; 0 for a nonce that nobody has used yet.
    count: u64,
    seen: u64,
}

impl Nonces {
    pub fn new() -> Nonces {
        Nonces {
            opaque: random(),
            table: Mutex::default(),
        }
    }

    /// What a client must send back with a nonce of this middleware.
    pub fn opaque(&self) -> &str {
        &self.opaque
    }

    /// A new nonce.
    pub fn issue(&self) -> String {
        let nonce = random();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.nonces.len() >= KEPT + TOLERANCE {
            table.forget();
        }
        let seen = table.tick();
        table.nonces.insert(nonce.clone(), Nonce { count: 0, seen });
        nonce
    }

    /// Uses a nonce with a count, which must rise. Only for answers that are otherwise right.
    pub fn using(&self, nonce: &str, count: u64) -> Use {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let now = table.tick();
        match table.nonces.get_mut(nonce) {
            None => Use::Unknown,
            // Counts begin at 1: a zero could be repeated for ever.
            Some(_) if count == 0 => Use::Again,
            Some(nonce) if count == nonce.count => Use::Again,
            Some(nonce) if count < nonce.count => Use::Lower,
            Some(nonce) => {
                *nonce = Nonce { count, seen: now };
                Use::Good
            }
        }
    }
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Forgets those that nobody used, the oldest first, and then used ones: whoever only asks for challenges cannot log
    /// out those who answered one.
    fn forget(&mut self) {
        let mut order: Vec<_> = self.nonces.values().map(|n| (n.count != 0, n.seen)).collect();
        order.sort_unstable();
        if let Some(&limit) = order.get(FORGOTTEN) {
            self.nonces.retain(|_, n| (n.count != 0, n.seen) >= limit);
        }
    }
}

/// Sixteen characters that nobody can guess.
fn random() -> String {
    let mut bytes = [0; 12];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let nonces = Nonces::new();
        let nonce = nonces.issue();
        let check = |count, want| assert_eq!(nonces.using(&nonce, count), want, "count {count}");
        check(0, Use::Again);
        check(2, Use::Good);
        check(2, Use::Again);
        check(1, Use::Lower);
        check(3, Use::Good);
        assert_eq!(nonces.using("invented", 1), Use::Unknown);
    }

    #[test]
    fn challenges_alone_forget_no_login() {
        let nonces = Nonces::new();
        let used = nonces.issue();
        assert_eq!(nonces.using(&used, 1), Use::Good);
        let unused = nonces.issue();
        for _ in 0..10_000 {
            nonces.issue();
        }
        assert!(nonces.table.lock().unwrap().nonces.len() <= KEPT + TOLERANCE);
        assert_eq!(nonces.using(&used, 2), Use::Good);
        assert_eq!(nonces.using(&unused, 1), Use::Unknown);
    }
}
