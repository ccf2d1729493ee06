//! Credentials that were verified a short while ago, so that the next request costs a hash and a look.
//!
//! What is kept is a keyed hash under a key that this process alone has: a copy of the table opens no door.

use aws_lc_rs::hmac;
use rustc_hash::FxHashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Stands for a credential.
pub type Print = [u8; 32];

static KEY: LazyLock<hmac::Key> = LazyLock::new(|| {
    let random = aws_lc_rs::rand::SystemRandom::new();
    hmac::Key::generate(hmac::HMAC_SHA256, &random).unwrap_or_else(|_| {
        // Without randomness there is no TLS either. Addresses differ between processes at least.
        hmac::Key::new(
            hmac::HMAC_SHA256,
            format!("{:p} {:?}", &KEY, SystemTime::now()).as_bytes(),
        )
    })
});

/// What stands for `credential` in this process.
pub fn print(credential: &[u8]) -> Print {
    let mut print = Print::default();
    let tag = hmac::sign(&KEY, credential);
    print.copy_from_slice(&tag.as_ref()[..32]);
    print
}

/// The time in Unix seconds.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Locks are short and many: workers hardly ever meet.
const SHARDS: usize = 16;

/// A bounded table of verified credentials, for all workers.
pub struct Remembered<V> {
    shards: [Mutex<FxHashMap<Print, Entry<V>>>; SHARDS],
    /// Entries of one shard.
    room: usize,
}

struct Entry<V> {
    value: V,
    /// Unix seconds.
    until: u64,
}

impl<V: Clone> Remembered<V> {
    /// Room for `capacity` credentials.
    pub fn new(capacity: usize) -> Remembered<V> {
        Remembered {
            shards: std::array::from_fn(|_| Mutex::default()),
            room: capacity.div_ceil(SHARDS),
        }
    }

    /// What is known of a credential at `now`.
    pub fn get(&self, print: &Print, now: u64) -> Option<V> {
        let shard = self.shard(print).lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(print).filter(|entry| now < entry.until)?;
        Some(entry.value.clone())
    }

    /// Remembers a credential. A full table forgets what is over, or else one at random.
    pub fn put(&self, print: Print, value: V, now: u64, until: u64) {
        if until <= now {
            return;
        }
        let mut shard = self.shard(&print).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= self.room && !shard.contains_key(&print) {
            shard.retain(|_, entry| now < entry.until);
            // Prints are random: so is their order.
            if shard.len() >= self.room
                && let Some(any) = shard.keys().next().copied()
            {
                shard.remove(&any);
            }
        }
        shard.insert(print, Entry { value, until });
    }

    fn shard(&self, print: &Print) -> &Mutex<FxHashMap<Print, Entry<V>>> {
        &self.shards[usize::from(print[0]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_it_is_over() {
        let known = Remembered::new(16);
        let a = print(b"a");
        assert_eq!(print(b"a"), a);
        assert_ne!(print(b"b"), a);
        known.put(a, 1, 100, 110);
        assert_eq!((known.get(&a, 109), known.get(&a, 110)), (Some(1), None));
        known.put(a, 2, 100, 120);
        assert_eq!(known.get(&a, 110), Some(2));
        assert_eq!(known.get(&print(b"b"), 100), None);
        known.put(print(b"b"), 3, 100, 100);
        assert_eq!(known.get(&print(b"b"), 99), None, "over before it began");
    }

    #[test]
    fn it_is_bounded() {
        let known = Remembered::new(32);
        for i in 0..10_000u32 {
            known.put(print(&i.to_be_bytes()), i, 100, 200);
        }
        let kept: usize = known.shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert_eq!(kept, 32);
        let last = print(&9_999u32.to_be_bytes());
        assert_eq!(known.get(&last, 100), Some(9_999), "the newest is there");
    }
}
