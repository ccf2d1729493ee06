//! Workers: one thread, one runtime, its own connections and its own upstream pools.
//!
//! A connection lives on one worker from accept to close. Accepted sockets go to the worker with the fewest connections,
//! so that a few long ones do not pile up on one core.

use crate::date::{self, Date};
use crate::live::Live;
use crate::timer::Timer;
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use trilithon_flow::Telemetry;

/// Work for a worker: makes a future there.
pub type Job = Box<dyn FnOnce(Rc<Worker>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// What belongs to one worker thread.
pub struct Worker {
    pub timer: Rc<Timer>,
    pub live: Arc<Live>,
    pub telemetry: Telemetry,
    date: Date,
    /// Requests seen by this worker; the access log's `RequestCount` is their sum at the time.
    pub requests: Cell<u64>,
}

impl Worker {
    /// The `Date` of now, a tick old at most: whoever asks has a deadline.
    #[inline]
    pub fn date(&self) -> [u8; date::LEN] {
        self.date.at(self.timer.wall())
    }
}

/// The thread of a worker.
type Thread = Mutex<Option<JoinHandle<()>>>;

/// All workers, as the rest of the process sees them.
#[derive(Clone)]
pub struct Workers {
    handles: Arc<[Handle]>,
}

struct Handle {
    /// `None` ends the worker.
    jobs: UnboundedSender<Option<Job>>,
    connections: Arc<AtomicUsize>,
    thread: Thread,
}

impl Workers {
    /// Starts `count` workers.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(count: usize, live: &Arc<Live>, telemetry: &Telemetry) -> io::Result<Workers> {
        let handles = (0..count.max(1))
            .map(|i| Handle::start(i, live.clone(), telemetry.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Workers {
            handles: handles.into(),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Never true; a process has at least one worker.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Runs a job on worker `at` (counted around).
    pub fn run_on(&self, at: usize, job: Job) {
        // A worker that has ended does nothing more.
        let _ = self.handles[at % self.handles.len()].jobs.send(Some(job));
    }

    /// Ends all workers, cutting what is still under way. When this comes back every exchange has been told to the observers.
    pub fn end(&self) {
        for handle in self.handles.iter() {
            let _ = handle.jobs.send(None);
        }
        for handle in self.handles.iter() {
            let thread = handle
                .thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            // One that panicked is gone as well.
            let _ = thread.map(JoinHandle::join);
        }
    }

    /// The worker with the fewest connections.
    pub fn least_loaded(&self) -> usize {
        let load = |h: &Handle| h.connections.load(Ordering::Relaxed);
        (0..self.handles.len())
            .min_by_key(|&i| load(&self.handles[i]))
            .unwrap_or(0)
    }

    /// Counts a connection that is on its way to worker `at`; the guard counts it off.
    pub fn count(&self, at: usize) -> Counted {
        let counter = self.handles[at].connections.clone();
        counter.fetch_add(1, Ordering::Relaxed);
        Counted(counter)
    }

    /// Has every worker look at all its connections: something changed that concerns them.
    pub fn wake_all(&self) {
        for at in 0..self.handles.len() {
            self.run_on(
                at,
                Box::new(|worker| Box::pin(async move { worker.timer.wake_all() })),
            );
        }
    }
}

/// One connection of a worker, while it lives.
pub struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handle {
    fn start(index: usize, live: Arc<Live>, telemetry: Telemetry) -> io::Result<Handle> {
        let (jobs, receiver) = unbounded_channel();
        let (ready, started) = channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // Tasks of a local runtime are the scheduler's own: a `LocalSet` would put a queue of its own behind it.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .event_interval(61)
                    .build_local(LocalOptions::default());
                // Whoever starts the workers waits to be told.
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                let _ = ready.send(Ok(()));
                let worker = Rc::new(Worker {
                    timer: Timer::new(),
                    live,
                    telemetry,
                    date: Date::new(),
                    requests: Cell::new(0),
                });
                runtime.block_on(run(worker, receiver));
                // Drops what is under way, and waits for nobody: a slow check of a password goes on by itself.
                runtime.shutdown_background();
            })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Handle {
            jobs,
            connections,
            thread: Mutex::new(Some(thread)),
        })
    }
}

async fn run(worker: Rc<Worker>, mut jobs: UnboundedReceiver<Option<Job>>) {
    tokio::task::spawn_local(worker.timer.clone().run());
    while let Some(Some(job)) = jobs.recv().await {
        tokio::task::spawn_local(job(worker.clone()));
    }
}
