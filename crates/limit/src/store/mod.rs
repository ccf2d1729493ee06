//! The store of durable limits: one file, one thread that writes it, many questions in one commit.

pub(crate) mod file;

use crate::lease::Leases;
use crate::partition::{Partition, StoreKey};
use crate::window::Count;
use crate::{Nanos, Window, clock};
use file::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use trilithon_flow::metrics::{Value, registry};

/// Questions that are answered by one commit at most.
const BATCH: usize = 4_096;
/// How long after a failure the file is opened again.
const REOPEN: Duration = Duration::from_secs(5);
/// How often counts that are over are swept out.
const SWEEP: Duration = Duration::from_secs(3_600);
/// How long the end of the process waits for the last commit.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the store of limits `{}`: {source}", path.display())]
pub struct StoreError {
    path: PathBuf,
    source: redb::Error,
}

/// A question for the store.
pub(crate) struct Ask {
    pub key: StoreKey,
    pub window: Window,
    /// Units to lease; fewer are granted when fewer are there.
    pub want: u64,
    /// What was spent without a lease, and what is given back, of the present window.
    pub owed: Due,
    /// The same of the window before.
    pub carry: Option<Due>,
    pub now: Nanos,
    pub partition: Partition,
    /// Who is told.
    pub of: Weak<Leases>,
}

/// Units of the window that began at `start` in which the store and the memory differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub start: Nanos,
    pub owed: u64,
    pub unspent: u64,
}

/// The store's answer, once it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub count: Count,
    pub granted: u64,
}

enum Job {
    Ask(Ask),
    Close(SyncSender<()>),
}

/// The store, as those who ask see it.
#[derive(Debug)]
pub struct Store {
    jobs: Sender<Job>,
}

impl Store {
    /// Starts the thread that owns `path`. The second value says why the file cannot be used now; it is tried again.
    pub fn open(path: &Path) -> (Arc<Store>, Option<StoreError>) {
        let (jobs, asked) = channel();
        let (file, error) = match File::open(path) {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(error)),
        };
        let writer = Writer {
            path: path.to_owned(),
            file,
            failed: error.is_some(),
            opened: Instant::now(),
            swept: Instant::now(),
            commits: registry().counter(
                "trilithon_limit_store_commits_total",
                "Commits of the store of limits.",
                &[],
            ),
            failures: registry().counter(
                "trilithon_limit_store_failures_total",
                "Questions that the store of limits could not answer; they were decided from memory.",
                &[],
            ),
        };
        let spawned = std::thread::Builder::new()
            .name("limits".into())
            .spawn(move || writer.run(&asked));
        if let Err(error) = spawned {
            // Questions are dropped from here on, and those who wait give up.
            tracing::error!(%error, "cannot start the thread of the store of limits");
        }
        (Arc::new(Store { jobs }), error)
    }

    /// One whose questions the test answers itself.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (Arc<Store>, impl Fn() -> Option<Ask>) {
        let (jobs, asked) = channel();
        let next = move || match asked.try_recv() {
            Ok(Job::Ask(ask)) => Some(ask),
            _ => None,
        };
        (Arc::new(Store { jobs }), next)
    }

    pub(crate) fn ask(&self, ask: Ask) {
        // The thread lives as long as this handle; if it could not be made, whoever waits gives up.
        let _ = self.jobs.send(Job::Ask(ask));
    }

    /// Waits until everything that was asked is written.
    pub fn close(&self) {
        let (done, closed) = sync_channel(1);
        let _ = self.jobs.send(Job::Close(done));
        if closed.recv_timeout(LAST_COMMIT).is_err() {
            tracing::error!(
                "the store of limits was not written at the end: leases that were not spent are lost"
            );
        }
    }
}

/// The thread.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    /// The last thing said about the file is that it cannot be used.
    failed: bool,
    opened: Instant,
    swept: Instant,
    commits: Arc<Value>,
    failures: Arc<Value>,
}

impl Writer {
    /// Works until the last handle is gone.
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let first = match jobs.recv_timeout(SWEEP) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut asks = Vec::new();
            let mut closing = Vec::new();
            for job in first.into_iter().chain(jobs.try_iter().take(BATCH)) {
                match job {
                    Job::Ask(ask) => asks.push(ask),
                    Job::Close(done) => closing.push(done),
                }
            }
            if !asks.is_empty() {
                self.answer(&asks);
            }
            // Who asked for the end may be gone.
            closing.iter().for_each(|done| _ = done.send(()));
            self.sweep();
        }
    }

    /// One commit for all, then the answers.
    fn answer(&mut self, asks: &[Ask]) {
        self.reopen();
        let replies = self.file.as_ref().map(|file| file.commit(asks));
        let replies = match replies {
            Some(Ok(replies)) => {
                self.commits.inc();
                Some(replies)
            }
            Some(Err(error)) => {
                self.fail(&error);
                None
            }
            None => None,
        };
        let answered = replies.iter().flatten().flatten().count();
        self.failures.add((asks.len() - answered) as i64);
        for (i, ask) in asks.iter().enumerate() {
            let reply = replies.as_ref().and_then(|r| r[i]);
            if let Some(leases) = ask.of.upgrade() {
                leases.answered(ask, reply);
            }
        }
    }

    fn reopen(&mut self) {
        if self.file.is_some() || self.opened.elapsed() < REOPEN {
            return;
        }
        self.opened = Instant::now();
        match File::open(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                self.failed = false;
                tracing::info!(path = %self.path.display(), "the store of limits is open");
            }
            Err(error) if !self.failed => self.fail(&error.source),
            Err(_) => {}
        }
    }

    fn fail(&mut self, error: &redb::Error) {
        tracing::error!(path = %self.path.display(), %error, "the store of limits failed; durable limits count in memory, it is tried again");
        self.failed = true;
        self.file = None;
        self.opened = Instant::now();
    }

    fn sweep(&mut self) {
        if self.swept.elapsed() < SWEEP {
            return;
        }
        self.swept = Instant::now();
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.sweep(clock::now())) {
            self.fail(&error);
        }
    }
}
