//! Waiting for something to become true, with a deadline; never a plain sleep.

use std::time::{Duration, Instant};

/// How long a test waits for anything before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long a process may take to be ready: where a compiler has the processors, its first pages alone take seconds.
pub(crate) const START: Duration = Duration::from_secs(60);

const STEP: Duration = Duration::from_millis(5);

/// The first `Some` that `probe` gives, or `None` when `patience` is over.
pub fn until<T>(patience: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = probe() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(STEP);
    }
}

/// Waits [`PATIENCE`] for `probe`; fails the test naming `what` when it stays false.
#[track_caller]
pub fn eventually(what: &str, mut probe: impl FnMut() -> bool) {
    assert!(
        until(PATIENCE, || probe().then_some(())).is_some(),
        "waited in vain for: {what}"
    );
}

/// Lets `time` pass: for an upstream that is slow on purpose.
pub(crate) fn idle(time: Duration) {
    until(time, || None::<()>);
}
