//! Token buckets per source, without a clock of their own: equal to Go's `x/time/rate` with a reservation that is given back when
//! it would take too long.

use crate::http::source_criterion::Source;
use rustc_hash::FxHashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sources that are remembered at most; the least recently seen are forgotten first.
const MAX_SOURCES: usize = 65_536;
/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 16;
/// Sources of one generation in one shard: there are two generations.
const GENERATION: usize = MAX_SOURCES / SHARDS / 2;

/// What a bucket allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    /// Tokens per second, more than 0.
    rate: f64,
    /// Tokens that a bucket holds, at least 1.
    burst: f64,
    /// Longer than this nobody waits.
    max_delay: Duration,
    /// A source that was away for so long begins anew.
    ttl: Duration,
}

/// The decision on one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Pass,
    /// Serve it, but not before this time has passed.
    Wait(Duration),
    /// Refuse it; after this time there would be a token.
    Refuse(Duration),
}

impl Limits {
    /// `average` requests per `period`, `burst` at once. `average` and `period` are more than 0.
    pub(super) fn new(average: i64, period: Duration, burst: i64) -> Limits {
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
            ttl,
        }
    }
}

/// Tokens of one source.
#[derive(Clone, Copy)]
struct Bucket {
    /// Below zero while requests wait.
    tokens: f64,
    /// When it was last asked.
    last: Instant,
}

impl Bucket {
    fn full(limits: &Limits, now: Instant) -> Bucket {
        Bucket {
            tokens: limits.burst,
            last: now,
        }
    }

    fn take(&mut self, limits: &Limits, now: Instant) -> Verdict {
        let now = now.max(self.last);
        let grown = (now - self.last).as_secs_f64() * limits.rate;
        self.tokens = (self.tokens + grown).min(limits.burst);
        self.last = now;
        let after = self.tokens - 1.0;
        let missing = (-after).max(0.0);
        let delay = Duration::try_from_secs_f64(missing / limits.rate).unwrap_or(Duration::MAX);
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

/// The buckets of all sources of one rate limit.
pub(super) struct Buckets {
    limits: Limits,
    shards: [Mutex<Shard>; SHARDS],
}

/// Two generations: who comes back from the old one moves to the young one; when that is full or the time is over, the old one
/// is forgotten and the young one becomes old. No sweep, no list to keep in order.
struct Shard {
    young: FxHashMap<Source, Bucket>,
    old: FxHashMap<Source, Bucket>,
    since: Option<Instant>,
}

impl Buckets {
    pub(super) fn new(limits: Limits) -> Buckets {
        let empty = |_| {
            Mutex::new(Shard {
                young: FxHashMap::default(),
                old: FxHashMap::default(),
                since: None,
            })
        };
        Buckets {
            limits,
            shards: std::array::from_fn(empty),
        }
    }

    /// Takes a token of this source, if it can.
    pub(super) fn take(&self, source: Source, now: Instant) -> Verdict {
        let shard = &self.shards[source.shard(SHARDS)];
        // A thread that panicked in here left whole buckets behind.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.bucket(source, &self.limits, now).take(&self.limits, now)
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.shards
            .iter()
            .map(|s| s.lock().unwrap())
            .map(|s| s.young.len() + s.old.len())
            .sum()
    }
}

impl Shard {
    fn bucket(&mut self, source: Source, limits: &Limits, now: Instant) -> &mut Bucket {
        let since = *self.since.get_or_insert(now);
        if self.young.len() >= GENERATION || now.saturating_duration_since(since) >= limits.ttl {
            self.old = std::mem::take(&mut self.young);
            self.since = Some(now);
        }
        let old = &mut self.old;
        let bucket = self
            .young
            .entry(source)
            .or_insert_with(|| old.remove(&source).unwrap_or(Bucket::full(limits, now)));
        if now.saturating_duration_since(bucket.last) >= limits.ttl {
            *bucket = Bucket::full(limits, now);
        }
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Pass, Refuse, Wait};

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn source(n: u32) -> Source {
        Source::of(&n.to_be_bytes())
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
    fn check(average: i64, period: Duration, burst: i64, steps: &[(u32, Verdict)]) {
        let buckets = Buckets::new(Limits::new(average, period, burst));
        let start = Instant::now();
        for (at, want) in steps {
            let got = buckets.take(source(1), start + *at * MS);
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
                (limits.max_delay, limits.ttl, limits.burst),
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
        let buckets = Buckets::new(Limits::new(1, 3600 * SECOND, 1));
        let now = Instant::now();
        for n in 0..200_000 {
            assert_eq!(buckets.take(source(n), now), Pass, "{n}");
            // One that keeps coming is not forgotten, however many others come.
            assert!(n == 0 || matches!(buckets.take(source(0), now), Refuse(_)), "{n}");
        }
        assert!(buckets.remembered() <= MAX_SOURCES, "{}", buckets.remembered());
    }

    #[test]
    fn no_token_is_spent_twice() {
        let buckets = Buckets::new(Limits::new(1, 3600 * SECOND, 100));
        let now = Instant::now();
        let passed = |_| (0..100).filter(|_| buckets.take(source(1), now) == Pass).count();
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || passed(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 100);
    }
}
