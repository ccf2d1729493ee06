//! Idle HTTP/1.1 connections of one worker.
//!
//! [`Idle`] is the rule without the sockets: last in, first out, at most so many per key, none longer than its time.
//! Around it, this thread's one pool. Time goes in ticks that a sweeper counts, so that a request asks no clock.

use crate::stream::Stream;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// Length of a tick: how coarse idle time is.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// 128 bits that stand for `text`. Whoever writes the configuration cannot make two texts meet.
pub(crate) fn digest(text: &str) -> u128 {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hash.as_ref()[..16]);
    u128::from_be_bytes(first)
}

/// What a connection may be used again for: the same transport (with its whole TLS identity), the same scheme, host and
/// port, and the same owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub transport: u128,
    pub origin: u128,
    /// The client connection that these connections belong to alone; 0 for all.
    pub owner: u64,
}

/// How many connections may wait, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub max: usize,
    /// Ticks; `u32::MAX` is for ever.
    pub ticks: u32,
}

impl Room {
    /// `None` is for ever.
    pub fn new(max: usize, time: Option<Duration>) -> Room {
        let ticks = time.map_or(u128::from(u32::MAX), |t| {
            t.as_millis().div_ceil(TICK.as_millis()).max(1)
        });
        Room {
            max,
            ticks: u32::try_from(ticks).unwrap_or(u32::MAX),
        }
    }
}

/// Idle connections by key.
pub(crate) struct Idle<C> {
    lists: FxHashMap<Key, Vec<Waiting<C>>>,
    now: u32,
}

struct Waiting<C> {
    connection: C,
    /// Tick after which it is closed.
    until: u32,
}

impl<C> Default for Idle<C> {
    fn default() -> Idle<C> {
        Idle {
            lists: FxHashMap::default(),
            now: 0,
        }
    }
}

impl<C> Idle<C> {
    /// The connection that was used last and that `usable` lets pass; those that it does not let pass are closed.
    pub fn take(&mut self, key: &Key, mut usable: impl FnMut(&mut C) -> bool) -> Option<C> {
        let list = self.lists.get_mut(key)?;
        while let Some(mut waiting) = list.pop() {
            if waiting.until >= self.now && usable(&mut waiting.connection) {
                return Some(waiting.connection);
            }
        }
        None
    }

    /// Keeps a connection, or gives it back when there is no room.
    pub fn put(&mut self, key: Key, connection: C, room: Room) -> Result<(), C> {
        if room.max == 0 {
            return Err(connection);
        }
        let until = self.now.saturating_add(room.ticks);
        let list = self.lists.entry(key).or_default();
        if list.len() >= room.max {
            return Err(connection);
        }
        list.push(Waiting { connection, until });
        Ok(())
    }

    /// One tick later: closes what has waited too long or is no longer `usable`. Says whether anything is left.
    pub fn tick(&mut self, mut usable: impl FnMut(&mut C) -> bool) -> bool {
        self.now = self.now.saturating_add(1);
        let now = self.now;
        self.lists.retain(|_, list| {
            list.retain_mut(|w| w.until >= now && usable(&mut w.connection));
            !list.is_empty()
        });
        !self.lists.is_empty()
    }

    /// Closes what belongs to one owner.
    pub fn forget(&mut self, owner: u64) {
        self.lists.retain(|key, _| key.owner != owner);
    }

    /// Number of idle connections.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lists.values().map(Vec::len).sum()
    }
}

thread_local! {
    static POOL: RefCell<Idle<Stream>> = RefCell::default();
    static SWEEPING: Cell<bool> = const { Cell::new(false) };
}

/// A usable idle connection of this thread.
pub(crate) fn take(key: &Key) -> Option<Stream> {
    POOL.with_borrow_mut(|pool| pool.take(key, Stream::is_quiet))
}

/// Keeps a connection whose last exchange has ended, if there is room.
pub(crate) fn put(key: Key, stream: Stream, room: Room) {
    // When the thread ends its pool may be gone before the last body is dropped; then the connection just closes.
    let kept = POOL.try_with(|pool| pool.borrow_mut().put(key, stream, room));
    if let Ok(Ok(())) = kept {
        sweep();
    }
}

/// Number of idle connections of this thread.
#[cfg(test)]
pub(crate) fn idle() -> usize {
    POOL.with_borrow(Idle::len)
}

/// Closes what an earlier test left on this thread.
#[cfg(test)]
pub(crate) fn clear() {
    POOL.take();
}

/// Starts this thread's sweeper if none runs. It ends when nothing is idle.
pub(crate) fn sweep() {
    if SWEEPING.get() {
        return;
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    let sweeping = Sweeping::start();
    // A worker's runtime has one thread, so this stays on it.
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(TICK).await;
            let http1 = POOL.with_borrow_mut(|pool| pool.tick(Stream::is_quiet));
            let http2 = crate::http2::tick();
            if !http1 && !http2 {
                break;
            }
        }
        drop(sweeping);
    });
}

struct Sweeping;

impl Sweeping {
    fn start() -> Sweeping {
        SWEEPING.set(true);
        Sweeping
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        let _ = SWEEPING.try_with(|s| s.set(false));
    }
}

/// Makes connections belong to one client connection: NTLM and Negotiate authenticate a connection, not a request.
///
/// Kept in [`trilithon_flow::Connection::dedicated`]; when that goes, its connections are closed.
pub(crate) struct Dedicated(u64);

impl Dedicated {
    pub fn new() -> Dedicated {
        thread_local! { static NEXT: Cell<u64> = const { Cell::new(1) }; }
        Dedicated(NEXT.replace(NEXT.get() + 1))
    }

    pub fn owner(&self) -> u64 {
        self.0
    }
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        let _ = POOL.try_with(|pool| pool.borrow_mut().forget(self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::rc::Rc;

    fn key(n: u64) -> Key {
        Key {
            transport: 1,
            origin: u128::from(n),
            owner: n / 4,
        }
    }

    /// Random users take, give back, break and time out connections; a model says what may happen.
    #[test]
    fn any_order_of_use() {
        for seed in 0..200 {
            simulate(seed);
        }
    }

    struct Model {
        idle: Idle<Rc<Cell<bool>>>,
        /// Connections in use, with their key and liveness.
        used: Vec<(u64, Rc<Cell<bool>>)>,
        /// All that were ever made, weakly.
        made: Vec<std::rc::Weak<Cell<bool>>>,
        waiting: HashMap<u64, Vec<(*const Cell<bool>, u32)>>,
        now: u32,
    }

    const ROOM: Room = Room { max: 3, ticks: 5 };

    fn simulate(seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut m = Model {
            idle: Idle::default(),
            used: vec![],
            made: vec![],
            waiting: HashMap::new(),
            now: 0,
        };
        for _ in 0..500 {
            match random.u8(..10) {
                0..=3 => m.check_out(random.u64(..8)),
                4..=6 if !m.used.is_empty() => m.give_back(random.usize(..m.used.len())),
                7 if !m.used.is_empty() => drop(m.used.swap_remove(random.usize(..m.used.len()))),
                8 => m.tick(),
                _ => m.break_one(&mut random),
            }
            m.check(seed);
        }
        m.used.clear();
        for _ in 0..=ROOM.ticks {
            m.tick();
        }
        assert!(
            m.made.iter().all(|c| c.upgrade().is_none()),
            "seed {seed}: a connection leaked"
        );
    }

    impl Model {
        fn check_out(&mut self, n: u64) {
            let got = self.idle.take(&key(n), |c| c.get());
            let list = self.waiting.entry(n).or_default();
            let now = self.now;
            let made = &self.made;
            let alive = |p: *const Cell<bool>| {
                made.iter()
                    .filter_map(|w| w.upgrade())
                    .any(|c| Rc::as_ptr(&c) == p && c.get())
            };
            let mut want = None;
            while let Some((p, until)) = list.pop() {
                if until >= now && alive(p) {
                    want = Some(p);
                    break;
                }
            }
            assert_eq!(
                got.as_ref().map(Rc::as_ptr),
                want,
                "the last one that is alive and in time"
            );
            let connection = got.unwrap_or_else(|| {
                let new = Rc::new(Cell::new(true));
                self.made.push(Rc::downgrade(&new));
                new
            });
            self.used.push((n, connection));
        }

        fn give_back(&mut self, at: usize) {
            let (n, connection) = self.used.swap_remove(at);
            let p = Rc::as_ptr(&connection);
            let list = self.waiting.entry(n).or_default();
            let full = list.len() >= ROOM.max;
            assert_eq!(self.idle.put(key(n), connection, ROOM).is_err(), full);
            if !full {
                list.push((p, self.now + ROOM.ticks));
            }
        }

        fn tick(&mut self) {
            self.now += 1;
            let now = self.now;
            let made = &self.made;
            let alive = |p: *const Cell<bool>| {
                made.iter()
                    .filter_map(|w| w.upgrade())
                    .any(|c| Rc::as_ptr(&c) == p && c.get())
            };
            for list in self.waiting.values_mut() {
                list.retain(|(p, until)| *until >= now && alive(*p));
            }
            let left = self.idle.tick(|c| c.get());
            assert_eq!(left, self.waiting.values().any(|l| !l.is_empty()));
        }

        fn break_one(&mut self, random: &mut fastrand::Rng) {
            let alive: Vec<_> = self.made.iter().filter_map(|w| w.upgrade()).collect();
            if !alive.is_empty() {
                alive[random.usize(..alive.len())].set(false);
            }
        }

        fn check(&self, seed: u64) {
            assert_eq!(
                self.idle.len(),
                self.waiting.values().map(Vec::len).sum::<usize>(),
                "seed {seed}"
            );
            for (n, used) in &self.used {
                assert_eq!(
                    Rc::strong_count(used),
                    1,
                    "seed {seed}: a connection of {n} has two users"
                );
            }
            assert!(self.waiting.values().all(|l| l.len() <= ROOM.max));
        }
    }

    #[test]
    fn an_owner_takes_its_connections_along() {
        let mut idle = Idle::default();
        for n in 0..8 {
            assert!(idle.put(key(n), Cell::new(true), ROOM).is_ok());
        }
        idle.forget(1);
        assert_eq!(idle.len(), 4);
    }

    #[test]
    fn room() {
        let ticks = |ms| Room::new(1, Some(Duration::from_millis(ms))).ticks;
        assert_eq!((ticks(1), ticks(250), ticks(251), ticks(90_000)), (1, 1, 2, 360));
        assert_eq!(Room::new(1, None).ticks, u32::MAX);
        assert!(Idle::default().put(key(1), (), Room::new(0, None)).is_err());
    }
}
