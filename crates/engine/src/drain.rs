//! The end of the process, for each entry point at its own pace: its doors stay open for a while, then nothing new is
//! accepted, what is under way ends, and after the grace time what is left is cut.

use crate::live::Live;
use crate::worker::Workers;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the connections are counted while they end.
const LOOK: Duration = Duration::from_millis(20);

/// The doors of one entry point: whether they are closed, and how many connections are inside.
#[derive(Debug, Default)]
pub struct Doors {
    closed: AtomicBool,
    inside: AtomicUsize,
}

impl Doors {
    /// Whether connections are to end as soon as they are idle.
    #[inline]
    pub fn are_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Counts a connection; the guard counts it off.
    pub fn enter(self: &Arc<Doors>) -> Inside {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Inside(self.clone())
    }

    /// Connections inside.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }
}

/// One connection, while it lives.
pub struct Inside(Arc<Doors>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An entry point on its way out.
pub struct Closing {
    pub name: Arc<str>,
    pub doors: Arc<Doors>,
    /// Tells those who accept.
    pub stop: watch::Sender<bool>,
    /// Time with open doors (`requestAcceptGraceTimeout`).
    pub accept_grace: Duration,
    /// Time from then on for what is under way (`graceTimeOut`).
    pub grace: Duration,
}

impl Closing {
    /// Closes the doors when it is time.
    fn advance(&self, passed: Duration) {
        if passed >= self.accept_grace && !self.doors.are_closed() {
            self.stop.send_replace(true);
            self.doors.closed.store(true, Ordering::Relaxed);
        }
    }

    fn has_ended(&self, passed: Duration) -> bool {
        self.doors.are_closed()
            && (self.doors.inside() == 0 || passed >= self.accept_grace.saturating_add(self.grace))
    }
}

/// Ends serving; comes back when no entry point has anything left that may go on. The ping says from the beginning that the
/// end is near.
pub async fn drain(live: &Live, workers: &Workers, entry_points: &[Closing]) {
    live.announce_end();
    let start = Instant::now();
    // Judged before the doors close: those who still accept have a moment to take in who waits before them.
    while !entry_points.iter().all(|e| e.has_ended(start.elapsed())) {
        entry_points.iter().for_each(|e| e.advance(start.elapsed()));
        // Connections look at their doors when they are woken; one that became idle since needs to be woken again.
        if entry_points.iter().any(|e| e.doors.are_closed()) {
            workers.wake_all();
        }
        tokio::time::sleep(LOOK).await;
    }
    for left in entry_points.iter().filter(|e| e.doors.inside() > 0) {
        let (name, connections) = (&left.name, left.doors.inside());
        tracing::warn!(entryPointName = %name, connections, "the grace time is over; connections are cut");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_point_ends_with_its_last_connection_or_its_grace() {
        let check = |inside: bool, seconds: u64, closed: bool, ended: bool| {
            let (stop, stopped) = watch::channel(false);
            let closing = Closing {
                name: "web".into(),
                doors: Arc::default(),
                stop,
                accept_grace: Duration::from_secs(2),
                grace: Duration::from_secs(4),
            };
            let _inside = inside.then(|| closing.doors.enter());
            let passed = Duration::from_secs(seconds);
            closing.advance(passed);
            assert_eq!(
                (closing.doors.are_closed(), *stopped.borrow()),
                (closed, closed),
                "{seconds} s"
            );
            assert_eq!(
                closing.has_ended(passed),
                ended,
                "{seconds} s, somebody inside: {inside}"
            );
        };
        check(false, 0, false, false);
        check(false, 1, false, false);
        check(false, 2, true, true);
        check(true, 2, true, false);
        check(true, 5, true, false);
        check(true, 6, true, true);
    }

    #[test]
    fn a_connection_is_inside_while_it_lives() {
        let doors: Arc<Doors> = Arc::default();
        let (a, b) = (doors.enter(), doors.enter());
        assert_eq!(doors.inside(), 2);
        drop((a, b));
        assert_eq!(doors.inside(), 0);
    }
}
