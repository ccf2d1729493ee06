//! What is remembered of each partition, bounded: the least recently seen are forgotten first.

use crate::{Nanos, Partition};
use rustc_hash::FxHashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Partitions of one limit that are remembered at most.
pub(crate) const MAX_PARTITIONS: usize = 65_536;
/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 16;
/// Partitions of one generation in one shard: there are two generations.
const GENERATION: usize = MAX_PARTITIONS / SHARDS / 2;

/// A value for each partition. One that was not seen for `ttl` may be forgotten; one that was seen since never is for its
/// age, only for want of room.
pub(crate) struct Partitions<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
    ttl: Nanos,
}

/// Two generations: who comes back from the old one moves to the young one; when that is full or the time is over, the old one
/// is forgotten and the young one becomes old. No sweep, no list to keep in order.
struct Shard<V> {
    young: FxHashMap<Partition, V>,
    old: FxHashMap<Partition, V>,
    since: Option<Nanos>,
}

impl<V> Partitions<V> {
    pub(crate) fn new(ttl: Nanos) -> Partitions<V> {
        let empty = |_| {
            Mutex::new(Shard {
                young: FxHashMap::default(),
                old: FxHashMap::default(),
                since: None,
            })
        };
        Partitions {
            shards: std::array::from_fn(empty),
            ttl,
        }
    }

    fn shard(&self, partition: Partition) -> MutexGuard<'_, Shard<V>> {
        // A thread that panicked in here left whole values behind.
        self.shards[partition.shard(SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the value of a partition, which is made by `new` if none is remembered.
    pub(crate) fn with<R>(
        &self,
        partition: Partition,
        now: Nanos,
        new: impl FnOnce() -> V,
        work: impl FnOnce(&mut V) -> R,
    ) -> R {
        work(self.shard(partition).value(partition, self.ttl, now, new))
    }

    /// Works on the value of a partition if it is remembered; that does not count as seeing it.
    pub(crate) fn find<R>(&self, partition: Partition, work: impl FnOnce(&mut V) -> R) -> Option<R> {
        let shard = &mut *self.shard(partition);
        let value = match shard.young.get_mut(&partition) {
            Some(value) => Some(value),
            None => shard.old.get_mut(&partition),
        };
        value.map(work)
    }

    /// Works on every value, shard by shard.
    pub(crate) fn each(&self, mut work: impl FnMut(&Partition, &mut V)) {
        for shard in &self.shards {
            let shard = &mut *shard.lock().unwrap_or_else(PoisonError::into_inner);
            for (partition, value) in shard.young.iter_mut().chain(shard.old.iter_mut()) {
                work(partition, value);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        let mut count = 0;
        self.each(|_, _| count += 1);
        count
    }
}

impl<V> Shard<V> {
    fn value(&mut self, partition: Partition, ttl: Nanos, now: Nanos, new: impl FnOnce() -> V) -> &mut V {
        let since = *self.since.get_or_insert(now);
        if self.young.len() >= GENERATION || now.saturating_sub(since) >= ttl {
            self.old = std::mem::take(&mut self.young);
            self.since = Some(now);
        }
        let old = &mut self.old;
        self.young
            .entry(partition)
            .or_insert_with(|| old.remove(&partition).unwrap_or_else(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(n: u32) -> Partition {
        Partition::of(&n.to_be_bytes())
    }

    fn seen(partitions: &Partitions<u32>, n: u32, now: Nanos) -> u32 {
        partitions.with(
            partition(n),
            now,
            || 0,
            |v| {
                *v += 1;
                *v
            },
        )
    }

    #[test]
    fn who_keeps_coming_is_remembered_and_memory_is_bounded() {
        let partitions = Partitions::new(Nanos::MAX);
        for n in 0..200_000 {
            assert_eq!(seen(&partitions, n + 1, 0), 1);
            assert_eq!(seen(&partitions, 0, 0), n + 1);
        }
        assert!(
            partitions.remembered() <= MAX_PARTITIONS,
            "{}",
            partitions.remembered()
        );
    }

    #[test]
    fn who_was_seen_within_the_time_is_remembered() {
        let partitions = Partitions::new(10);
        for (now, want) in [(0, 1), (9, 2), (18, 3), (27, 4), (36, 5)] {
            assert_eq!(seen(&partitions, 1, now), want, "at {now}");
        }
        seen(&partitions, 2, 60);
        seen(&partitions, 2, 80);
        for n in 0..64 {
            seen(&partitions, 100 + n, 100);
            seen(&partitions, 100 + n, 120);
        }
        assert_eq!(seen(&partitions, 1, 121), 1, "long not seen");
    }

    #[test]
    fn finding_makes_nothing() {
        let partitions = Partitions::new(10);
        assert_eq!(partitions.find(partition(1), |v: &mut u32| *v), None);
        seen(&partitions, 1, 0);
        assert_eq!(partitions.find(partition(1), |v| *v), Some(1));
    }
}
