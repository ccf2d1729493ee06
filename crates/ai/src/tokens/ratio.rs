//! How far guesses are off, learned from what upstreams report.

use super::Family;
use std::sync::atomic::{AtomicU32, Ordering};

/// One: guesses are right.
const ONE: u32 = 1 << 16;
/// No upstream makes a guess count for less than this, …
const LEAST: u32 = ONE / 2;
/// … or more.
const MOST: u32 = ONE * 2;
/// The share of one call in what is learned: a sixteenth.
const SHARE: u32 = 4;
/// Calls with fewer tokens say too little.
const ENOUGH: u64 = 32;

/// Factors by which guesses are corrected, one for each family of models; shared by workers, kept over reloads. One wild
/// report moves a factor by a sixteenth of its way at most, and all of them never beyond a half and twice.
#[derive(Debug)]
pub struct Ratios([AtomicU32; Family::ALL.len()]);

impl Default for Ratios {
    fn default() -> Ratios {
        Ratios(std::array::from_fn(|_| AtomicU32::new(ONE)))
    }
}

impl Ratios {
    fn of(&self, family: Family) -> &AtomicU32 {
        &self.0[family as usize]
    }

    /// A guess, corrected.
    pub fn correct(&self, family: Family, guess: u64) -> u64 {
        let ratio = self.of(family).load(Ordering::Relaxed);
        let corrected = u128::from(guess) * u128::from(ratio) / u128::from(ONE);
        u64::try_from(corrected).unwrap_or(u64::MAX)
    }

    /// Learns from a guess (not corrected) and what was reported for it. Two workers that learn at the same time may lose
    /// one of the two lessons.
    pub fn learn(&self, family: Family, guess: u64, reported: u64) {
        if guess < ENOUGH || reported < ENOUGH {
            return;
        }
        let seen = u128::from(reported) * u128::from(ONE) / u128::from(guess);
        let seen = u32::try_from(seen).unwrap_or(MOST).clamp(LEAST, MOST);
        let old = self.of(family).load(Ordering::Relaxed);
        let new = old - (old >> SHARE) + (seen >> SHARE);
        self.of(family).store(new.clamp(LEAST, MOST), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lessons: &[(u64, u64)], times: usize, want: std::ops::RangeInclusive<u64>) {
        let ratios = Ratios::default();
        for (guess, reported) in lessons.iter().cycle().take(lessons.len() * times) {
            ratios.learn(Family::Other, *guess, *reported);
        }
        let got = ratios.correct(Family::Other, 1_000);
        assert!(want.contains(&got), "{lessons:?} x {times} gave {got}");
        assert_eq!(
            ratios.correct(Family::Google, 1_000),
            1_000,
            "a family of its own"
        );
    }

    #[test]
    fn what_is_reported_is_learned_within_bounds() {
        check(&[], 0, 1_000..=1_000);
        check(&[(100, 130)], 200, 1_290..=1_310);
        check(&[(100, 70)], 200, 690..=710);
        check(&[(100, u64::MAX)], 500, 1_990..=2_000);
        check(&[(1 << 40, 100)], 500, 500..=510);
        check(&[(1, 31), (31, 1), (0, 0)], 100, 1_000..=1_000);
        check(&[(100, u64::MAX)], 1, 1_050..=1_070);
    }
}
