//! Work beside the request path: health checks, watchers, flushers.
//!
//! Workers run requests and nothing else; this is one more thread of the same kind, where futures that are not `Send` may
//! live, so that background work uses the same HTTP client as the workers.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

type Spawn = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A background task. It ends when the handle is dropped: store it in the thing it serves.
#[derive(Debug)]
#[must_use = "a task ends when its handle is dropped"]
pub struct Task {
    _alive: oneshot::Sender<()>,
}

impl Task {
    /// Starts `make()` on the background thread.
    pub fn spawn<F: Future<Output = ()> + 'static>(make: impl FnOnce() -> F + Send + 'static) -> Task {
        let (alive, dropped) = oneshot::channel::<()>();
        let job: Spawn = Box::new(move || {
            Box::pin(async move {
                tokio::select! {
                    _ = dropped => {}
                    () = make() => {}
                }
            })
        });
        // The thread lives as long as the process; a failed send means that the process is ending.
        let _ = THREAD.send(job);
        Task { _alive: alive }
    }
}

static THREAD: LazyLock<UnboundedSender<Spawn>> = LazyLock::new(|| {
    let (send, mut jobs) = unbounded_channel::<Spawn>();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            while let Some(job) = jobs.recv().await {
                tokio::task::spawn_local(job());
            }
        });
    };
    // Without this thread there are no health checks; the process is out of threads and will say so elsewhere.
    if let Err(error) = std::thread::Builder::new().name("background".into()).spawn(run) {
        tracing::error!(%error, "cannot start the background thread");
    }
    send
});

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_task_runs_and_ends_with_its_handle() {
        let (send, got) = mpsc::channel();
        let task = Task::spawn(move || async move {
            struct Said(mpsc::Sender<&'static str>);
            impl Drop for Said {
                fn drop(&mut self) {
                    let _ = self.0.send("ended");
                }
            }
            let said = Said(send);
            let _ = said.0.send("runs");
            std::future::pending::<()>().await;
        });
        assert_eq!(got.recv_timeout(Duration::from_secs(5)), Ok("runs"));
        drop(task);
        assert_eq!(got.recv_timeout(Duration::from_secs(5)), Ok("ended"));
    }
}
