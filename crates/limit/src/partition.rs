//! Who a limit tells apart: in memory a keyed hash, in the store a digest that means the same after a restart.

use crate::Policy;
use aws_lc_rs::digest::{Context, SHA256};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// A partition, as a keyed hash: of fixed size however long the client made its header, and not to be collided from
/// outside. It means nothing in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partition(u128);

impl Partition {
    /// The partition called so.
    pub fn of(bytes: &[u8]) -> Partition {
        static KEYS: LazyLock<(RandomState, RandomState)> = LazyLock::new(Default::default);
        Partition(u128::from(KEYS.0.hash_one(bytes)) << 64 | u128::from(KEYS.1.hash_one(bytes)))
    }

    /// A small number that spreads partitions evenly.
    pub(crate) fn shard(self, shards: usize) -> usize {
        (self.0 >> 64) as usize % shards
    }
}

/// A partition's name in the store. A digest: a key or an address that a limit counts by is never written down.
pub(crate) type StoreKey = [u8; 32];

/// The name of `partition` under `policy`: SHA-256 over tenant, policy, rule and partition, each behind its length, so that
/// no two limits ever share a counter.
pub(crate) fn store_key(policy: &Policy, partition: &[u8]) -> StoreKey {
    let mut digest = Context::new(&SHA256);
    let parts = [&*policy.tenant, &*policy.policy, &*policy.rule].map(str::as_bytes);
    for part in parts.into_iter().chain([partition]) {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut key = [0; 32];
    key.copy_from_slice(digest.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(tenant: &str, policy: &str, rule: &str) -> Policy {
        Policy {
            tenant: tenant.into(),
            policy: policy.into(),
            rule: rule.into(),
        }
    }

    fn hex(key: StoreKey) -> String {
        key.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// A store outlives versions: these digests never change.
    #[test]
    fn keys_of_the_store_are_stable() {
        let check = |p: Policy, partition: &str, want: &str| {
            assert_eq!(
                hex(store_key(&p, partition.as_bytes())),
                want,
                "{p:?} {partition}"
            );
        };
        check(policy("", "spending@file", "daily"), "alice", GOLDEN[0]);
        check(policy("acme", "spending@file", "daily"), "alice", GOLDEN[1]);
        check(policy("", "spending@file", "daily"), "", GOLDEN[2]);
    }

    const GOLDEN: [&str; 3] = [
        "23d40bae5eea62182b8e9116c9b9dc4da872f11b927c6dbfbf15559833719a10",
        "f102363a8970bf7b62111727e297bf89bda65eca94f473d4f5f982fd68abd19d",
        "a4099e1fa36cfc25726ac3171ae98e069f9f3f21b17697f0e7f36f3be36a6ac0",
    ];

    #[test]
    fn no_part_runs_into_its_neighbour() {
        let keys = [
            store_key(&policy("", "ab", "c"), b"d"),
            store_key(&policy("", "a", "bc"), b"d"),
            store_key(&policy("a", "b", "c"), b"d"),
            store_key(&policy("", "ab", ""), b"cd"),
            store_key(&policy("", "ab", "cd"), b""),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{i}");
        }
    }

    #[test]
    fn partitions_differ() {
        assert_eq!(Partition::of(b"a"), Partition::of(b"a"));
        assert_ne!(Partition::of(b"a"), Partition::of(b"b"));
        assert_ne!(Partition::of(b""), Partition::of(b"\0"));
    }
}
