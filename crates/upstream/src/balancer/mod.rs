//! Choosing one of many: the strategies as plain functions of weights, load, chance and who is up.
//!
//! Nothing here reads a clock, draws a random number or knows a socket; candidates are numbers from 0.

pub mod hrw;
pub mod least_time;
pub mod p2c;
pub mod wrr;

pub use least_time::{LeastTime, Samples};
pub use wrr::Wrr;

/// The `k`-th candidate that is up. Others may go down while this looks; the last one that was up stands in then.
fn nth_up(candidates: usize, k: usize, up: &impl Fn(usize) -> bool) -> Option<usize> {
    let mut last = None;
    for (seen, index) in (0..candidates).filter(|&i| up(i)).enumerate() {
        last = Some(index);
        if seen == k {
            break;
        }
    }
    last
}

#[cfg(test)]
pub(crate) mod simulation {
    //! Seeded runs of a strategy.

    /// Shares of `rounds` picks.
    pub fn shares(candidates: usize, rounds: usize, mut pick: impl FnMut() -> Option<usize>) -> Vec<f64> {
        let mut counts = vec![0usize; candidates];
        for _ in 0..rounds {
            counts[pick().expect("somebody is up")] += 1;
        }
        counts.iter().map(|&n| n as f64 / rounds as f64).collect()
    }

    /// Fails unless every share is within one percent of what the weights say.
    pub fn check_shares(shares: &[f64], weights: &[f64]) {
        let total: f64 = weights.iter().sum();
        for (share, weight) in shares.iter().zip(weights) {
            assert!(
                (share - weight / total).abs() < 0.01,
                "{shares:?} for {weights:?}"
            );
        }
    }
}
