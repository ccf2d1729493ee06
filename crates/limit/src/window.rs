//! Windows: so many units in each stretch of time. A stretch is of fixed length and counted from the epoch, or one of the
//! calendar (UTC). A sliding window counts the part of the last one that still lies within its length, too.

use crate::Nanos;
use crate::clock::SECOND;
use crate::outcome::Taken;

const DAY: Nanos = 86_400 * SECOND;

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// So many nanoseconds, more than 0; windows begin at multiples since the epoch.
    Fixed(Nanos),
    /// The same, and what of the window before is not yet so long ago counts by its share.
    Sliding(Nanos),
    Hour,
    Day,
    /// From Monday.
    Week,
    Month,
}

/// `limit` units in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    limit: u64,
    span: Span,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// When the window began.
    pub start: Nanos,
    /// Units in it.
    pub units: u64,
    /// Units in the one before, if it is a sliding one.
    pub before: u64,
}

impl Span {
    /// Begin and end of the window that `now` lies in.
    pub(crate) fn around(self, now: Nanos) -> (Nanos, Nanos) {
        let fixed = |len: Nanos, offset: Nanos| {
            let start = now.saturating_sub((now.wrapping_add(offset)) % len.max(1));
            (start, start.saturating_add(len))
        };
        match self {
            Span::Fixed(len) | Span::Sliding(len) => fixed(len, 0),
            Span::Hour => fixed(3_600 * SECOND, 0),
            Span::Day => fixed(DAY, 0),
            // The epoch was a Thursday.
            Span::Week => fixed(7 * DAY, 3 * DAY),
            Span::Month => month(now),
        }
    }

    /// The longest a window can be.
    pub(crate) fn longest(self) -> Nanos {
        match self {
            Span::Fixed(len) => len,
            Span::Sliding(len) => len.saturating_mul(2),
            Span::Hour => 3_600 * SECOND,
            Span::Day => DAY,
            Span::Week => 7 * DAY,
            Span::Month => 31 * DAY,
        }
    }

    fn is_sliding(self) -> bool {
        matches!(self, Span::Sliding(_))
    }

    /// A number that no other span has: counts of one are never read as those of another.
    pub(crate) fn fingerprint(self) -> u64 {
        match self {
            Span::Fixed(len) => len << 3,
            Span::Sliding(len) => len << 3 | 1,
            Span::Hour => 2,
            Span::Day => 3,
            Span::Week => 4,
            Span::Month => 5,
        }
    }
}

/// The calendar month around `now`, by the proleptic Gregorian calendar counted in years that begin in March.
fn month(now: Nanos) -> (Nanos, Nanos) {
    let days = now / DAY + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let first = |month: u64| (153 * month + 2) / 5;
    let start = now / DAY - (of_year - first(month));
    let length = if month < 11 {
        first(month + 1) - first(month)
    } else {
        // February, the last of such a year.
        let year = era * 400 + year_of_era + 1;
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        28 + u64::from(leap)
    };
    (start * DAY, (start + length).saturating_mul(DAY))
}

impl Window {
    /// `None` when a number is 0.
    pub fn new(limit: u64, span: Span) -> Option<Window> {
        let valid = limit > 0 && !matches!(span, Span::Fixed(0) | Span::Sliding(0));
        valid.then_some(Window { limit, span })
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// Turns to the window that `now` lies in; gives its end. A clock that goes back turns nothing.
    pub(crate) fn turn(&self, count: &mut Count, now: Nanos) -> Nanos {
        let (start, end) = self.span.around(now);
        if start > count.start {
            let follows = self.span.is_sliding() && self.span.around(count.start).1 == start;
            *count = Count {
                start,
                units: 0,
                before: if follows { count.units } else { 0 },
            };
        }
        end
    }

    /// Units that count now.
    fn used(&self, count: &Count, now: Nanos) -> u64 {
        let before = match self.span {
            Span::Sliding(len) if count.before > 0 => {
                let left = count.start.saturating_add(len).saturating_sub(now).min(len);
                part(count.before, left, len)
            }
            _ => 0,
        };
        count.units.saturating_add(before)
    }

    /// Units that are left in a count that was turned.
    pub(crate) fn left(&self, count: &Count, now: Nanos) -> u64 {
        self.limit.saturating_sub(self.used(count, now))
    }

    /// Takes `cost` units if they are there; what is refused costs nothing.
    pub(crate) fn take(&self, count: &mut Count, cost: u64, now: Nanos) -> Taken {
        self.turn(count, now);
        let allowed = cost <= self.left(count, now);
        if allowed {
            count.units = count.units.saturating_add(cost);
        }
        self.tell(count, allowed, cost, now)
    }

    /// The answer to a question for `cost` units that was decided.
    pub(crate) fn tell(&self, count: &Count, allowed: bool, cost: u64, now: Nanos) -> Taken {
        let end = self.span.around(now.max(count.start)).1;
        let full = match self.span {
            Span::Sliding(len) if count.units > 0 => end.saturating_add(len),
            _ => end,
        };
        Taken {
            allowed,
            remaining: self.left(count, now),
            reset: full.saturating_sub(now),
            retry_after: if allowed {
                0
            } else {
                self.wait(count, cost, now, end)
            },
        }
    }

    /// How long until `cost` units would be there, if nobody else came.
    fn wait(&self, count: &Count, cost: u64, now: Nanos, end: Nanos) -> Nanos {
        let Some(room) = self.limit.checked_sub(cost) else {
            return Nanos::MAX;
        };
        let Span::Sliding(len) = self.span else {
            return end.saturating_sub(now);
        };
        let at = match room.checked_sub(count.units) {
            Some(room) => end.saturating_sub(share(len, room, count.before)),
            None => end
                .saturating_add(len)
                .saturating_sub(share(len, room, count.units)),
        };
        at.saturating_sub(now).max(1)
    }

    /// Gives units back that were taken in the window that began at `start`.
    pub(crate) fn refund(&self, count: &mut Count, start: Nanos, units: u64) {
        if count.start == start {
            count.units = count.units.saturating_sub(units);
        } else if self.span.is_sliding() && self.span.around(start).1 == count.start {
            count.before = count.before.saturating_sub(units);
        }
    }
}

/// `units` times `left` of `len`, rounded up: a limit is not exceeded for a rounding error.
fn part(units: u64, left: Nanos, len: Nanos) -> u64 {
    let part = (u128::from(units) * u128::from(left)).div_ceil(u128::from(len));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// The longest time, out of `len`, by whose share `of` units are no more than `room`.
fn share(len: Nanos, room: u64, of: u64) -> Nanos {
    let share = u128::from(len) * u128::from(room) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(Nanos::MAX).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question as (at, cost) and its answer as (allowed, remaining, retry after, reset), in seconds.
    type Step = ((u64, u64), (bool, u64, u64, u64));

    fn check(span: Span, limit: u64, steps: &[Step]) {
        let window = Window::new(limit, span).unwrap();
        let mut count = Count::default();
        for (i, ((at, cost), want)) in steps.iter().enumerate() {
            let t = window.take(&mut count, *cost, at * SECOND);
            let seconds = |n: Nanos| {
                if n == Nanos::MAX {
                    u64::MAX
                } else {
                    n.div_ceil(SECOND)
                }
            };
            assert_eq!(
                (t.allowed, t.remaining, seconds(t.retry_after), seconds(t.reset)),
                *want,
                "{span:?} step {i}"
            );
        }
    }

    #[test]
    fn fixed() {
        check(
            Span::Fixed(10 * SECOND),
            3,
            &[
                ((100, 2), (true, 1, 0, 10)),
                ((104, 2), (false, 1, 6, 6)),
                ((104, 1), (true, 0, 0, 6)),
                ((109, 1), (false, 0, 1, 1)),
                ((110, 1), (true, 2, 0, 10)),
                // A clock that goes back opens nothing.
                ((105, 3), (false, 2, 15, 15)),
                ((140, 4), (false, 3, u64::MAX, 10)),
            ],
        );
    }

    #[test]
    fn sliding() {
        check(
            Span::Sliding(10 * SECOND),
            10,
            &[
                ((100, 10), (true, 0, 0, 20)),
                ((109, 1), (false, 0, 2, 11)),
                // Nine tenths of the window before still count.
                ((111, 1), (true, 0, 0, 19)),
                ((111, 1), (false, 0, 1, 19)),
                ((112, 1), (true, 0, 0, 18)),
                ((119, 6), (true, 1, 0, 11)),
                ((119, 3), (false, 1, 3, 11)),
                ((140, 10), (true, 0, 0, 20)),
            ],
        );
    }

    /// What a refusal promises holds, and nothing less would have.
    #[test]
    fn a_wait_is_exact() {
        for seed in 0..2000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let span = match random.u8(..3) {
                0 => Span::Fixed(random.u64(1..1000)),
                1 => Span::Month,
                _ => Span::Sliding(random.u64(1..1000)),
            };
            let limit = random.u64(1..50);
            let window = Window::new(limit, span).unwrap();
            let (mut count, mut now) = (Count::default(), 40 * 365 * DAY);
            for _ in 0..200 {
                now += random.u64(..100);
                let cost = random.u64(1..=limit);
                let taken = window.take(&mut count, cost, now);
                if !taken.allowed {
                    let asked = |after: Nanos| window.take(&mut count.clone(), cost, now + after).allowed;
                    assert!(
                        asked(taken.retry_after),
                        "{seed}: {span:?} {limit} {cost} {taken:?}"
                    );
                    assert!(
                        !asked(taken.retry_after - 1),
                        "{seed}: {span:?} {limit} {cost} {taken:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn refunds() {
        let window = Window::new(10, Span::Sliding(10)).unwrap();
        let mut count = Count::default();
        window.take(&mut count, 8, 100);
        window.refund(&mut count, 100, 3);
        assert_eq!(count.units, 5);
        window.take(&mut count, 1, 110);
        window.refund(&mut count, 100, 2);
        assert_eq!((count.units, count.before), (1, 3));
        window.refund(&mut count, 90, 2);
        assert_eq!((count.units, count.before), (1, 3), "long over");
    }

    #[test]
    fn the_calendar() {
        let check = |span: Span, at: u64, start: u64, end: u64| {
            let want = (start * SECOND, end * SECOND);
            assert_eq!(span.around(at * SECOND), want, "{span:?} at {at}");
        };
        // 2024-02-29T12:00:00Z, 2023-02-28, 2026-11-30T01:28:12Z, 1970-01-01, 2000-12-31, 2100-03-01.
        check(Span::Month, 1_709_208_000, 1_706_745_600, 1_709_251_200);
        check(Span::Month, 1_677_585_600, 1_675_209_600, 1_677_628_800);
        check(Span::Month, 1_796_002_092, 1_793_491_200, 1_796_083_200);
        check(Span::Month, 0, 0, 2_678_400);
        check(Span::Month, 978_220_800, 975_628_800, 978_307_200);
        check(Span::Month, 4_107_542_400, 4_107_542_400, 4_110_220_800);
        check(Span::Month, 4_107_542_399, 4_105_123_200, 4_107_542_400);
        check(Span::Day, 1_796_002_092, 1_795_996_800, 1_796_083_200);
        check(Span::Hour, 1_796_002_092, 1_796_000_400, 1_796_004_000);
        // A Monday.
        check(Span::Week, 1_796_002_092, 1_795_996_800, 1_796_601_600);
        check(Span::Week, 1_795_996_799, 1_795_392_000, 1_795_996_800);
    }

    #[test]
    fn no_number_is_too_large() {
        for span in [
            Span::Fixed(Nanos::MAX),
            Span::Sliding(Nanos::MAX),
            Span::Sliding(1),
            Span::Month,
            Span::Week,
        ] {
            let window = Window::new(u64::MAX, span).unwrap();
            let mut count = Count::default();
            for now in [0, 1, Nanos::MAX / 2, Nanos::MAX - 1, Nanos::MAX, 0] {
                window.take(&mut count, u64::MAX, now);
                window.take(&mut count, 1, now);
                window.refund(&mut count, now, u64::MAX);
            }
        }
    }
}
