//! From the workers' buffers to the file.
//!
//! Each worker has a lane: a buffer that it appends lines to, and that only the writing thread takes from. When the log is
//! idle the first line wakes the writer; it waits a moment for more, writes what all lanes hold, and goes on like that until
//! there is nothing. So a line is in the file within milliseconds, and many lines cost one write.

use super::clock::Clock;
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use trilithon_flow::metrics::registry;

/// Wait after the first line of an idle log, between writes of a busy one, and of one with so many lines that waking up for
/// them would cost more than writing them.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const FULL_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of one write that make a log full.
const FULL: usize = 4 * 1024;
/// Bytes a lane may hold when the disk does not keep up; further lines are dropped and counted.
const MAX_LANE: usize = 8 * 1024 * 1024;
/// A taken buffer larger than this is not kept.
const KEPT_BUFFER: usize = 512 * 1024;

/// Where lines go.
pub enum Target {
    Stdout,
    File(PathBuf),
}

/// The writing thread and the way to it.
pub struct Writer {
    shared: Arc<Shared>,
    orders: Mutex<Option<Sender<Order>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Order {
    Wake,
    Reopen,
    Flush(Sender<()>),
}

struct Shared {
    id: usize,
    lanes: Mutex<Vec<Arc<Mutex<Lane>>>>,
    /// The writer is not idle: it will look at all lanes again.
    awake: AtomicBool,
}

/// The buffer of one worker.
#[derive(Default)]
struct Lane {
    lines: Vec<u8>,
    clock: Clock,
}

thread_local! {
    /// The lanes of this thread, by the log they belong to.
    static LANES: RefCell<Vec<(usize, Arc<Mutex<Lane>>)>> = const { RefCell::new(Vec::new()) };
}

impl Writer {
    /// Opens `target` and starts the thread.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub fn start(target: Target) -> io::Result<Writer> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            id,
            lanes: Mutex::default(),
            awake: AtomicBool::new(false),
        });
        let (send, orders) = channel();
        let out = target.open()?;
        let worker = Thread {
            shared: shared.clone(),
            orders,
            target,
            out,
            spare: Vec::new(),
            failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || worker.run())?;
        Ok(Writer {
            shared,
            orders: Mutex::new(Some(send)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Appends one line, made by `write`, to the lane of this thread.
    pub fn line(&self, write: impl FnOnce(&mut Vec<u8>, &mut Clock)) {
        LANES.with_borrow_mut(|lanes| {
            let at = match lanes.iter().position(|(id, _)| *id == self.shared.id) {
                Some(at) => at,
                None => {
                    lanes.push((self.shared.id, self.shared.add_lane()));
                    lanes.len() - 1
                }
            };
            let mut lane = lock(&lanes[at].1);
            if lane.lines.len() > MAX_LANE {
                return dropped();
            }
            let Lane { lines, clock } = &mut *lane;
            write(lines, clock);
        });
        // Either the writer, having said that it is idle, still finds this line, or this load sees what it said: both went
        // through the lane's lock.
        if !self.shared.awake.load(Ordering::Relaxed) && !self.shared.awake.swap(true, Ordering::Relaxed) {
            self.order(Order::Wake);
        }
    }

    /// See [`super::AccessLog::reopen`].
    pub fn reopen(&self) {
        self.order(Order::Reopen);
    }

    /// See [`super::AccessLog::flush`].
    pub fn flush(&self) {
        let (done, wait) = channel();
        self.order(Order::Flush(done));
        // An error says that the writer has ended, and with it all writing.
        let _ = wait.recv();
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &*lock(&self.orders) {
            // The thread lives until this sender is dropped.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Writer {
    /// Writes what is left.
    fn drop(&mut self) {
        lock(&self.orders).take();
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn add_lane(&self) -> Arc<Mutex<Lane>> {
        let lane = Arc::<Mutex<Lane>>::default();
        lock(&self.lanes).push(lane.clone());
        lane
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dropped() {
    let help = "Access log lines that were dropped because they could not be written as fast as they came.";
    registry()
        .counter("trilithon_access_log_dropped_total", help, &[])
        .inc();
}

impl Target {
    fn open(&self) -> io::Result<Out> {
        match self {
            Target::Stdout => Ok(Out::Stdout(io::stdout())),
            Target::File(path) => {
                if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
                    std::fs::create_dir_all(folder)?;
                }
                Ok(Out::File(
                    OpenOptions::new().create(true).append(true).open(path)?,
                ))
            }
        }
    }
}

enum Out {
    Stdout(io::Stdout),
    File(File),
}

impl Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Out::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Out::File(file) => file.write_all(bytes),
        }
    }
}

/// What the writing thread owns.
struct Thread {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    target: Target,
    out: Out,
    /// The buffer that is given to the next lane in exchange for its own.
    spare: Vec<u8>,
    /// The last write failed, which has been said.
    failing: bool,
}

impl Thread {
    fn run(mut self) {
        while let Ok(order) = self.orders.recv() {
            self.obey(order);
            if !self.busy() {
                break;
            }
        }
        self.write_all();
    }

    /// Writes until there is nothing more; false when the log has ended.
    fn busy(&mut self) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.orders.recv_timeout(pause) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            let mut written = self.write_all();
            if written == 0 {
                self.shared.awake.store(false, Ordering::Relaxed);
                written = self.write_all();
                if written == 0 {
                    return true;
                }
                self.shared.awake.store(true, Ordering::Relaxed);
            }
            pause = if written < FULL { BUSY_PAUSE } else { FULL_PAUSE };
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Wake => {}
            Order::Reopen => {
                self.write_all();
                match self.target.open() {
                    Ok(out) => self.out = out,
                    Err(error) => {
                        tracing::error!(%error, "cannot open the access log anew, the old file stays in use")
                    }
                }
            }
            Order::Flush(done) => {
                self.write_all();
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    /// Writes what the lanes hold; gives the bytes.
    fn write_all(&mut self) -> usize {
        let lanes = lock(&self.shared.lanes).clone();
        let mut bytes = 0;
        for lane in lanes {
            {
                let mut lane = lock(&lane);
                if lane.lines.is_empty() {
                    continue;
                }
                std::mem::swap(&mut lane.lines, &mut self.spare);
            }
            bytes += self.spare.len();
            let written = self.out.write(&self.spare);
            self.said(written);
            self.spare.clear();
            self.spare.shrink_to(KEPT_BUFFER);
        }
        bytes
    }

    fn said(&mut self, written: io::Result<()>) {
        if let Err(error) = &written
            && !self.failing
        {
            tracing::error!(%error, "cannot write the access log");
        }
        self.failing = written.is_err();
    }
}
