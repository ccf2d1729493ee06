//! One limit: an algorithm, and what it counted of each partition.

use crate::lease::Leases;
use crate::outcome::{Outcome, Policy, Taken};
use crate::partition::store_key;
use crate::partitions::Partitions;
use crate::window::Count;
use crate::{Book, Charge, Gcra, InFlight, Nanos, Partition, Slot, Window};
use std::sync::Arc;
use std::task::{Context, Poll};

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Gcra(Gcra),
    Window(Window),
    /// So many at a time.
    InFlight(u64),
}

/// One limit.
pub struct Limit {
    policy: Policy,
    counts: Counts,
    not_stored: Option<String>,
}

enum Counts {
    Gcra(Gcra, Partitions<u128>),
    Window(Window, Partitions<Count>),
    Leased(Window, Arc<Leases>),
    InFlight(u64, Arc<InFlight>),
}

/// Who is asked about: the partition, and its name for the store.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub partition: Partition,
    pub name: &'a [u8],
}

impl<'a> Caller<'a> {
    pub fn new(name: &'a [u8]) -> Caller<'a> {
        Caller {
            partition: Partition::of(name),
            name,
        }
    }
}

impl Limit {
    /// A limit that counts in memory: what it counted ends with it.
    pub fn new(policy: Policy, algorithm: Algorithm) -> Limit {
        let counts = match algorithm {
            Algorithm::Gcra(gcra) => Counts::Gcra(gcra, Partitions::new(gcra.full_after())),
            Algorithm::Window(window) => Counts::Window(window, Partitions::new(window.span().longest())),
            Algorithm::InFlight(amount) => Counts::InFlight(amount, Arc::default()),
        };
        Limit {
            policy,
            counts,
            not_stored: None,
        }
    }

    /// A limit whose counts outlive the process, if there is a store.
    pub fn durable(policy: Policy, window: Window, book: &Book) -> Limit {
        let (leases, not_stored) = book.lease(window);
        let in_memory = || Limit::new(policy.clone(), Algorithm::Window(window)).counts;
        let counts = leases.map_or_else(in_memory, |leases| Counts::Leased(window, leases));
        Limit {
            policy,
            counts,
            not_stored,
        }
    }

    /// Why a durable limit had no store when it was made.
    pub fn not_stored(&self) -> Option<&str> {
        self.not_stored.as_deref()
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Units that it allows (at once, in a window, at a time).
    pub fn units(&self) -> u64 {
        match &self.counts {
            Counts::Gcra(gcra, _) => gcra.burst(),
            Counts::Window(window, _) | Counts::Leased(window, _) => window.limit(),
            Counts::InFlight(amount, _) => *amount,
        }
    }

    /// Most units of a durable limit that are leased ahead for one partition: what a killed process loses of them.
    pub fn leased_ahead(&self) -> u64 {
        match &self.counts {
            Counts::Leased(window, _) => Leases::block(window) + Leases::block(window) / 2,
            _ => 0,
        }
    }

    /// Reserves `cost` units. A durable limit may have to wait for its store; given no `cx` it does not, and owes them.
    pub fn poll_reserve(
        self: &Arc<Limit>,
        caller: Caller<'_>,
        cost: u64,
        now: Nanos,
        cx: Option<&mut Context<'_>>,
    ) -> Poll<(Outcome<'_>, Option<Charge>)> {
        let partition = caller.partition;
        let (mut key, mut slot) = (None, None);
        let (taken, start) = match &self.counts {
            Counts::Gcra(gcra, cells) => {
                let taken = cells.with(partition, now, || 0, |arrival| gcra.take(arrival, cost, now));
                (taken, 0)
            }
            Counts::Window(window, cells) => cells.with(partition, now, Count::default, |count| {
                (window.take(count, cost, now), count.start)
            }),
            Counts::Leased(_, leases) => {
                let name = || store_key(&self.policy, caller.name);
                match leases.poll_take(partition, name, cost, now, cx) {
                    Poll::Ready((taken, start, name)) => {
                        key = Some(name);
                        (taken, start)
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            Counts::InFlight(amount, counts) => {
                slot = Slot::take(counts, partition, *amount);
                (in_flight(*amount, slot.as_ref()), 0)
            }
        };
        let charge = taken.allowed.then(|| Charge {
            limit: self.clone(),
            partition,
            key,
            start,
            reserved: cost,
            slot,
        });
        Poll::Ready((self.outcome(taken, partition), charge))
    }

    /// [`Limit::poll_reserve`] without waiting.
    pub fn reserve(
        self: &Arc<Limit>,
        caller: Caller<'_>,
        cost: u64,
        now: Nanos,
    ) -> (Outcome<'_>, Option<Charge>) {
        match self.poll_reserve(caller, cost, now, None) {
            Poll::Ready(answer) => answer,
            Poll::Pending => unreachable!("who does not wait is answered"),
        }
    }

    fn outcome(&self, taken: Taken, partition: Partition) -> Outcome<'_> {
        Outcome {
            allowed: taken.allowed,
            limit: self.units(),
            remaining: taken.remaining,
            reset: taken.reset,
            retry_after: taken.retry_after,
            policy: &self.policy,
            partition,
        }
    }

    /// Gives units back that were taken in the window that began at `start`.
    pub(crate) fn refund(&self, partition: Partition, start: Nanos, units: u64) {
        match &self.counts {
            Counts::Gcra(gcra, cells) => {
                cells.find(partition, |arrival| gcra.refund(arrival, units));
            }
            Counts::Window(window, cells) => {
                cells.find(partition, |count| window.refund(count, start, units));
            }
            Counts::Leased(_, leases) => leases.refund(partition, start, units),
            Counts::InFlight(..) => {}
        }
    }

    /// Takes units that are gone already, whether they are there or not.
    pub(crate) fn overdraw(&self, charge: &Charge, units: u64, now: Nanos) {
        let partition = charge.partition;
        match &self.counts {
            Counts::Gcra(gcra, cells) => {
                cells.with(partition, now, || 0, |arrival| gcra.overdraw(arrival, units, now));
            }
            Counts::Window(window, cells) => cells.with(partition, now, Count::default, |count| {
                window.turn(count, now);
                count.units = count.units.saturating_add(units);
            }),
            Counts::Leased(_, leases) => {
                if let Some(key) = charge.key {
                    leases.overdraw(partition, key, units, now);
                }
            }
            Counts::InFlight(..) => {}
        }
    }
}

/// Nobody can say when a slot comes back; a second is as good as any time.
fn in_flight(amount: u64, slot: Option<&Slot>) -> Taken {
    Taken {
        allowed: slot.is_some(),
        remaining: slot.map_or(0, |slot| amount - slot.under_way),
        reset: 0,
        retry_after: if slot.is_some() { 0 } else { crate::clock::SECOND },
    }
}
