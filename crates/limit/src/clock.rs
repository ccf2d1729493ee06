//! The one clock of the limits: the wall clock's time at the start of the process, carried on by the monotonic clock.
//!
//! A wall clock that is stepped would open every limit or close it for hours; this one only goes on. The price: the end of
//! a calendar window is off by as much as the wall clock was stepped since the start.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Nanoseconds since the Unix epoch; enough until the year 2554.
pub type Nanos = u64;

/// A second.
pub const SECOND: Nanos = 1_000_000_000;

static START: LazyLock<(Instant, Nanos)> = LazyLock::new(|| {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX))
});

/// Now. The runtime's clock where a test holds it still.
pub fn now() -> Nanos {
    let (start, wall) = *START;
    let instant = Instant::now();
    let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    match instant.checked_duration_since(start) {
        Some(since) => wall.saturating_add(nanos(since)),
        None => wall.saturating_sub(nanos(start - instant)),
    }
}
