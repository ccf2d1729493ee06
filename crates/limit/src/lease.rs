//! Durable windows: units are leased from the store in blocks and spent from memory.
//!
//! A block is written before it is handed out. What the store says is therefore never less than what was spent, and a
//! process that is killed loses what it had leased and not spent: it lets too few through after that, never too many.

use crate::outcome::Taken;
use crate::partition::{Partition, StoreKey};
use crate::partitions::Partitions;
use crate::store::{Ask, Due, Reply, Store};
use crate::window::Count;
use crate::{Nanos, Span, Window};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

/// A block is this part of a limit, so that a killed process costs a caller little of it …
const BLOCKS: u64 = 32;
/// … and never more than this many units.
const LARGEST_BLOCK: u64 = 1_024;
/// How long nobody waits for a store that failed.
const AWAY: Nanos = crate::clock::SECOND;

/// The leases of all partitions of one durable limit.
pub(crate) struct Leases {
    window: Window,
    cells: Partitions<Lease>,
    store: Arc<Store>,
    me: Weak<Leases>,
}

/// What one partition has leased.
struct Lease {
    key: StoreKey,
    /// As the store has it: everything leased counts, spent or not.
    written: Count,
    /// Units leased and not spent, of the window of `written`.
    left: u64,
    /// Units spent and not leased, of the same window: the store is told soon.
    owed: u64,
    /// What the store does not know yet of the window before.
    carry: Option<Due>,
    /// Whether the store has been read.
    known: bool,
    /// Whether an answer of the store is to come.
    asked: bool,
    /// Until then nobody waits for the store.
    away_until: Nanos,
    /// Units that those who wait want.
    wanted: u64,
    /// What they wanted beyond the last block.
    demand: u64,
    waiting: Vec<Waker>,
}

/// Who waits for a lease that was forgotten asks again.
impl Drop for Lease {
    fn drop(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl Leases {
    pub(crate) fn new(window: Window, store: Arc<Store>) -> Arc<Leases> {
        Arc::new_cyclic(|me| Leases {
            window,
            cells: Partitions::new(window.span().longest()),
            store,
            me: me.clone(),
        })
    }

    /// Units that are leased at once.
    pub(crate) fn block(window: &Window) -> u64 {
        (window.limit() / BLOCKS).clamp(1, LARGEST_BLOCK)
    }

    /// Takes `cost` units; gives the answer, the window's begin and the partition's name in the store. With `wait`, it waits for the store where it must; without, what is not leased is owed.
    pub(crate) fn poll_take(
        &self,
        partition: Partition,
        key: impl FnOnce() -> StoreKey,
        cost: u64,
        now: Nanos,
        wait: Option<&mut Context<'_>>,
    ) -> Poll<(Taken, Nanos, StoreKey)> {
        let new = || Lease::new(key());
        self.cells.with(partition, now, new, |lease| {
            lease.turn(&self.window, now);
            let waits = wait.filter(|_| now >= lease.away_until);
            let step = lease.take(&self.window, cost, now, waits.is_some());
            if step.asks && !lease.asked {
                self.ask(partition, lease, cost, now);
            }
            match (step.allowed, waits) {
                (Some(allowed), _) => {
                    let spent = lease.spent();
                    let taken = self.window.tell(&spent, allowed, cost, now);
                    Poll::Ready((taken, spent.start, lease.key))
                }
                (None, Some(cx)) => {
                    lease.wait(cost, cx.waker());
                    Poll::Pending
                }
                (None, None) => unreachable!("who does not wait is answered"),
            }
        })
    }

    fn ask(&self, partition: Partition, lease: &mut Lease, cost: u64, now: Nanos) {
        lease.asked = true;
        let more = Leases::block(&self.window).max(cost);
        self.store.ask(Ask {
            key: lease.key,
            window: self.window,
            want: more.saturating_add(std::mem::take(&mut lease.demand)),
            owed: Due {
                start: lease.written.start,
                owed: lease.owed,
                unspent: 0,
            },
            carry: lease.carry.take(),
            now,
            partition,
            of: self.me.clone(),
        });
    }

    /// Takes the store's answer; `None` when it failed.
    pub(crate) fn answered(&self, ask: &Ask, reply: Option<Reply>) {
        let waiting = self.cells.find(ask.partition, |lease| {
            lease.answered(ask, reply);
            std::mem::take(&mut lease.waiting)
        });
        // Woken without the lock: they come for it at once.
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Gives units back that were taken in the window that began at `start`.
    pub(crate) fn refund(&self, partition: Partition, start: Nanos, units: u64) {
        // One that was forgotten, or is of a window that is over, lets too few through at worst.
        self.cells.find(partition, |lease| {
            if lease.written.start == start {
                let settled = units.min(lease.owed);
                lease.owed -= settled;
                lease.left += (units - settled).min(lease.written.units - lease.left);
            }
        });
    }

    /// Takes units that are gone already; the store is told at once.
    pub(crate) fn overdraw(&self, partition: Partition, key: StoreKey, units: u64, now: Nanos) {
        self.cells.with(
            partition,
            now,
            || Lease::new(key),
            |lease| {
                lease.turn(&self.window, now);
                let leased = units.min(lease.left);
                lease.left -= leased;
                lease.owed = lease.owed.saturating_add(units - leased);
                if !lease.asked {
                    self.ask(partition, lease, 0, now);
                }
            },
        );
    }

    /// Gives everything back that is leased and not spent: the process ends in order.
    pub(crate) fn retire(&self, now: Nanos) {
        self.cells.each(|partition, lease| {
            lease.turn(&self.window, now);
            let due = Due {
                start: lease.written.start,
                owed: lease.owed,
                unspent: std::mem::take(&mut lease.left),
            };
            if due.unspent > 0 || due.owed > 0 {
                self.store.ask(Ask {
                    key: lease.key,
                    window: self.window,
                    want: 0,
                    owed: due,
                    carry: None,
                    now,
                    partition: *partition,
                    of: Weak::new(),
                });
            }
        });
    }
}

/// What one question comes to: the answer if there is one yet, and whether the store is to be asked.
struct Step {
    allowed: Option<bool>,
    asks: bool,
}

impl Lease {
    fn new(key: StoreKey) -> Lease {
        Lease {
            key,
            written: Count::default(),
            left: 0,
            owed: 0,
            carry: None,
            known: false,
            asked: false,
            away_until: 0,
            wanted: 0,
            demand: 0,
            waiting: Vec::new(),
        }
    }

    /// What was spent, as if nothing were leased.
    fn spent(&self) -> Count {
        Count {
            units: (self.written.units - self.left).saturating_add(self.owed),
            ..self.written
        }
    }

    /// Turns to the window of `now`. What was leased in the one before is given back where that still counts.
    fn turn(&mut self, window: &Window, now: Nanos) {
        let old = self.written.start;
        let mut spent = self.spent();
        window.turn(&mut spent, now);
        if spent.start == old {
            return;
        }
        let due = Due {
            start: old,
            owed: self.owed,
            unspent: self.left,
        };
        let counts = matches!(window.span(), Span::Sliding(_)) && (due.owed > 0 || due.unspent > 0);
        self.carry = counts.then_some(due);
        self.written = spent;
        (self.left, self.owed) = (0, 0);
    }

    fn take(&mut self, window: &Window, cost: u64, now: Nanos, waits: bool) -> Step {
        if cost <= self.left {
            self.left -= cost;
            let is_low = self.left <= Leases::block(window) / 2;
            let more = window.left(&self.written, now) > 0;
            return Step {
                allowed: Some(true),
                asks: is_low && more,
            };
        }
        let there = window.left(&self.spent(), now);
        if (self.known || !waits) && cost > there {
            return Step {
                allowed: Some(false),
                asks: !self.known,
            };
        }
        if waits {
            return Step {
                allowed: None,
                asks: true,
            };
        }
        self.owed = self.owed.saturating_add(cost - self.left);
        self.left = 0;
        Step {
            allowed: Some(true),
            asks: true,
        }
    }

    fn wait(&mut self, cost: u64, waker: &Waker) {
        self.wanted = self.wanted.saturating_add(cost);
        if !self.waiting.iter().any(|w| w.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    fn answered(&mut self, ask: &Ask, reply: Option<Reply>) {
        self.asked = false;
        let wanted = std::mem::take(&mut self.wanted);
        let Some(reply) = reply else {
            self.away_until = ask.now.saturating_add(AWAY).max(crate::clock::now() + AWAY);
            self.carry = self.carry.or(ask.carry);
            return;
        };
        self.known = true;
        self.away_until = 0;
        self.demand = wanted.saturating_sub(reply.granted);
        if reply.count.start < self.written.start {
            // The answer is of a window that is over.
            return;
        }
        if ask.owed.start == self.written.start {
            self.owed -= ask.owed.owed.min(self.owed);
        }
        if reply.count.start > self.written.start {
            (self.left, self.owed) = (0, 0);
        }
        self.written = reply.count;
        // Another limit of the same name may have given back what was leased here.
        self.left = self.left.saturating_add(reply.granted).min(self.written.units);
        // What is leased pays what is owed: it is counted once already.
        let paid = self.left.min(self.owed);
        self.left -= paid;
        self.owed -= paid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file::File;
    use std::collections::VecDeque;

    /// A process with its store, whose questions are answered when the test wants.
    struct World {
        file: File,
        leases: Arc<Leases>,
        next: Box<dyn Fn() -> Option<Ask>>,
        asked: VecDeque<Ask>,
        window: Window,
        now: Nanos,
    }

    fn process(window: Window) -> (Arc<Leases>, Box<dyn Fn() -> Option<Ask>>) {
        let (store, next) = Store::by_hand();
        (Leases::new(window, store), Box::new(next))
    }

    impl World {
        fn new(limit: u64, span: Span) -> World {
            let window = Window::new(limit, span).unwrap();
            let (leases, next) = process(window);
            let now = crate::clock::now() / 1000 * 1000;
            let now = span.around(now).0;
            World {
                file: File::in_memory(),
                leases,
                next,
                asked: VecDeque::new(),
                window,
                now,
            }
        }

        /// Whether `cost` units are there; `None` while that is not known.
        fn take(&mut self, cost: u64) -> Option<bool> {
            let mut cx = Context::from_waker(Waker::noop());
            self.poll(cost, Some(&mut cx))
        }

        fn poll(&mut self, cost: u64, cx: Option<&mut Context<'_>>) -> Option<bool> {
            let poll = self
                .leases
                .poll_take(Partition::of(b"a"), || [1; 32], cost, self.now, cx);
            self.asked.extend(std::iter::from_fn(|| (self.next)()));
            match poll {
                Poll::Ready((taken, ..)) => Some(taken.allowed),
                Poll::Pending => None,
            }
        }

        /// Writes the next question, and tells the answer unless it is lost.
        fn write(&mut self, told: bool) {
            let Some(ask) = self.asked.pop_front() else { return };
            let reply = self.file.commit(std::slice::from_ref(&ask)).unwrap()[0];
            if told {
                self.leases.answered(&ask, reply);
            }
        }

        /// Asks until there is an answer.
        fn insist(&mut self, cost: u64) -> bool {
            loop {
                if let Some(allowed) = self.take(cost) {
                    return allowed;
                }
                self.write(true);
            }
        }

        fn kill(&mut self) {
            (self.leases, self.next) = process(self.window);
            self.asked.clear();
        }
    }

    #[test]
    fn a_block_is_written_before_it_is_spent() {
        let mut world = World::new(64, Span::Day);
        assert_eq!(world.take(1), None, "nothing is known");
        world.write(true);
        assert_eq!(world.take(1), Some(true));
        for _ in 0..63 {
            assert!(world.insist(1));
        }
        assert!(!world.insist(1));
        world.kill();
        assert!(!world.insist(1), "nothing is forgotten");
    }

    #[test]
    fn an_end_in_order_loses_nothing() {
        let mut world = World::new(640, Span::Day);
        for _ in 0..100 {
            assert!(world.insist(1));
        }
        // Twice, as at the end of the process: an answer may be on its way.
        for _ in 0..2 {
            world.leases.retire(world.now);
            world.asked.extend(std::iter::from_fn(|| (world.next)()));
            while !world.asked.is_empty() {
                world.write(true);
            }
        }
        world.kill();
        for n in 100..640 {
            assert!(world.insist(1), "{n}");
        }
        assert!(!world.insist(1));
    }

    #[test]
    fn while_the_store_is_away_it_counts_in_memory_and_pays_later() {
        let mut world = World::new(64, Span::Day);
        assert_eq!(world.take(1), None);
        let ask = world.asked.pop_front().expect("a question");
        world.leases.answered(&ask, None);
        for n in 0..40 {
            assert_eq!(world.take(1), Some(true), "{n}");
        }
        world.now = ask.now.max(crate::clock::now()) + 2 * AWAY;
        while !world.asked.is_empty() {
            world.write(true);
        }
        for n in 40..64 {
            assert!(world.insist(1), "{n}");
        }
        assert!(!world.insist(1));
        world.kill();
        assert!(!world.insist(1), "what was owed is written");
    }

    #[test]
    fn who_does_not_wait_is_answered_and_counted() {
        let mut world = World::new(8, Span::Day);
        for _ in 0..8 {
            assert_eq!(world.poll(1, None), Some(true));
        }
        assert_eq!(world.poll(1, None), Some(false));
        assert!(!world.insist(1));
    }

    /// Random callers, answers that come late or never, processes that are killed at any moment, charges that come to less:
    /// never more is spent than the limit, and what is lost is what was leased ahead.
    #[test]
    fn never_more_than_the_limit_whenever_it_is_killed() {
        for seed in 0..400 {
            let mut random = fastrand::Rng::with_seed(seed);
            let limit = random.u64(1..300);
            let mut world = World::new(limit, Span::Day);
            let (mut spent, mut lost_at_most) = (0, 0);
            let ahead = Leases::block(&world.window) * 3 / 2;
            let mut waiting = 0;
            for _ in 0..random.usize(50..600) {
                match random.u8(..20) {
                    0 => {
                        // A block, what was asked for at once, and what those who wait asked for since.
                        lost_at_most += ahead + 2 * (waiting + 6);
                        waiting = 0;
                        if random.bool() {
                            world.write(false);
                        }
                        world.kill();
                    }
                    1..=6 => world.write(true),
                    7..=8 if spent > 5 => {
                        let units = random.u64(..5);
                        let start = world.window.span().around(world.now).0;
                        let before = lease_left(&world);
                        world.leases.refund(Partition::of(b"a"), start, units);
                        // A process that did not take them has nothing to give back.
                        spent -= lease_left(&world) - before;
                    }
                    _ => {
                        let cost = random.u64(..6);
                        match world.take(cost) {
                            Some(true) => spent += cost,
                            Some(false) => {}
                            None => waiting += cost,
                        }
                    }
                }
                assert!(spent <= limit, "{seed}: {spent} of {limit}");
            }
            while world.insist(1) {
                spent += 1;
            }
            assert!(spent <= limit, "{seed}: {spent} of {limit}");
            assert!(
                spent + lost_at_most >= limit,
                "{seed}: {spent} of {limit}, {lost_at_most} lost"
            );
        }
    }

    fn lease_left(world: &World) -> u64 {
        world
            .leases
            .cells
            .find(Partition::of(b"a"), |l| l.left + u64::MAX / 2 - l.owed)
            .unwrap_or(0)
    }

    /// A sliding window gives back what was leased and not spent when it turns.
    #[test]
    fn a_window_that_turns_gives_back_what_was_not_spent() {
        let mut world = World::new(320, Span::Sliding(100 * crate::clock::SECOND));
        assert!(world.insist(1));
        world.now += 100 * crate::clock::SECOND;
        let mut spent = 0;
        while world.insist(1) {
            spent += 1;
        }
        assert_eq!(spent, 319);
        world.kill();
        assert!(!world.insist(1));
    }
}
