//! The rules of the breaker without clock or lock: what was answered in, whether the next request may pass out.
//!
//! Standby → tripped (nothing passes for `fallback`) → recovering (a share that grows to half passes, for `recovery`) →
//! standby; the condition, when it holds outside of tripped, trips.

use super::Term;
use super::histogram::Latencies;
use crate::http::predicate::Expression;
use std::time::Duration;

/// Times of one breaker.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub check_period: Duration,
    pub fallback: Duration,
    pub recovery: Duration,
}

/// What became of recording an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Unchanged,
    Tripped,
}

enum Mode {
    Standby,
    Tripped {
        until: Duration,
    },
    Recovering {
        since: Duration,
        allowed: u64,
        denied: u64,
    },
}

/// One breaker. All times are since one fixed moment, and never go back.
pub struct Core {
    condition: Expression<Term>,
    limits: Limits,
    mode: Mode,
    /// No look at the condition before this; nothing at first: the first answer is looked at.
    next_check: Option<Duration>,
    codes: Codes,
    latencies: Option<Latencies>,
}

impl Core {
    pub fn new(condition: Expression<Term>, limits: Limits) -> Core {
        let timed = condition.mentions(&|t| matches!(t, Term::LatencyAtQuantileMs { .. }));
        Core {
            condition,
            limits,
            mode: Mode::Standby,
            next_check: None,
            codes: Codes::default(),
            latencies: timed.then(Latencies::default),
        }
    }

    /// Whether a request may pass.
    pub fn admits(&mut self, now: Duration) -> bool {
        if let Mode::Tripped { until } = self.mode {
            if now < until {
                return false;
            }
            self.mode = Mode::Recovering {
                since: now,
                allowed: 0,
                denied: 0,
            };
        }
        let Mode::Recovering {
            since,
            allowed,
            denied,
        } = &mut self.mode
        else {
            return true;
        };
        let passed = now.saturating_sub(*since);
        if passed > self.limits.recovery {
            self.mode = Mode::Standby;
            return true;
        }
        // Half of all is reached at the end: then as many passed as were refused, and the rest follows at once.
        let target = 0.5 * passed.as_secs_f64() / self.limits.recovery.as_secs_f64().max(f64::MIN_POSITIVE);
        let share = (*allowed + 1) as f64 / (*allowed + 1 + *denied) as f64;
        let admits = share < target;
        *(if admits { allowed } else { denied }) += 1;
        admits
    }

    /// Takes note of an answer and, when it is time, looks at the condition.
    pub fn record(&mut self, now: Duration, status: u16, latency: Duration) -> Verdict {
        self.codes.record(now, status);
        if let Some(latencies) = &mut self.latencies {
            latencies.record(now, latency);
        }
        if self.next_check.is_some_and(|at| now <= at) {
            return Verdict::Unchanged;
        }
        self.next_check = Some(now + self.limits.check_period);
        if matches!(self.mode, Mode::Tripped { .. }) || !self.condition_holds(now) {
            return Verdict::Unchanged;
        }
        self.mode = Mode::Tripped {
            until: now + self.limits.fallback,
        };
        self.codes = Codes::default();
        if let Some(latencies) = &mut self.latencies {
            *latencies = Latencies::default();
        }
        Verdict::Tripped
    }

    fn condition_holds(&mut self, now: Duration) -> bool {
        self.codes.forget(now);
        if let Some(latencies) = &mut self.latencies {
            latencies.forget(now);
        }
        let (codes, latencies) = (&self.codes, &self.latencies);
        self.condition.holds(&|term| match term {
            Term::NetworkErrorRatio((compare, value)) => compare.holds(&codes.network_error_ratio(), value),
            Term::ResponseCodeRatio {
                part,
                whole,
                compares: (compare, value),
            } => compare.holds(&codes.ratio(*part, *whole), value),
            Term::LatencyAtQuantileMs {
                quantile,
                compares: (compare, value),
            } => {
                let latency = latencies
                    .as_ref()
                    .map_or(Duration::ZERO, |l| l.at_quantile(*quantile));
                compare.holds(&(latency.as_millis() as i64), value)
            }
        })
    }
}

/// Seconds of answers that are counted.
const WINDOW: u64 = 10;

/// Answers of the last ten seconds by status, in buckets of a second.
#[derive(Default)]
struct Codes {
    buckets: [Bucket; WINDOW as usize],
}

#[derive(Default)]
struct Bucket {
    second: u64,
    /// Few statuses happen in one second: a list is shorter than a map.
    counts: Vec<(u16, u64)>,
}

impl Codes {
    fn record(&mut self, now: Duration, status: u16) {
        let second = now.as_secs();
        let bucket = &mut self.buckets[(second % WINDOW) as usize];
        if bucket.second != second {
            bucket.second = second;
            bucket.counts.clear();
        }
        match bucket.counts.iter_mut().find(|(s, _)| *s == status) {
            Some((_, n)) => *n += 1,
            None => bucket.counts.push((status, 1)),
        }
    }

    fn forget(&mut self, now: Duration) {
        for bucket in &mut self.buckets {
            if bucket.second + WINDOW <= now.as_secs() {
                bucket.counts.clear();
            }
        }
    }

    fn count(&self, is: impl Fn(u16) -> bool) -> u64 {
        self.buckets
            .iter()
            .flat_map(|b| &b.counts)
            .filter(|(s, _)| is(*s))
            .map(|(_, n)| n)
            .sum()
    }

    /// The ratio of two ranges whose upper ends are outside; nothing by nothing is zero.
    fn ratio(&self, part: (i64, i64), whole: (i64, i64)) -> f64 {
        let within = |(low, high): (i64, i64)| self.count(|s| (low..high).contains(&i64::from(s))) as f64;
        let whole = within(whole);
        if whole == 0.0 { 0.0 } else { within(part) / whole }
    }

    /// Share of answers that tell of the network: 502 and 504, whoever said them.
    fn network_error_ratio(&self) -> f64 {
        let all = self.count(|_| true);
        if all == 0 {
            0.0
        } else {
            self.count(|s| matches!(s, 502 | 504)) as f64 / all as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::term;
    use super::*;

    fn breaker(text: &str, check_ms: u64, fallback_ms: u64, recovery_ms: u64) -> Core {
        let ms = Duration::from_millis;
        let limits = Limits {
            check_period: ms(check_ms),
            fallback: ms(fallback_ms),
            recovery: ms(recovery_ms),
        };
        Core::new(Expression::parse(text, term).expect("valid"), limits)
    }

    /// Plays requests at times in ms with the status the service would give; refused ones are 0.
    fn play(core: &mut Core, steps: &[(u64, u16)]) -> Vec<u16> {
        let one = |&(at, status): &(u64, u16)| {
            let now = Duration::from_millis(at);
            if !core.admits(now) {
                return 0;
            }
            core.record(now, status, Duration::from_millis(1));
            status
        };
        steps.iter().map(one).collect()
    }

    const RATIO: &str = "ResponseCodeRatio(500, 600, 0, 600) > 0.30";

    #[test]
    fn states() {
        let check =
            |mut core: Core, steps: &[(u64, u16)], want: &[u16]| assert_eq!(play(&mut core, steps), want);
        check(
            breaker(RATIO, 100, 10_000, 10_000),
            &[(0, 500), (1, 200), (9_999, 200)],
            &[500, 0, 0],
        );
        check(
            breaker(RATIO, 100, 500, 200),
            &[(0, 500), (1, 200), (701, 200), (1_001, 200), (1_002, 200)],
            &[500, 0, 0, 200, 200],
        );
        check(
            breaker(RATIO, 30_000, 10_000, 10_000),
            &[
                (0, 200),
                (1, 500),
                (2, 500),
                (3, 500),
                (40_000, 500),
                (40_001, 200),
            ],
            &[200, 500, 500, 500, 500, 0],
        );
        check(
            breaker("NetworkErrorRatio() > 0.5", 100, 10_000, 10_000),
            &[
                (0, 503),
                (150, 500),
                (300, 503),
                (450, 504),
                (600, 502),
                (750, 502),
                (900, 502),
                (901, 200),
            ],
            &[503, 500, 503, 504, 502, 502, 502, 0],
        );
        check(
            breaker("ResponseCodeRatio(400, 500, 0, 600) > 0.5", 100, 10_000, 10_000),
            &[
                (0, 500),
                (150, 500),
                (300, 404),
                (450, 404),
                (600, 404),
                (750, 404),
            ],
            &[500, 500, 404, 404, 404, 0],
        );
        check(
            breaker("ResponseCodeRatio(500, 600, 200, 300) > 0.9", 1, 10_000, 10_000),
            &[(0, 200), (20, 404), (40, 500), (60, 200)],
            &[200, 404, 500, 0],
        );
    }

    #[test]
    fn old_answers_are_forgotten() {
        let mut core = breaker("ResponseCodeRatio(500, 600, 0, 600) > 0.60", 0, 10_000, 10_000);
        let ok: Vec<_> = (0..20).map(|i| (i, 200)).collect();
        play(&mut core, &ok);
        assert_eq!(play(&mut core, &[(9_000, 500), (9_001, 200)]), [500, 200]);
        assert_eq!(
            play(&mut core, &[(10_500, 500), (10_501, 200)]),
            [500, 0],
            "the 20 are gone"
        );
    }

    #[test]
    fn latency() {
        let mut core = breaker("LatencyAtQuantileMS(50.0) > 100", 0, 10_000, 10_000);
        let record =
            |core: &mut Core, at, ms| core.record(Duration::from_millis(at), 200, Duration::from_millis(ms));
        for at in 0..10 {
            assert_eq!(record(&mut core, at, 50), Verdict::Unchanged);
        }
        for at in 10..19 {
            assert_eq!(record(&mut core, at, 300), Verdict::Unchanged);
        }
        assert_eq!(record(&mut core, 20, 300), Verdict::Unchanged);
        assert_eq!(record(&mut core, 21, 300), Verdict::Tripped);
    }

    #[test]
    fn recovering_lets_a_growing_share_through() {
        let mut core = breaker(RATIO, 100, 200, 1_000);
        let steps: Vec<_> = std::iter::once((0, 500))
            .chain((300..1_300).step_by(10).map(|at| (at, 200)))
            .collect();
        let passed = play(&mut core, &steps);
        let count = |from: usize, to: usize| passed[from..to].iter().filter(|s| **s == 200).count();
        let (early, middle, late) = (count(1, 34), count(34, 67), count(67, 101));
        assert!(early < middle && middle < late, "{early} {middle} {late}");
        assert!(early + middle + late <= 50, "never more than half");
        assert_eq!(play(&mut core, &[(1_301, 200), (1_302, 200)]), [200, 200]);
    }

    #[test]
    fn no_recovery_time_means_at_once() {
        let mut core = breaker(RATIO, 100, 200, 0);
        assert_eq!(
            play(&mut core, &[(0, 500), (100, 200), (200, 200), (201, 200)]),
            [500, 0, 0, 200]
        );
    }
}
