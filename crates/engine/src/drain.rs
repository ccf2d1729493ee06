//! The end of the process: nothing new is accepted, what is under way ends, and after the grace time what is left is cut.

use crate::live::Live;
use crate::worker::Workers;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the connections are counted while they end.
const LOOK: Duration = Duration::from_millis(20);

/// Ends serving: `accept_grace` with open doors (the ping already says that the end is near), then up to `grace` until the
/// last connection has ended.
pub async fn drain(
    live: &Live,
    workers: &Workers,
    stop: &watch::Sender<bool>,
    accept_grace: Duration,
    grace: Duration,
) {
    live.announce_end();
    tokio::time::sleep(accept_grace).await;
    stop.send_replace(true);
    live.drain();
    let end = Instant::now() + grace;
    while workers.connections() > 0 && Instant::now() < end {
        // Connections look at the flag when they are woken; one that became idle since needs to be woken again.
        workers.wake_all();
        tokio::time::sleep(LOOK).await;
    }
    let left = workers.connections();
    if left > 0 {
        tracing::warn!(connections = left, "the grace time is over; connections are cut");
    }
}
