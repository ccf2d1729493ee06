//! How long to wait between attempts: an interval that doubles over all of them, each wait up to half more or less.

use std::time::Duration;

/// Waits of one middleware.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    factor: f64,
}

impl Backoff {
    /// `first` before the second attempt, about twice that before the last of `attempts`.
    pub fn new(first: Duration, attempts: u32) -> Backoff {
        let steps = f64::from(attempts.saturating_sub(1).max(1));
        Backoff {
            first,
            factor: 2f64.powf(1.0 / steps),
        }
    }

    /// The wait before the attempt numbered `next`, the second being 1.
    pub fn pause(&self, next: u32) -> Duration {
        self.scaled(next, fastrand::f64() + 0.5)
    }

    fn scaled(&self, next: u32, jitter: f64) -> Duration {
        let exponent = i32::try_from(next.saturating_sub(1)).unwrap_or(i32::MAX);
        Duration::try_from_secs_f64(self.first.as_secs_f64() * self.factor.powi(exponent) * jitter)
            .unwrap_or(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_twice_the_first() {
        let check = |attempts, next, ms: u128| {
            let b = Backoff::new(Duration::from_millis(100), attempts);
            assert_eq!(b.scaled(next, 1.0).as_millis(), ms, "{next} of {attempts}");
        };
        check(2, 1, 100);
        check(3, 1, 100);
        check(3, 2, 141);
        check(5, 4, 168);
        let b = Backoff::new(Duration::from_millis(100), 3);
        for _ in 0..100 {
            assert!((50..=150).contains(&b.pause(1).as_millis()));
        }
    }
}
