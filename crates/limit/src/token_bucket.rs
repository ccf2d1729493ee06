//! Token buckets equal to Go's `x/time/rate` as Traefik uses it: a reservation that is given back when it would take too long.
//! What comes a little too early waits. In Go's own arithmetic (doubles), because its waits are to be seen from outside to
//! the nanosecond; a bucket is never over its burst, so that nothing adds up.

use crate::partitions::Partitions;
use crate::{Nanos, Partition};
use std::time::Duration;

/// What a bucket allows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limits {
    /// Tokens per second, more than 0.
    rate: f64,
    /// Tokens that a bucket holds, at least 1.
    burst: f64,
    /// Longer than this nobody waits.
    max_delay: Duration,
    /// A source that was away for so long begins anew.
    ttl: Nanos,
}

/// The decision on one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Pass,
    /// Serve it, but not before this time has passed.
    Wait(Duration),
    /// Refuse it; after this time there would be a token.
    Refuse(Duration),
}

impl Limits {
    /// `average` requests per `period`, `burst` at once. `average` and `period` are more than 0.
    fn new(average: i64, period: Duration, burst: i64) -> Limits {
        let rate = average as f64 / period.as_secs_f64();
        let whole = rate.floor();
        let (max_delay, ttl) = if rate < 1.0 {
            (Duration::from_millis(500), 1.0 + (1.0 / rate).floor())
        } else {
            (Duration::from_secs_f64(0.5 / whole), 2.0)
        };
        let ttl = Duration::try_from_secs_f64(ttl).unwrap_or(Duration::MAX);
        Limits {
            rate,
            burst: burst.max(1) as f64,
            max_delay,
            ttl: u64::try_from(ttl.as_nanos()).unwrap_or(Nanos::MAX),
        }
    }

    /// How long so many tokens take.
    fn time(&self, tokens: f64) -> Duration {
        Duration::try_from_secs_f64(tokens.max(0.0) / self.rate).unwrap_or(Duration::MAX)
    }
}

/// Tokens of one source.
#[derive(Clone, Copy)]
struct Bucket {
    /// Below zero while requests wait.
    tokens: f64,
    /// When it was last asked.
    last: Nanos,
}

impl Bucket {
    fn full(limits: &Limits, now: Nanos) -> Bucket {
        Bucket {
            tokens: limits.burst,
            last: now,
        }
    }

    fn take(&mut self, limits: &Limits, now: Nanos) -> Verdict {
        let now = now.max(self.last);
        let grown = Duration::from_nanos(now - self.last).as_secs_f64() * limits.rate;
        self.tokens = (self.tokens + grown).min(limits.burst);
        self.last = now;
        let after = self.tokens - 1.0;
        let delay = limits.time(-after);
        if delay > limits.max_delay {
            return Verdict::Refuse(delay);
        }
        self.tokens = after;
        // A part of a nanosecond is a rounding error.
        if delay.is_zero() {
            Verdict::Pass
        } else {
            Verdict::Wait(delay)
        }
    }
}

/// How a bucket stands after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Tokens that a full one holds.
    pub limit: u64,
    /// Whole tokens in it.
    pub remaining: u64,
    /// Until it is full.
    pub reset: Duration,
}

/// The buckets of all sources of one rate limit.
pub struct TokenBuckets {
    limits: Limits,
    buckets: Partitions<Bucket>,
}

impl TokenBuckets {
    /// `average` requests per `period`, `burst` at once. `average` and `period` are more than 0.
    pub fn new(average: i64, period: Duration, burst: i64) -> TokenBuckets {
        let limits = Limits::new(average, period, burst);
        TokenBuckets {
            limits,
            buckets: Partitions::new(limits.ttl),
        }
    }

    /// Tokens of a full bucket, and how long one takes to fill.
    pub fn full(&self) -> (u64, Duration) {
        (self.limits.burst as u64, self.limits.time(self.limits.burst))
    }

    /// Takes a token of this source, if it can.
    pub fn take(&self, source: Partition, now: Nanos) -> Verdict {
        self.take_and_look(source, now).0
    }

    /// Takes a token, and tells how the bucket stands.
    pub fn take_and_look(&self, source: Partition, now: Nanos) -> (Verdict, Level) {
        let limits = &self.limits;
        let taken = |bucket: &mut Bucket| {
            if now.saturating_sub(bucket.last) >= limits.ttl {
                *bucket = Bucket::full(limits, now);
            }
            (bucket.take(limits, now), bucket.tokens)
        };
        let (verdict, tokens) = self
            .buckets
            .with(source, now, || Bucket::full(limits, now), taken);
        let level = Level {
            limit: limits.burst as u64,
            remaining: tokens.max(0.0) as u64,
            reset: limits.time(limits.burst - tokens),
        };
        (verdict, level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partitions::MAX_PARTITIONS;
    use Verdict::{Pass, Refuse, Wait};

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);
    const START: Nanos = 1_800_000_000_000_000_000;

    fn source(n: u32) -> Partition {
        Partition::of(&n.to_be_bytes())
    }

    fn round(verdict: Verdict) -> Verdict {
        let round = |d: Duration| Duration::from_micros((d.as_secs_f64() * 1e6).round() as u64);
        match verdict {
            Pass => Pass,
            Wait(d) => Wait(round(d)),
            Refuse(d) => Refuse(round(d)),
        }
    }

    /// Requests of one source at these milliseconds, and what became of them.
    fn check(average: i64, period: Duration, burst: i64, steps: &[(u64, Verdict)]) {
        let buckets = TokenBuckets::new(average, period, burst);
        for (at, want) in steps {
            let got = buckets.take(source(1), START + *at * 1_000_000);
            assert_eq!(
                round(got),
                *want,
                "{average} per {period:?}, burst {burst}, at {at} ms"
            );
        }
    }

    #[test]
    fn verdicts() {
        // 10 per second: waiting up to 50 ms.
        check(
            10,
            SECOND,
            1,
            &[
                (0, Pass),
                (0, Refuse(100 * MS)),
                (40, Refuse(60 * MS)),
                (60, Wait(40 * MS)),
                (60, Refuse(140 * MS)),
            ],
        );
        check(
            10,
            SECOND,
            3,
            &[
                (0, Pass),
                (0, Pass),
                (0, Pass),
                (0, Refuse(100 * MS)),
                (100, Pass),
                (150, Wait(50 * MS)),
                (200, Refuse(100 * MS)),
            ],
        );
        // What was refused costs nothing.
        check(
            10,
            SECOND,
            1,
            &[
                (0, Pass),
                (10, Refuse(90 * MS)),
                (20, Refuse(80 * MS)),
                (100, Pass),
            ],
        );
        // What waits has its token.
        check(
            10,
            SECOND,
            1,
            &[(0, Pass), (60, Wait(40 * MS)), (150, Wait(50 * MS)), (300, Pass)],
        );
        // Less than one per second: waiting up to half a second.
        check(
            1,
            10 * SECOND,
            1,
            &[(0, Pass), (9000, Refuse(1000 * MS)), (9500, Wait(500 * MS))],
        );
        check(
            1,
            3600 * SECOND,
            2,
            &[(0, Pass), (0, Pass), (0, Refuse(3600 * SECOND))],
        );
        // A clock that goes back does not fill anything.
        check(
            10,
            SECOND,
            1,
            &[(1000, Pass), (500, Refuse(100 * MS)), (1060, Wait(40 * MS))],
        );
    }

    #[test]
    fn limits() {
        let check = |average: i64, period: Duration, max_delay: Duration, ttl: Duration| {
            let limits = Limits::new(average, period, 0);
            assert_eq!(
                (limits.max_delay, Duration::from_nanos(limits.ttl), limits.burst),
                (max_delay, ttl, 1.0),
                "{average} per {period:?}"
            );
        };
        check(1, SECOND, 500 * MS, 2 * SECOND);
        check(100, SECOND, 5 * MS, 2 * SECOND);
        check(5, 2 * SECOND, 250 * MS, 2 * SECOND);
        check(1, 10 * SECOND, 500 * MS, 11 * SECOND);
        check(2, 5 * SECOND, 500 * MS, 3 * SECOND);
    }

    #[test]
    fn who_was_away_begins_anew() {
        check(
            10,
            SECOND,
            5,
            &[
                (0, Pass),
                (0, Pass),
                (0, Pass),
                (0, Pass),
                (0, Pass),
                (0, Refuse(100 * MS)),
            ],
        );
        let steps = [
            (0, Pass),
            (0, Pass),
            (11_000, Pass),
            (11_000, Pass),
            (11_000, Refuse(10 * SECOND)),
        ];
        check(1, 10 * SECOND, 2, &steps);
        let steps = [(0, Pass), (0, Pass), (10_900, Pass), (10_900, Refuse(9100 * MS))];
        check(1, 10 * SECOND, 2, &steps);
    }

    #[test]
    fn sources_are_bounded_and_apart() {
        let buckets = TokenBuckets::new(1, 3600 * SECOND, 1);
        let now = START;
        for n in 0..200_000 {
            assert_eq!(buckets.take(source(n), now), Pass, "{n}");
            // One that keeps coming is not forgotten, however many others come.
            assert!(n == 0 || matches!(buckets.take(source(0), now), Refuse(_)), "{n}");
        }
        assert!(buckets.buckets.remembered() <= MAX_PARTITIONS);
    }

    #[test]
    fn no_token_is_spent_twice() {
        let buckets = TokenBuckets::new(1, 3600 * SECOND, 100);
        let now = START;
        let passed = |_| (0..100).filter(|_| buckets.take(source(1), now) == Pass).count();
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || passed(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 100);
    }
}
