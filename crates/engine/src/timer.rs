//! Deadlines of connections, to about fifty milliseconds.
//!
//! A timer of the runtime costs a lock and a wheel operation for each request. A connection needs only "wake me if nothing
//! happened for long", so each owns one [`Deadline`], moving it is a store, and one tick per worker looks at all of them.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// How often a worker looks at its deadlines.
const TICK: Duration = Duration::from_millis(50);
const NEVER: u64 = u64::MAX;
/// Deadlines of connections that are gone, beyond as many as there are others, that are taken out before their time.
const MANY: usize = 256;

/// The clock and the deadlines of one worker.
pub struct Timer {
    origin: Instant,
    now: Cell<u64>,
    wall: Cell<SystemTime>,
    /// No deadline is earlier. Many are moved on before they come, so this is looked up anew when it has passed.
    next: Cell<u64>,
    deadlines: RefCell<Vec<Weak<Entry>>>,
    alive: Cell<usize>,
    started: Notify,
}

struct Entry {
    at: Cell<u64>,
    waker: RefCell<Option<Waker>>,
    timer: Rc<Timer>,
}

/// A moment at which its connection is woken. Not set: never.
pub struct Deadline(Rc<Entry>);

impl Timer {
    pub fn new() -> Rc<Timer> {
        Rc::new(Timer {
            origin: Instant::now(),
            now: Cell::new(0),
            wall: Cell::new(SystemTime::now()),
            next: Cell::new(NEVER),
            deadlines: RefCell::default(),
            alive: Cell::new(0),
            started: Notify::new(),
        })
    }

    /// A deadline that is not set.
    pub fn deadline(self: &Rc<Timer>) -> Deadline {
        let entry = Rc::new(Entry {
            at: Cell::new(NEVER),
            waker: RefCell::default(),
            timer: self.clone(),
        });
        self.deadlines.borrow_mut().push(Rc::downgrade(&entry));
        if self.alive.replace(self.alive.get() + 1) == 0 {
            self.advance();
            self.started.notify_one();
        }
        Deadline(entry)
    }

    fn advance(&self) {
        self.now.set(self.origin.elapsed().as_millis() as u64);
        self.wall.set(SystemTime::now());
    }

    /// The time of day at the last tick, while there is any deadline.
    #[inline]
    pub fn wall(&self) -> SystemTime {
        self.wall.get()
    }

    /// Ticks for ever; sleeps while there is no deadline at all.
    pub async fn run(self: Rc<Timer>) {
        loop {
            if self.alive.get() == 0 {
                self.started.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.tick();
        }
    }

    fn tick(&self) {
        self.advance();
        let gone = self.deadlines.borrow().len() > 2 * self.alive.get() + MANY;
        if self.next.get() <= self.now.get() || gone {
            self.wake_until(self.now.get());
        }
    }

    /// Wakes everybody who waits on a deadline, due or not: something else happened that they should look at.
    pub fn wake_all(&self) {
        self.wake_until(NEVER);
    }

    fn wake_until(&self, now: u64) {
        let mut due = Vec::new();
        let mut next = NEVER;
        self.deadlines.borrow_mut().retain(|weak| {
            let Some(entry) = weak.upgrade() else { return false };
            next = next.min(entry.at.get());
            if entry.at.get() <= now
                && let Some(waker) = entry.waker.borrow_mut().take()
            {
                due.push(waker);
            }
            true
        });
        self.next.set(next);
        due.into_iter().for_each(Waker::wake);
    }
}

impl Deadline {
    /// Moves the deadline to `after` from now; zero means never.
    #[inline]
    pub fn set(&self, after: Duration) {
        let (ms, timer) = (after.as_millis() as u64, &self.0.timer);
        let at = if ms == 0 {
            NEVER
        } else {
            timer.now.get().saturating_add(ms)
        };
        self.0.at.set(at);
        timer.next.set(timer.next.get().min(at));
    }

    /// Takes the deadline away.
    #[inline]
    pub fn clear(&self) {
        self.0.at.set(NEVER);
    }

    /// Ready once the deadline has passed. Polled last, after the work that it bounds; a poller is also woken by
    /// [`Timer::wake_all`].
    #[inline]
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.at.get() <= self.0.timer.now.get() {
            return Poll::Ready(());
        }
        let mut waker = self.0.waker.borrow_mut();
        match &*waker {
            Some(w) if w.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let timer = &self.0.timer;
        timer.alive.set(timer.alive.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn wakes_when_due_and_not_when_moved() {
        let timer = Timer::new();
        let ticking = timer.clone().run();
        let waiting = async {
            let due = timer.deadline();
            let moved = timer.deadline();
            due.set(Duration::from_millis(120));
            moved.set(Duration::from_millis(60));
            moved.clear();
            let start = Instant::now();
            poll_fn(|cx| {
                assert!(moved.poll(cx).is_pending());
                due.poll(cx)
            })
            .await;
            start.elapsed()
        };
        let waited = tokio::select! { w = waiting => w, () = ticking => unreachable!() };
        assert!(waited >= Duration::from_millis(100), "{waited:?}");
    }
}
