//! Concurrency: how many of one partition are under way.

use crate::Partition;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 16;

/// Under way, by partition. A partition without any has no entry: memory is bounded by what is under way.
#[derive(Default)]
pub struct InFlight([Mutex<FxHashMap<Partition, u64>>; SHARDS]);

impl InFlight {
    fn shard(&self, partition: Partition) -> MutexGuard<'_, FxHashMap<Partition, u64>> {
        // Nothing in here panics between two states.
        self.0[partition.shard(SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        let idle = |shard: &Mutex<FxHashMap<Partition, u64>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
        };
        self.0.iter().all(idle)
    }
}

/// One thing under way; it counts until it is dropped.
pub struct Slot {
    counts: Arc<InFlight>,
    partition: Partition,
    /// How many were under way with it when it came.
    pub under_way: u64,
}

impl Slot {
    /// Takes a slot of `amount`; `None` when all are taken.
    pub fn take(counts: &Arc<InFlight>, partition: Partition, amount: u64) -> Option<Slot> {
        let mut shard = counts.shard(partition);
        let under_way = shard.get(&partition).copied().unwrap_or(0);
        if under_way >= amount {
            return None;
        }
        shard.insert(partition, under_way + 1);
        Some(Slot {
            counts: counts.clone(),
            partition,
            under_way: under_way + 1,
        })
    }
}

impl trilithon_flow::Held for Slot {}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shard = self.counts.shard(self.partition);
        match shard.get_mut(&self.partition) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = shard.remove(&self.partition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn slots_are_exact_under_concurrency() {
        let counts = Arc::new(InFlight::default());
        let (most, now) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        if let Some(slot) = Slot::take(&counts, Partition::of(b"a"), 3) {
                            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            now.fetch_sub(1, Ordering::SeqCst);
                            drop(slot);
                        }
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert!(counts.is_idle(), "every slot came back");
    }
}
