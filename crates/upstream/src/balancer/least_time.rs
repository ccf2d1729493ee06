//! Least time: the candidate that answers soonest, by its average time to the first byte and the requests it has under way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Times to the first byte that the average is made of.
const KEPT: usize = 100;

/// What one server was measured at, in whole milliseconds.
#[derive(Default)]
pub struct Samples {
    ring: Mutex<Ring>,
    /// The average's bits, for those who only read.
    average: AtomicU64,
}

#[derive(Default)]
struct Ring {
    millis: Vec<u64>,
    next: usize,
    sum: u64,
}

impl Samples {
    /// Adds one time to the first byte.
    pub fn add(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis())
            .unwrap_or(u64::MAX / 1024)
            .min(u64::MAX / 1024);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = &mut *ring;
        ring.sum += millis;
        match ring.millis.get_mut(ring.next) {
            Some(oldest) => ring.sum -= std::mem::replace(oldest, millis),
            None => ring.millis.push(millis),
        }
        ring.next = (ring.next + 1) % KEPT;
        let average = ring.sum as f64 / ring.millis.len() as f64;
        self.average.store(average.to_bits(), Ordering::Relaxed);
    }

    /// The average in milliseconds; 0 as long as nothing was measured, so that a new server is tried soon.
    pub fn average(&self) -> f64 {
        f64::from_bits(self.average.load(Ordering::Relaxed))
    }
}

/// The strategy's own state: turns among candidates that score alike.
pub struct LeastTime {
    weights: Box<[f64]>,
    due: Mutex<Box<[f64]>>,
}

impl LeastTime {
    /// Candidates in order with positive weights.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> LeastTime {
        let weights: Box<[f64]> = weights.into_iter().collect();
        let staggered = weights.iter().scan(0.0, |time, weight| {
            *time += 1.0 / weight;
            Some(*time)
        });
        let due = Mutex::new(staggered.collect());
        LeastTime { weights, due }
    }

    /// The candidate with the lowest `cost / weight`, where a cost is average time × (1 + requests under way); weighted
    /// turns among equals.
    pub fn pick(&self, up: impl Fn(usize) -> bool, cost: impl Fn(usize) -> f64) -> Option<usize> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let mut best: Option<(usize, f64)> = None;
        let mut tied = false;
        for index in (0..self.weights.len()).filter(|&i| up(i)) {
            let score = cost(index) / self.weights[index];
            match best {
                Some((_, lowest)) if score > lowest => {}
                Some((other, lowest)) if score == lowest => {
                    tied = true;
                    if due[index] < due[other] {
                        best = Some((index, score));
                    }
                }
                _ => {
                    tied = false;
                    best = Some((index, score));
                }
            }
        }
        let (index, _) = best?;
        if tied {
            due[index] += 1.0 / self.weights[index];
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::simulation::{check_shares, shares};

    #[test]
    fn the_average_is_of_the_last_hundred() {
        let samples = Samples::default();
        assert_eq!(samples.average(), 0.0);
        let check = |n: usize, millis: u64, want: f64| {
            (0..n).for_each(|_| samples.add(Duration::from_millis(millis)));
            assert_eq!(samples.average(), want);
        };
        check(1, 10, 10.0);
        check(1, 20, 15.0);
        check(98, 15, 15.0);
        check(50, 115, 65.0);
        check(100, 7, 7.0);
    }

    fn check(weights: &[f64], costs: &[f64], want: &[f64]) {
        let strategy = LeastTime::new(weights.iter().copied());
        let got = shares(weights.len(), 9_000, || strategy.pick(|_| true, |i| costs[i]));
        check_shares(&got, want);
    }

    #[test]
    fn the_cheapest_wins_and_equals_take_turns() {
        check(&[1.0, 1.0], &[10.0, 5.0], &[0.0, 1.0]);
        check(&[3.0, 1.0], &[10.0, 5.0], &[1.0, 0.0]);
        check(&[1.0, 1.0, 1.0], &[0.0, 0.0, 1.0], &[1.0, 1.0, 0.0]);
        check(&[3.0, 1.0], &[0.0, 0.0], &[3.0, 1.0]);
        check(&[1.0, 1.0, 1.0], &[9.0, 2.0, 2.0], &[0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_simulated_slow_server_gets_less() {
        // Ten requests are always under way; a server works through its own at its speed.
        let strategy = LeastTime::new([1.0, 1.0]);
        let times = [20u64, 5];
        let samples = [Samples::default(), Samples::default()];
        let mut under_way: Vec<(u64, usize)> = Vec::new();
        let (mut now, mut counts) = (0u64, [0usize; 2]);
        for _ in 0..2_000 {
            while under_way.len() >= 10 {
                let soonest = (0..under_way.len()).min_by_key(|&i| under_way[i]).unwrap();
                let (done, server) = under_way.swap_remove(soonest);
                now = done;
                samples[server].add(Duration::from_millis(times[server]));
            }
            let load = |i: usize| under_way.iter().filter(|r| r.1 == i).count() as f64;
            let server = strategy
                .pick(|_| true, |i| samples[i].average() * (1.0 + load(i)))
                .unwrap();
            under_way.push((now + times[server], server));
            counts[server] += 1;
        }
        assert!(counts[1] > 5 * counts[0] && counts[0] > 0, "{counts:?}");
    }

    #[test]
    fn those_that_are_down_are_left_out() {
        let strategy = LeastTime::new([1.0, 1.0]);
        assert_eq!(strategy.pick(|i| i == 1, |i| i as f64), Some(1));
        assert_eq!(strategy.pick(|_| false, |_| 0.0), None);
        assert_eq!(LeastTime::new([]).pick(|_| true, |_| 0.0), None);
    }
}
