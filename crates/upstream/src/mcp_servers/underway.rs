//! Calls that are under way with servers of the second era, for clients of the first: such a client cancels one by a message, such a
//! server hears of it when nobody reads its answer any more.

use super::table::Entry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The calls of one session, by the `id` of their messages, as it is written.
#[derive(Default)]
pub struct Underway(Mutex<HashMap<Box<str>, Arc<Notify>>>);

/// One of them, until the last clone is dropped.
#[derive(Clone)]
pub struct Ongoing(Arc<Inner>);

struct Inner {
    entry: Arc<Entry>,
    id: Box<str>,
    cancelled: Arc<Notify>,
}

impl Underway {
    /// The client does not want the answer to a message any more.
    pub fn cancel(&self, id: &str) {
        if let Some(cancelled) = self.lock().remove(id) {
            // There may be nobody yet who waits for it.
            cancelled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ongoing {
    /// A call begins. Of two with one `id` the later one is meant.
    pub fn new(entry: &Arc<Entry>, id: &str) -> Ongoing {
        let cancelled = Arc::<Notify>::default();
        entry.underway.lock().insert(id.into(), cancelled.clone());
        Ongoing(Arc::new(Inner {
            entry: entry.clone(),
            id: id.into(),
            cancelled,
        }))
    }

    /// What comes of `work`; `None` when the client has cancelled the call before.
    pub async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.0.cancelled.notified() => {
                // Whoever goes on with the call is to know it too.
                self.0.cancelled.notify_one();
                None
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut all = self.entry.underway.lock();
        if all
            .get(&self.id)
            .is_some_and(|other| Arc::ptr_eq(other, &self.cancelled))
        {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::run;
    use std::future::{pending, ready};

    #[test]
    fn calls_are_cancelled_by_their_ids() {
        run(async {
            let entry = Arc::<Entry>::default();
            let (one, other) = (Ongoing::new(&entry, "1"), Ongoing::new(&entry, "\"1\""));
            assert_eq!(other.unless_cancelled(ready(7)).await, Some(7));
            entry.underway.cancel("1");
            entry.underway.cancel("2");
            assert_eq!(one.unless_cancelled(pending::<()>()).await, None);
            assert_eq!(
                one.clone().unless_cancelled(pending::<()>()).await,
                None,
                "it stays so"
            );
            assert_eq!(other.unless_cancelled(ready(7)).await, Some(7));
            let later = Ongoing::new(&entry, "\"1\"");
            drop((one, other));
            entry.underway.cancel("\"1\"");
            assert_eq!(later.unless_cancelled(pending::<()>()).await, None);
            drop(later);
            assert!(entry.underway.lock().is_empty());
        });
    }
}
