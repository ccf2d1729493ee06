//! How long answers are, learned: what is set aside for one before anybody knows.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is set aside for an answer of which nothing is known.
const FIRST: u64 = 1_024;
/// Less is never set aside, …
const LEAST: u64 = 64;
/// … nor more.
pub const MOST: u64 = 32_768;
/// Answers out of so many that are longer than what was set aside: the forecast is their 95th hundredth.
const ONE_IN: u64 = 20;
/// Models and callers that are told apart; beyond that some share a forecast.
const SLOTS: usize = 256;

/// Upper bounds of output, learned for each kind of call; shared by workers, kept over reloads.
///
/// Each is moved up by a step when an answer is longer, down by a twentieth part of one when it is not: where the two
/// balance, one answer in twenty is longer. No list of answers is kept.
#[derive(Debug)]
pub struct Forecasts([AtomicU64; SLOTS]);

impl Default for Forecasts {
    fn default() -> Forecasts {
        // In twentieths of a token.
        Forecasts(std::array::from_fn(|_| AtomicU64::new(FIRST * ONE_IN)))
    }
}

/// One kind of call: the same model, asked the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(usize);

impl Kind {
    /// A call of `model` by `caller`.
    pub fn of(model: &str, caller: &[u8], stream: bool) -> Kind {
        static KEYS: LazyLock<RandomState> = LazyLock::new(Default::default);
        let hash = KEYS.hash_one((model, caller, stream));
        Kind(usize::try_from(hash % SLOTS as u64).unwrap_or(0))
    }
}

impl Forecasts {
    /// What to set aside for an answer.
    pub fn of(&self, kind: Kind) -> u64 {
        (self.0[kind.0].load(Ordering::Relaxed) / ONE_IN).clamp(LEAST, MOST)
    }

    /// Learns how long an answer was.
    pub fn learn(&self, kind: Kind, output: u64) {
        let slot = &self.0[kind.0];
        let old = slot.load(Ordering::Relaxed);
        let step = (old / (8 * ONE_IN)).max(1);
        let new = if output.saturating_mul(ONE_IN) > old {
            old.saturating_add(step * (ONE_IN - 1))
        } else {
            old.saturating_sub(step)
        };
        slot.store(new.clamp(LEAST * ONE_IN, MOST * ONE_IN), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(outputs: impl Iterator<Item = u64>) -> u64 {
        let (forecasts, kind) = (Forecasts::default(), Kind::of("m", b"", false));
        outputs.for_each(|output| forecasts.learn(kind, output));
        forecasts.of(kind)
    }

    #[test]
    fn about_one_in_twenty_is_longer() {
        let mut random = fastrand::Rng::with_seed(7);
        let even = learned((0..20_000).map(|_| random.u64(0..=2_000)));
        assert!((1_600..=2_200).contains(&even), "95 in 100 of 0 to 2000: {even}");
        let same = learned(std::iter::repeat_n(500, 5_000));
        assert!((450..=600).contains(&same), "always 500: {same}");
    }

    #[test]
    fn bounds() {
        assert_eq!(learned(std::iter::empty()), FIRST);
        assert_eq!(learned(std::iter::repeat_n(u64::MAX, 50_000)), MOST);
        assert_eq!(learned(std::iter::repeat_n(0, 50_000)), LEAST);
    }

    #[test]
    fn one_kind_is_one_slot() {
        assert_eq!(Kind::of("a", b"k", true), Kind::of("a", b"k", true));
        let kinds = (0..40).map(|n| Kind::of(&format!("m{n}"), b"", n % 2 == 0).0);
        let distinct: std::collections::HashSet<_> = kinds.collect();
        assert!(distinct.len() > 20, "{} slots", distinct.len());
    }
}
