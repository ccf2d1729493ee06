//! Weighted turns, earliest deadline first: who is chosen is due again after `1 / weight`.
//!
//! A candidate of weight 3 comes three times as often as one of weight 1, spread evenly and not in a row.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

/// The turns of one balancer, shared by all workers.
pub struct Wrr {
    turns: Mutex<Turns>,
    candidates: usize,
}

struct Turns {
    queue: BinaryHeap<Turn>,
    /// Counts the turns handed out; those due at the same time are served in this order.
    issued: u64,
}

struct Turn {
    /// `start + count / weight`. Counted and not summed up, so that equal shares meet at equal times.
    due: f64,
    start: f64,
    count: u64,
    weight: f64,
    order: u64,
    index: usize,
}

/// Time after which the queue is moved back to its start, so that additions stay exact.
const REBASE: f64 = 4096.0;

impl Wrr {
    /// Candidates in order with positive weights.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Wrr {
        let turn = |(index, weight): (usize, f64)| Turn {
            due: 1.0 / weight,
            start: 0.0,
            count: 1,
            weight,
            order: index as u64,
            index,
        };
        let queue: BinaryHeap<Turn> = weights.into_iter().enumerate().map(turn).collect();
        let candidates = queue.len();
        Wrr {
            turns: Mutex::new(Turns {
                queue,
                issued: candidates as u64,
            }),
            candidates,
        }
    }

    /// The next candidate that is up. One that is down gives its turn away, so that it is not owed any when it is back.
    pub fn pick(&self, up: impl Fn(usize) -> bool) -> Option<usize> {
        if self.candidates < 2 {
            return (self.candidates == 1 && up(0)).then_some(0);
        }
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).pick(up)
    }
}

impl Turns {
    fn pick(&mut self, up: impl Fn(usize) -> bool) -> Option<usize> {
        let mut first = self.queue.peek_mut()?;
        if !up(first.index) {
            drop(first);
            return self.pick_behind(up);
        }
        let (index, now) = (first.index, first.due);
        first.served(self.issued);
        drop(first);
        self.issued += 1;
        self.rebase(now);
        Some(index)
    }

    /// The slower way, when the first in line is down.
    fn pick_behind(&mut self, up: impl Fn(usize) -> bool) -> Option<usize> {
        let mut passed = Vec::new();
        let mut chosen = None;
        while chosen.is_none()
            && let Some(turn) = self.queue.pop()
        {
            chosen = up(turn.index).then_some((turn.index, turn.due));
            passed.push(turn);
        }
        for mut turn in passed {
            // Nobody is up: the turns stay as they are.
            if let Some((index, now)) = chosen {
                if turn.index != index {
                    turn.restart(now);
                }
                turn.served(self.issued);
                self.issued += 1;
            }
            self.queue.push(turn);
        }
        let (index, now) = chosen?;
        self.rebase(now);
        Some(index)
    }

    fn rebase(&mut self, now: f64) {
        if now > REBASE {
            let mut turns = std::mem::take(&mut self.queue).into_vec();
            turns.iter_mut().for_each(|turn| turn.restart(turn.due - now));
            self.queue = turns.into();
        }
    }
}

impl Turn {
    fn served(&mut self, order: u64) {
        self.count += 1;
        self.due = self.start + self.count as f64 / self.weight;
        self.order = order;
    }

    fn restart(&mut self, start: f64) {
        (self.start, self.count, self.due) = (start, 0, start);
    }
}

/// The heap gives the greatest first: the earliest due, then the first in order.
impl Ord for Turn {
    fn cmp(&self, other: &Turn) -> Ordering {
        other.due.total_cmp(&self.due).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Turn) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Turn) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::simulation::{check_shares, shares};

    fn check(weights: &[f64], picks: usize, want: &str) {
        let wrr = Wrr::new(weights.iter().copied());
        let got: String = (0..picks)
            .map(|_| wrr.pick(|_| true).map_or("-".into(), |i| i.to_string()))
            .collect();
        assert_eq!(got, want, "{weights:?}");
    }

    #[test]
    fn turns() {
        check(&[], 2, "--");
        check(&[1.0], 3, "000");
        check(&[1.0, 1.0, 1.0], 7, "0120120");
        check(&[3.0, 1.0], 8, "00100010");
        check(&[2.0, 1.0], 6, "010010");
    }

    #[test]
    fn shares_follow_the_weights() {
        for weights in [
            vec![5.0, 3.0, 2.0],
            vec![1.0, 1.0],
            vec![100.0, 1.0],
            vec![7.0, 1.0, 3.0, 30.0],
        ] {
            let wrr = Wrr::new(weights.iter().copied());
            check_shares(&shares(weights.len(), 100_000, || wrr.pick(|_| true)), &weights);
        }
    }

    #[test]
    fn exact_over_whole_periods() {
        let wrr = Wrr::new([5.0, 3.0, 2.0]);
        let mut counts = [0; 3];
        (0..20).for_each(|_| counts[wrr.pick(|_| true).unwrap()] += 1);
        assert_eq!(counts, [10, 6, 4]);
    }

    #[test]
    fn those_that_are_down_are_left_out_and_not_owed_anything() {
        let wrr = Wrr::new([1.0, 1.0, 4.0]);
        check_shares(&shares(3, 6_000, || wrr.pick(|i| i != 2)), &[1.0, 1.0, 0.0]);
        check_shares(&shares(3, 600, || wrr.pick(|_| true)), &[1.0, 1.0, 4.0]);
        assert_eq!(wrr.pick(|_| false), None);
        assert!(wrr.pick(|i| i == 1) == Some(1));
    }
}
