//! From the threads that see things to the one that sends them: a queue of bounded length and size.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use trilithon_flow::metrics::Value;

/// Things that wait: OpenTelemetry's default for a batch processor.
const MAX_ITEMS: usize = 2048;
/// Bytes that wait, about: a thing can be as large as a request's head.
const MAX_BYTES: usize = 8 << 20;
/// Things in one message: OpenTelemetry's default.
pub const BATCH: usize = 512;
/// Bytes in one message, about. Collectors take 4 MiB over gRPC by default.
const BATCH_BYTES: usize = 2 << 20;

/// What waits to be sent. A handle: copies are the same queue.
pub struct Queue<T>(Arc<Inner<T>>);

struct Inner<T> {
    waiting: Mutex<Waiting<T>>,
    /// A whole batch is there.
    full: Notify,
    dropped: Arc<Value>,
}

struct Waiting<T> {
    /// Each with its size.
    items: std::collections::VecDeque<(usize, T)>,
    bytes: usize,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue(self.0.clone())
    }
}

impl<T> Queue<T> {
    /// One that counts what it cannot take.
    pub fn new(dropped: Arc<Value>) -> Queue<T> {
        Queue(Arc::new(Inner {
            waiting: Mutex::new(Waiting {
                items: std::collections::VecDeque::new(),
                bytes: 0,
            }),
            full: Notify::new(),
            dropped,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is place for one more: asked first, what would be dropped need not be made.
    pub fn has_room(&self) -> bool {
        let waiting = self.lock();
        let room = waiting.items.len() < MAX_ITEMS && waiting.bytes < MAX_BYTES;
        if !room {
            self.0.dropped.inc();
        }
        room
    }

    /// Puts one in; drops it when the queue is full.
    pub fn push(&self, item: T, bytes: usize) {
        let mut waiting = self.lock();
        if waiting.items.len() >= MAX_ITEMS || waiting.bytes.saturating_add(bytes) > MAX_BYTES {
            drop(waiting);
            self.0.dropped.inc();
            return;
        }
        waiting.items.push_back((bytes, item));
        waiting.bytes += bytes;
        let full = waiting.items.len() == BATCH || waiting.bytes >= BATCH_BYTES;
        drop(waiting);
        if full {
            self.0.full.notify_one();
        }
    }

    /// Whether a whole batch is there.
    pub fn has_batch(&self) -> bool {
        let waiting = self.lock();
        waiting.items.len() >= BATCH || waiting.bytes >= BATCH_BYTES
    }

    /// Takes the oldest, one batch of them at most.
    pub fn take(&self) -> Vec<T> {
        let mut waiting = self.lock();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some((size, item)) = waiting.items.pop_front() else {
                break;
            };
            waiting.bytes -= size;
            bytes += size;
            batch.push(item);
        }
        batch
    }

    /// Waits until a whole batch is there.
    pub async fn full(&self) {
        self.0.full.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_dropped_and_counted() {
        let check = |items: usize, bytes: usize, kept: usize| {
            let dropped = Arc::<Value>::default();
            let queue = Queue::new(dropped.clone());
            (0..items).for_each(|i| queue.push(i, bytes));
            let mut taken = Vec::new();
            loop {
                let batch = queue.take();
                if batch.is_empty() {
                    break;
                }
                assert!(batch.len() <= BATCH && batch.len().saturating_sub(1) * bytes < BATCH_BYTES);
                taken.extend(batch);
            }
            assert_eq!(taken, (0..kept).collect::<Vec<_>>(), "the oldest stay, in order");
            assert_eq!(dropped.get() as usize, items - kept);
        };
        check(0, 1, 0);
        check(100, 100, 100);
        check(3_000, 100, MAX_ITEMS);
        check(20, 1 << 20, 8);
        check(2, MAX_BYTES + 1, 0);
    }

    #[test]
    fn a_full_queue_says_so_before_anything_is_made() {
        let dropped = Arc::<Value>::default();
        let queue = Queue::new(dropped.clone());
        assert!(queue.has_room());
        (0..MAX_ITEMS).for_each(|i| queue.push(i, 1));
        assert!(!queue.has_room());
        assert_eq!(dropped.get(), 1);
        queue.take();
        assert!(queue.has_room(), "there is room again");
    }
}
