//! Units that were reserved: settled once, by saying what they came to, or by being dropped.

use crate::limit::Caller;
use crate::partition::StoreKey;
use crate::{Limit, Nanos, Outcome, Partition, Slot};
use smallvec::SmallVec;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Units of one limit, reserved. They count from the moment they are reserved; dropping the charge lets what was reserved
/// stand, which is the careful end for an exchange that nobody can tell more about. There is no third way out, so that every
/// charge is settled exactly once.
#[must_use = "a charge that is dropped stands as it was reserved"]
pub struct Charge {
    pub(crate) limit: Arc<Limit>,
    pub(crate) partition: Partition,
    /// The partition's name in the store of a durable limit.
    pub(crate) key: Option<StoreKey>,
    /// Begin of the window it was taken in.
    pub(crate) start: Nanos,
    pub(crate) reserved: u64,
    /// Held while it lives, of a limit on what is under way.
    pub(crate) slot: Option<Slot>,
}

impl Charge {
    /// Ends the charge with what it came to: the difference is given back, or taken even if it is not there.
    pub fn settle(self, actual: u64, now: Nanos) {
        if actual > self.reserved {
            self.limit.overdraw(&self, actual - self.reserved, now);
        } else {
            self.limit
                .refund(self.partition, self.start, self.reserved - actual);
        }
    }

    /// Ends the charge as if it had never been.
    pub fn release(self) {
        self.limit.refund(self.partition, self.start, self.reserved);
    }

    /// Whether it is given back by being dropped, and has to be held for as long as what it stands for.
    pub fn is_slot(&self) -> bool {
        self.slot.is_some()
    }
}

/// The charges of one exchange, over several limits.
#[derive(Default)]
#[must_use = "charges that are dropped stand as they were reserved"]
pub struct Charges(SmallVec<[Charge; 2]>);

/// The limit that refused, by its place in the list, and its answer.
#[derive(Debug)]
pub struct Refused<'a> {
    pub at: usize,
    pub outcome: Outcome<'a>,
}

/// Answers of limits, in their order.
pub type Outcomes<'a> = SmallVec<[Outcome<'a>; 2]>;

impl Charges {
    /// Reserves `cost` units of every limit in the order of the list, or of none: when one refuses, those before it get
    /// theirs back. Others may be refused meanwhile for what is given back a moment later; nobody is let in for it.
    ///
    /// Given up while it waits for a store, it gives back what it has.
    ///
    /// # Errors
    /// The first limit that refuses.
    pub async fn reserve<'a>(
        limits: &'a [Arc<Limit>],
        caller: Caller<'_>,
        cost: u64,
        now: impl Fn() -> Nanos,
    ) -> Result<(Charges, Outcomes<'a>), Refused<'a>> {
        Charges::reserve_by(limits, |_| (caller, cost), now).await
    }

    /// [`Charges::reserve`] where each limit is asked about a caller and a cost of its own, at its place in `asks`.
    ///
    /// # Errors
    /// The first limit that refuses.
    pub async fn reserve_each<'a>(
        limits: &'a [Arc<Limit>],
        asks: &[(Caller<'_>, u64)],
        now: impl Fn() -> Nanos,
    ) -> Result<(Charges, Outcomes<'a>), Refused<'a>> {
        debug_assert_eq!(limits.len(), asks.len());
        Charges::reserve_by(limits, |at| asks[at], now).await
    }

    async fn reserve_by<'a, 'c>(
        limits: &'a [Arc<Limit>],
        ask: impl Fn(usize) -> (Caller<'c>, u64),
        now: impl Fn() -> Nanos,
    ) -> Result<(Charges, Outcomes<'a>), Refused<'a>> {
        let mut reserving = Reserving::default();
        poll_fn(|cx| reserving.poll(limits, &ask, &now, Some(cx))).await?;
        Ok(reserving.done())
    }

    /// [`Charges::reserve`] without waiting: what a durable limit has not leased is owed.
    ///
    /// # Errors
    /// The first limit that refuses.
    pub fn reserve_now<'a>(
        limits: &'a [Arc<Limit>],
        caller: Caller<'_>,
        cost: u64,
        now: Nanos,
    ) -> Result<(Charges, Outcomes<'a>), Refused<'a>> {
        Charges::reserve_by_now(limits, |_| (caller, cost), now)
    }

    /// [`Charges::reserve_each`] without waiting.
    ///
    /// # Errors
    /// The first limit that refuses.
    pub fn reserve_each_now<'a>(
        limits: &'a [Arc<Limit>],
        asks: &[(Caller<'_>, u64)],
        now: Nanos,
    ) -> Result<(Charges, Outcomes<'a>), Refused<'a>> {
        debug_assert_eq!(limits.len(), asks.len());
        Charges::reserve_by_now(limits, |at| asks[at], now)
    }

    fn reserve_by_now<'a, 'c>(
        limits: &'a [Arc<Limit>],
        ask: impl Fn(usize) -> (Caller<'c>, u64),
        now: Nanos,
    ) -> Result<(Charges, Outcomes<'a>), Refused<'a>> {
        let mut reserving = Reserving::default();
        match reserving.poll(limits, &ask, &|| now, None) {
            Poll::Ready(done) => done.map(|()| reserving.done()),
            Poll::Pending => unreachable!("who does not wait is answered"),
        }
    }

    /// Settles each with what it came to.
    pub fn settle(self, actual: u64, now: Nanos) {
        self.0.into_iter().for_each(|charge| charge.settle(actual, now));
    }

    /// Settles each with what it came to by its own limit, at its place in `actual`; one that is not there stands.
    pub fn settle_each(self, actual: &[u64], now: Nanos) {
        let settled = self.0.into_iter().zip(actual);
        settled.for_each(|(charge, actual)| charge.settle(*actual, now));
    }

    /// Ends each as if it had never been.
    pub fn release(self) {
        self.0.into_iter().for_each(Charge::release);
    }

    /// Lets what was reserved stand. Slots stay: they are given back when this is dropped.
    pub fn stand(&mut self) {
        self.0.retain(|charge| charge.is_slot());
    }

    /// Settles all but slots.
    pub fn settle_units(&mut self, actual: u64, now: Nanos) {
        for charge in std::mem::take(&mut self.0) {
            match charge.is_slot() {
                true => self.0.push(charge),
                false => charge.settle(actual, now),
            }
        }
    }

    /// Whether nothing is left to settle.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Charges that are not all there yet: dropped, they are given back.
#[derive(Default)]
struct Reserving<'a> {
    charges: SmallVec<[Charge; 2]>,
    outcomes: Outcomes<'a>,
}

impl<'a> Reserving<'a> {
    fn poll<'c>(
        &mut self,
        limits: &'a [Arc<Limit>],
        ask: &impl Fn(usize) -> (Caller<'c>, u64),
        now: &impl Fn() -> Nanos,
        mut cx: Option<&mut Context<'_>>,
    ) -> Poll<Result<(), Refused<'a>>> {
        while let Some(limit) = limits.get(self.charges.len()) {
            let waits = cx.as_deref_mut();
            let (caller, cost) = ask(self.charges.len());
            match limit.poll_reserve(caller, cost, now(), waits) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready((outcome, Some(charge))) => {
                    self.charges.push(charge);
                    self.outcomes.push(outcome);
                }
                Poll::Ready((outcome, None)) => {
                    let at = self.charges.len();
                    return Poll::Ready(Err(Refused { at, outcome }));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn done(mut self) -> (Charges, Outcomes<'a>) {
        (
            Charges(std::mem::take(&mut self.charges)),
            std::mem::take(&mut self.outcomes),
        )
    }
}

impl Drop for Reserving<'_> {
    fn drop(&mut self) {
        self.charges.drain(..).for_each(Charge::release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::{Algorithm, Gcra, Policy, Span, Window};

    const NOW: Nanos = 1_800_000_000 * SECOND;

    fn policy(rule: &str) -> Policy {
        Policy {
            tenant: "".into(),
            policy: "p@file".into(),
            rule: rule.into(),
        }
    }

    fn window(limit: u64) -> Arc<Limit> {
        let window = Window::new(limit, Span::Day).unwrap();
        Arc::new(Limit::new(policy("window"), Algorithm::Window(window)))
    }

    fn remaining(limit: &Arc<Limit>) -> u64 {
        limit.reserve(Caller::new(b"a"), 0, NOW).0.remaining
    }

    fn charge(limit: &Arc<Limit>, cost: u64) -> Charge {
        limit
            .reserve(Caller::new(b"a"), cost, NOW)
            .1
            .expect("it is there")
    }

    #[test]
    fn ends() {
        let gcra = Algorithm::Gcra(Gcra::new(100, SECOND, 100).unwrap());
        let gcra = Arc::new(Limit::new(policy("gcra"), gcra));
        for limit in [window(100), gcra] {
            charge(&limit, 10).settle(4, NOW);
            assert_eq!(remaining(&limit), 96, "less");
            charge(&limit, 10).settle(16, NOW);
            assert_eq!(remaining(&limit), 80, "more");
            charge(&limit, 10).release();
            assert_eq!(remaining(&limit), 80, "nothing");
            drop(charge(&limit, 10));
            assert_eq!(remaining(&limit), 70, "nobody said");
            charge(&limit, 70).settle(170, NOW);
            let (outcome, none) = limit.reserve(Caller::new(b"a"), 1, NOW);
            assert!(!outcome.allowed && none.is_none(), "overdrawn");
        }
    }

    #[test]
    fn all_or_none() {
        let slots = Arc::new(Limit::new(policy("slots"), Algorithm::InFlight(1)));
        let limits = [window(5), window(3), slots.clone()];
        let reserve = |cost| Charges::reserve_now(&limits, Caller::new(b"a"), cost, NOW);
        let refused = reserve(4).err().expect("the second has 3");
        assert_eq!((refused.at, refused.outcome.remaining), (1, 3));
        assert_eq!(remaining(&limits[0]), 5, "given back");
        let Ok((mut held, outcomes)) = reserve(1) else {
            panic!("it is there")
        };
        assert_eq!(
            outcomes.iter().map(|o| o.remaining).collect::<Vec<_>>(),
            [4, 2, 0]
        );
        held.stand();
        assert!(!held.is_empty(), "the slot");
        assert_eq!(reserve(1).err().expect("one at a time").at, 2);
        assert_eq!(
            (remaining(&limits[0]), remaining(&limits[1])),
            (4, 2),
            "given back"
        );
        drop(held);
        assert!(reserve(1).is_ok());
    }

    /// However exchanges end, what the limit counts is what they came to, each once.
    #[test]
    fn every_charge_is_settled_once() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let limits = [window(2_000), window(1_500)];
            let (mut open, mut counted, mut reserved) = (Vec::new(), 0u64, 0u64);
            for _ in 0..random.usize(..400) {
                if random.bool() || open.is_empty() {
                    let cost = random.u64(..20);
                    if let Ok((charges, _)) = Charges::reserve_now(&limits, Caller::new(b"a"), cost, NOW) {
                        open.push((charges, cost));
                        reserved += cost;
                    }
                    assert!(counted + reserved <= 1_500 + 400 * 5, "{seed}");
                } else {
                    let (charges, cost) = open.swap_remove(random.usize(..open.len()));
                    reserved -= cost;
                    counted += match random.u8(..4) {
                        0 => {
                            drop(charges);
                            cost
                        }
                        1 => {
                            charges.release();
                            0
                        }
                        _ => {
                            let actual = random.u64(..25);
                            charges.settle(actual, NOW);
                            actual
                        }
                    };
                }
                let total = counted + reserved;
                assert_eq!(remaining(&limits[0]), 2_000u64.saturating_sub(total), "{seed}");
                assert_eq!(remaining(&limits[1]), 1_500u64.saturating_sub(total), "{seed}");
            }
        }
    }

    #[test]
    fn each_limit_has_its_caller_and_its_cost() {
        let limits = [window(1_000), window(100)];
        let reserve = |name: &'static [u8], costs: (u64, u64)| {
            let asks = [(Caller::new(name), costs.0), (Caller::new(b"all"), costs.1)];
            Charges::reserve_each_now(&limits, &asks, NOW)
        };
        let left = |at: usize, name: &'static [u8]| limits[at].reserve(Caller::new(name), 0, NOW).0.remaining;
        let (charges, outcomes) = reserve(b"a", (600, 60)).unwrap();
        assert_eq!((outcomes[0].remaining, outcomes[1].remaining), (400, 40));
        charges.settle_each(&[500, 70], NOW);
        assert_eq!((left(0, b"a"), left(1, b"all")), (500, 30));
        let refused = reserve(b"b", (1_000, 31)).err().unwrap();
        assert_eq!(refused.at, 1, "the group has no more");
        assert_eq!(
            left(0, b"b"),
            1_000,
            "what was reserved of the other is given back"
        );
    }

    #[test]
    fn concurrent_callers_never_exceed_the_limit() {
        let limits = [window(1_000), window(700)];
        let admitted = |_| {
            let reserve = || Charges::reserve_now(&limits, Caller::new(b"a"), 1, NOW).is_ok();
            (0..200).filter(|_| reserve()).count()
        };
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || admitted(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 700);
        assert_eq!(remaining(&limits[0]), 300, "what was given back is there");
    }
}
