//! Weighted turns by the greatest common divisor: in each round those take part whose weight reaches the round's level, and
//! the level falls by the divisor from round to round. Connections and sessions are few, so a lock is cheap enough.

use std::sync::{Mutex, PoisonError};

/// The turns of one balancer, shared by all workers.
#[derive(Debug)]
pub struct RoundRobin {
    weights: Vec<i64>,
    step: i64,
    highest: i64,
    at: Mutex<At>,
}

#[derive(Debug)]
struct At {
    /// Who had the last turn; none before the first.
    index: Option<usize>,
    level: i64,
}

impl RoundRobin {
    /// Candidates in order. Weights are positive.
    pub fn new(weights: impl IntoIterator<Item = i64>) -> RoundRobin {
        let weights: Vec<i64> = weights.into_iter().map(|w| w.max(1)).collect();
        RoundRobin {
            step: weights.iter().copied().fold(0, gcd).max(1),
            highest: weights.iter().copied().max().unwrap_or(0),
            at: Mutex::new(At {
                index: None,
                level: 0,
            }),
            weights,
        }
    }

    /// The next candidate that is up.
    pub fn pick(&self, up: impl Fn(usize) -> bool) -> Option<usize> {
        let up: Vec<bool> = (0..self.weights.len()).map(up).collect();
        let best = |(index, weight): (usize, &i64)| up[index].then_some(*weight);
        let reachable = self.weights.iter().enumerate().filter_map(best).max()?;
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let index = at.index.map_or(0, |i| (i + 1) % self.weights.len());
            at.index = Some(index);
            if index == 0 {
                at.level -= self.step;
                if at.level <= 0 {
                    at.level = self.highest;
                }
                // Rounds in which nobody who is up takes part are passed over.
                at.level = at.level.min(reachable);
            }
            if up[index] && self.weights[index] >= at.level {
                return Some(index);
            }
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weights: &[i64], up: impl Fn(usize) -> bool, want: &str) {
        let turns = RoundRobin::new(weights.iter().copied());
        let next = || turns.pick(&up).map_or("-".into(), |i| i.to_string());
        let got: String = (0..want.len()).map(|_| next()).collect();
        assert_eq!(got, want, "{weights:?}");
    }

    #[test]
    fn turns() {
        check(&[], |_| true, "--");
        check(&[1], |_| true, "00");
        check(&[1, 1, 1], |_| true, "0120120");
        check(&[3, 1], |_| true, "00010001");
        check(&[1, 3], |_| true, "11011101");
        check(&[4, 2], |_| true, "001001");
        check(&[3, 2, 1], |_| true, "001012001012");
    }

    #[test]
    fn those_that_are_down_have_none() {
        check(&[1, 1, 1], |i| i != 1, "020202");
        check(&[3, 1, 1], |i| i != 0, "121212");
        check(&[i64::MAX, 1], |i| i == 1, "111");
        check(&[1, 1], |_| false, "--");
    }
}
