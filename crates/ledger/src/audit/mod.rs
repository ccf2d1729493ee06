//! The audit log: who did what, with what outcome, so that nobody can change it later unseen.
//!
//! A worker hands over what an exchange leaves and goes on; one thread makes entries of it, writes them and signs the tree
//! that they are in ([`log`], C2SP tlog-tiles). A full queue loses entries, which is counted and said in the log itself.

pub mod entry;
pub mod log;
pub mod proof;
pub mod read;
pub mod redact;
pub mod undo;
pub mod verify;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use trilithon_flow::metrics::{Value, registry};
use trilithon_flow::record::Wants;
use trilithon_flow::{Observer, Record};
use trilithon_model::install::Audit;

use crate::file;
use crate::folder::private;
use crate::note::{Key, PublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use entry::{Event, Other, Request};
use read::Book;
use redact::Redactor;
use writer::{Order, Rotation, Thread};

/// Events that wait for the writer; further ones are lost.
const QUEUE: usize = 16 << 10;

/// How long the end of the process waits for the disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// The audit log of the process. When the last owner drops it, its thread writes what is left and ends.
pub struct AuditLog {
    book: Book,
    public: PublicKey,
    orders: SyncSender<Order>,
    /// Who serves them.
    thread: std::thread::Thread,
    headers: Vec<String>,
    /// The version of the configuration in force; 0 when none is known.
    configuration: AtomicU64,
    dropped: Arc<AtomicU64>,
    lost: Arc<Value>,
}

impl AuditLog {
    /// Opens the log in the store folder, makes its key at the first start, and starts the writing thread. `host` names the
    /// log where the configuration does not.
    ///
    /// # Errors
    /// The log cannot be written, its key is none, or `redact` holds what is no regular expression.
    pub fn start(store: &Path, host: &str, config: &Audit) -> io::Result<Arc<AuditLog>> {
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
        let book = Book::in_store(store);
        private(book.path())?;
        let key = Key::open(&book.key())?;
        let public = key.public();
        file::replace(
            &book.public_key(),
            format!("{}\n", BASE64.encode(public)).as_bytes(),
        )?;
        let kept = book.clone();
        let (orders, received) = sync_channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let thread = Thread {
            book,
            key,
            origin: origin(&config.origin, host),
            entries: entry::Writer {
                redactor: Redactor::new(config).map_err(invalid)?,
                claims: config.claims.clone(),
            },
            interval: config.checkpoint_interval.to_std(),
            rotation: Rotation {
                max_size: u64::try_from(config.max_size).unwrap_or(0).max(1) << 20,
                every: config.rotate_every.to_std(),
                keep: usize::try_from(config.max_backups).unwrap_or(0),
            },
            orders: received,
            dropped: dropped.clone(),
        };
        let first = thread.open()?;
        let writer = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || thread.run(first))?;
        Ok(Arc::new(AuditLog {
            book: kept,
            public,
            orders,
            thread: writer.thread().clone(),
            headers: config.headers.clone(),
            configuration: AtomicU64::new(0),
            dropped,
            lost: self::dropped(),
        }))
    }

    /// Records something that is no request. Waits while the queue is full.
    pub fn record(&self, event: Other) {
        if self.orders.send(Order::Write(Event::Other(event))).is_err() {
            self.lose();
        }
    }

    /// The logs, for readers.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The key that this process signs with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Says which version of the configuration requests are served by from now on.
    pub fn configure(&self, version: u64) {
        self.configuration.store(version, Ordering::Relaxed);
    }

    /// Waits until everything so far is written and signed, or cannot be; a disk that hangs is not waited for.
    pub fn settle(&self) {
        let (done, settled) = sync_channel(1);
        if self.orders.send(Order::Settle(done)).is_ok() {
            self.thread.unpark();
            // An error says that the writer gave up, which it has logged.
            let _ = settled.recv_timeout(PATIENCE);
        }
    }

    fn lose(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.lost.inc();
    }
}

impl Observer for AuditLog {
    fn observe(&self, record: &Record) {
        // Who undoes something is told wherever that happens.
        if !record.audit && record.undoes.is_none() {
            return;
        }
        let version = self.configuration.load(Ordering::Relaxed);
        let request = Request::of(record, &self.headers, version);
        let order = Order::Write(Event::Request(Box::new(request)));
        if self.orders.try_send(order).is_err() {
            self.lose();
        }
    }

    fn wants(&self) -> Wants {
        Wants {
            request_headers: !self.headers.is_empty(),
            ..Wants::default()
        }
    }
}

/// The name of the logs: no space and no `+`, which key names cannot have (C2SP signed-note).
fn origin(given: &str, host: &str) -> String {
    let name = if given.is_empty() { host } else { given };
    let clean = |c: char| {
        if c.is_whitespace() || c.is_control() || c == '+' {
            '-'
        } else {
            c
        }
    };
    let name: String = name.chars().take(256).map(clean).collect();
    if name.is_empty() { "gateway".into() } else { name }
}

/// Entries that were lost.
fn dropped() -> Arc<Value> {
    let help = "Audit entries that were lost because they could not be written as fast as they came.";
    registry().counter("trilithon_audit_dropped_total", help, &[])
}

#[cfg(test)]
mod tests;
