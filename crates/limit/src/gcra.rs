//! The generic cell rate algorithm: a token bucket as one number, the theoretical arrival time. In whole numbers: a tick is
//! the `limit`-th part of a nanosecond, so that no rate is rounded and nothing drifts.

use crate::Nanos;
use crate::outcome::Taken;

/// `limit` units per `period`, `burst` of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gcra {
    limit: u64,
    period: Nanos,
    burst: u64,
}

impl Gcra {
    /// `None` when one of the numbers is 0.
    pub fn new(limit: u64, period: Nanos, burst: u64) -> Option<Gcra> {
        let valid = limit > 0 && period > 0 && burst > 0;
        valid.then_some(Gcra { limit, period, burst })
    }

    /// Units that may come at once.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// What one unit costs, in ticks, is the period: `limit` of them fill it. `u64` by `u64` fits.
    fn ticks(&self, units: u64) -> u128 {
        u128::from(units) * u128::from(self.period)
    }

    fn at(&self, now: Nanos) -> u128 {
        u128::from(now) * u128::from(self.limit)
    }

    /// Nanoseconds that hold so many ticks, rounded up.
    fn nanos(&self, ticks: u128) -> Nanos {
        match u64::try_from(ticks) {
            Ok(ticks) => ticks.div_ceil(self.limit),
            Err(_) => u64::try_from(ticks.div_ceil(u128::from(self.limit))).unwrap_or(Nanos::MAX),
        }
    }

    /// Who was away for so long has everything again.
    pub fn full_after(&self) -> Nanos {
        self.nanos(self.ticks(self.burst))
    }

    /// Takes `cost` units if they are there; what is refused costs nothing.
    pub(crate) fn take(&self, arrival: &mut u128, cost: u64, now: Nanos) -> Taken {
        let (now, full) = (self.at(now), self.ticks(self.burst));
        let before = (*arrival).max(now);
        let after = before.saturating_add(self.ticks(cost));
        let ahead = after - now;
        let allowed = ahead <= full;
        if allowed {
            *arrival = after;
        }
        let spent = if allowed { ahead } else { before - now };
        let retry_after = match allowed {
            true => 0,
            false if cost > self.burst => Nanos::MAX,
            false => self.nanos(ahead - full),
        };
        Taken {
            allowed,
            remaining: self.units(full.saturating_sub(spent)),
            reset: self.nanos(spent),
            retry_after,
        }
    }

    fn units(&self, ticks: u128) -> u64 {
        match u64::try_from(ticks) {
            Ok(ticks) => ticks / self.period,
            Err(_) => u64::try_from(ticks / u128::from(self.period)).unwrap_or(u64::MAX),
        }
    }

    /// Gives units back that were taken and not used.
    pub(crate) fn refund(&self, arrival: &mut u128, units: u64) {
        *arrival = arrival.saturating_sub(self.ticks(units));
    }

    /// Takes units that are gone already, whether they are there or not.
    pub(crate) fn overdraw(&self, arrival: &mut u128, units: u64, now: Nanos) {
        *arrival = (*arrival).max(self.at(now)).saturating_add(self.ticks(units));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    const T: Nanos = 1_800_000_000 * SECOND;

    /// A question as (at, cost) and its answer as (allowed, remaining, retry after, reset).
    type Step = ((Nanos, u64), (bool, u64, Nanos, Nanos));

    fn check(gcra: Gcra, steps: &[Step]) {
        let mut arrival = 0;
        for (i, ((at, cost), want)) in steps.iter().enumerate() {
            let t = gcra.take(&mut arrival, *cost, T + at);
            assert_eq!(
                (t.allowed, t.remaining, t.retry_after, t.reset),
                *want,
                "step {i}"
            );
        }
    }

    #[test]
    fn answers() {
        check(
            Gcra::new(10, SECOND, 3).unwrap(),
            &[
                ((0, 1), (true, 2, 0, SECOND / 10)),
                ((0, 1), (true, 1, 0, SECOND / 5)),
                ((0, 1), (true, 0, 0, SECOND * 3 / 10)),
                ((0, 1), (false, 0, SECOND / 10, SECOND * 3 / 10)),
                ((SECOND / 20, 1), (false, 0, SECOND / 20, SECOND / 4)),
                ((SECOND / 10, 1), (true, 0, 0, SECOND * 3 / 10)),
                ((SECOND, 2), (true, 1, 0, SECOND / 5)),
                ((SECOND, 4), (false, 1, Nanos::MAX, SECOND / 5)),
                ((SECOND, 0), (true, 1, 0, SECOND / 5)),
            ],
        );
    }

    /// A third of a second has no whole number of nanoseconds; three thousand of them are a thousand seconds all the same.
    #[test]
    fn nothing_drifts() {
        let gcra = Gcra::new(3, SECOND, 1).unwrap();
        let (mut arrival, mut now, mut passed) = (0, T, 0u64);
        while now <= T + 1000 * SECOND {
            let taken = gcra.take(&mut arrival, 1, now);
            passed += u64::from(taken.allowed);
            now += if taken.allowed { 1 } else { taken.retry_after };
        }
        assert!((3000..=3001).contains(&passed), "{passed}");
    }

    #[test]
    fn settling() {
        let gcra = Gcra::new(10, SECOND, 10).unwrap();
        let mut arrival = 0;
        gcra.take(&mut arrival, 8, T);
        gcra.refund(&mut arrival, 5);
        assert_eq!(gcra.take(&mut arrival, 7, T).remaining, 0);
        gcra.overdraw(&mut arrival, 5, T);
        let taken = gcra.take(&mut arrival, 1, T);
        assert_eq!(
            (taken.allowed, taken.remaining, taken.retry_after),
            (false, 0, SECOND * 6 / 10)
        );
    }

    #[test]
    fn no_number_is_too_large() {
        let gcra = Gcra::new(u64::MAX, Nanos::MAX, u64::MAX).unwrap();
        let mut arrival = 0;
        for cost in [1, u64::MAX, u64::MAX] {
            gcra.take(&mut arrival, cost, Nanos::MAX);
            gcra.overdraw(&mut arrival, cost, Nanos::MAX);
        }
        assert!(!gcra.take(&mut arrival, u64::MAX, 0).allowed);
        assert_eq!(
            Gcra::new(0, 1, 1).or(Gcra::new(1, 0, 1)).or(Gcra::new(1, 1, 0)),
            None
        );
    }
}
