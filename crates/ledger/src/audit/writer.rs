//! The thread that writes the audit log: entries in order, checkpoints in time, one log after the other.

use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};

use super::entry::{self, Event, Other};
use super::log::{Damage, Log, Recovered};
use super::read::Book;
use crate::note::{Checkpoint, Key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Wait between two looks at a busy queue: nobody is woken for each entry, and a worker finds its own memory in the processor's caches
/// while many of its requests go by. A process that is killed loses what it has served for so long.
const PAUSE: Duration = Duration::from_millis(25);
/// Entries written at once.
const BATCH: usize = 4096;
/// Wait before a log that cannot be written is opened again.
const RETRY: Duration = Duration::from_secs(1);

/// What reaches the thread.
pub enum Order {
    Write(Event),
    /// Write and sign everything so far, then answer.
    Settle(SyncSender<()>),
}

/// When a log is closed and the next begun, and how many stay.
pub struct Rotation {
    /// Bytes of entries.
    pub max_size: u64,
    /// Zero means never.
    pub every: Duration,
    /// Zero keeps all.
    pub keep: usize,
}

/// What the thread owns.
pub struct Thread {
    pub book: Book,
    pub key: Key,
    /// The name of all logs, without the number.
    pub origin: String,
    pub entries: entry::Writer,
    pub interval: Duration,
    pub rotation: Rotation,
    pub orders: Receiver<Order>,
    /// Entries that did not get into the queue.
    pub dropped: Arc<AtomicU64>,
}

/// The log that is written now.
pub struct Current {
    number: u64,
    log: Log,
    /// When its first entry was written.
    begun: SystemTime,
    /// When the oldest entry without a checkpoint was written.
    waiting: Option<Instant>,
    /// Entries that are not in a file yet.
    unflushed: u64,
    /// The entry that is written, in memory that is used again.
    line: Vec<u8>,
}

impl Thread {
    /// Opens the last log, or begins the first or the next one.
    ///
    /// # Errors
    /// No log can be written.
    pub fn open(&self) -> io::Result<Current> {
        let Some(number) = self.book.numbers()?.last().copied() else {
            return self.begin(1, Value::Null);
        };
        let folder = self.book.log(number);
        match Log::open(&folder, &self.name(number), &self.key) {
            Ok((log, recovered)) => self.go_on(number, log, recovered),
            Err(Damage::Io(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Err(damage) => {
                tracing::error!(log = %folder.display(), %damage, "the audit log is damaged; a new one is begun (`audit verify` tells more)");
                let mut previous = self.previous(number);
                previous["damage"] = damage.to_string().into();
                self.begin(number + 1, previous)
            }
        }
    }

    fn go_on(&self, number: u64, log: Log, recovered: Recovered) -> io::Result<Current> {
        let reader = self.book.reader(number)?;
        let event = |entry: Vec<u8>| serde_json::from_slice::<Value>(&entry).ok();
        let last = match log.size() {
            0 => None,
            size => reader.entry(size - 1)?.and_then(event),
        };
        if last.is_some_and(|e| e["kind"] == "log" && e["what"]["event"] == "closed") {
            let previous = self.previous(number);
            return self.begin(number + 1, previous);
        }
        let first = reader.entry(0)?.and_then(event);
        let begun = first.and_then(|e| e["time"].as_str()?.parse::<jiff::Timestamp>().ok());
        let mut current = Current {
            number,
            log,
            begun: begun.map_or_else(SystemTime::now, SystemTime::from),
            waiting: None,
            unflushed: 0,
            line: Vec::new(),
        };
        if recovered != Recovered::default() {
            tracing::warn!(
                entries = recovered.entries,
                torn = recovered.torn,
                "the audit log was not ended in order; what was whole is kept"
            );
            let what =
                json!({"event": "recovered", "entries": recovered.entries, "tornBytes": recovered.torn});
            self.write(&mut current, &log_event(what))?;
        }
        Ok(current)
    }

    /// Begins a log. Its first entry names the one before with size and root.
    fn begin(&self, number: u64, previous: Value) -> io::Result<Current> {
        let folder = self.book.log(number);
        let mut current = Current {
            number,
            log: Log::create(&folder, &self.name(number))?,
            begun: SystemTime::now(),
            waiting: None,
            unflushed: 0,
            line: Vec::new(),
        };
        let mut what = json!({"event": "opened", "origin": self.name(number)});
        if !previous.is_null() {
            what["previous"] = previous;
        }
        self.write(&mut current, &log_event(what))?;
        current.log.checkpoint(&self.key)?;
        current.waiting = None;
        Ok(current)
    }

    fn name(&self, number: u64) -> String {
        format!("{}/audit/{number}", self.origin)
    }

    /// What is known of a log that is over, for the first entry of the next.
    fn previous(&self, number: u64) -> Value {
        let reader = self.book.reader(number).ok();
        let checkpoint = reader.and_then(|r| Checkpoint::parse(r.note()?).ok());
        match checkpoint {
            Some(c) => json!({"origin": c.origin, "size": c.size, "root": BASE64.encode(c.root)}),
            None => json!({"origin": self.name(number)}),
        }
    }

    fn write(&self, current: &mut Current, event: &Event) -> io::Result<()> {
        current.unflushed += 1;
        self.entries.write(event, &mut current.line);
        current.log.append(&current.line)?;
        current.waiting.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Writes until nobody is left who could record anything.
    pub fn run(self, first: Current) {
        let mut current = Some(first);
        let mut retry = Instant::now();
        loop {
            let order = match self.due(current.as_ref()) {
                None => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.orders.recv_timeout(due),
            };
            if matches!(order, Err(RecvTimeoutError::Disconnected)) {
                break;
            }
            if current.is_none() && Instant::now() >= retry {
                retry = Instant::now() + RETRY;
                // That it fails was said when it failed first.
                current = self.open().ok();
            }
            let Some(open) = &mut current else {
                self.refuse(order.ok());
                continue;
            };
            match self.serve(open, order.ok()) {
                // There may be more.
                Ok(BATCH) => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the audit log cannot be written; entries are lost until it can");
                    self.lose(open.unflushed);
                    current = None;
                }
            }
            // Whoever waits for something wakes it up.
            std::thread::park_timeout(PAUSE);
        }
        if let Some(mut open) = current
            && open.log.is_unsigned()
            && let Err(error) = open.log.checkpoint(&self.key)
        {
            tracing::error!(%error, "the audit log cannot be signed");
        }
    }

    /// How long to wait for something to write, at most; `None`: until it comes.
    fn due(&self, current: Option<&Current>) -> Option<Duration> {
        match current {
            None => Some(RETRY),
            Some(open) => open
                .waiting
                .map(|since| self.interval.saturating_sub(since.elapsed())),
        }
    }

    /// What comes while no log can be written is lost, and counted.
    fn refuse(&self, order: Option<Order>) {
        match order {
            Some(Order::Write(_)) => self.lose(1),
            Some(Order::Settle(done)) => answer(&done),
            None => {}
        }
    }

    fn lose(&self, entries: u64) {
        self.dropped.fetch_add(entries, Ordering::Relaxed);
        super::dropped().add(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// Does what was ordered, one batch at most; how much that was.
    fn serve(&self, open: &mut Current, first: Option<Order>) -> io::Result<usize> {
        let mut waiting = Vec::new();
        let mut served = 0;
        let orders = first.into_iter().chain(self.orders.try_iter());
        for order in orders.take(BATCH) {
            served += 1;
            match order {
                Order::Write(event) => self.write(open, &event)?,
                Order::Settle(done) => waiting.push(done),
            }
        }
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.write(open, &log_event(json!({"event": "dropped", "entries": lost})))?;
        }
        open.log.flush()?;
        open.unflushed = 0;
        let late = open.waiting.is_some_and(|since| since.elapsed() >= self.interval);
        if late || !waiting.is_empty() && open.log.is_unsigned() {
            open.log.checkpoint(&self.key)?;
            open.waiting = None;
        }
        self.rotate(open)?;
        waiting.iter().for_each(answer);
        Ok(served)
    }

    fn rotate(&self, open: &mut Current) -> io::Result<()> {
        let age = open.begun.elapsed().unwrap_or_default();
        let old = !self.rotation.every.is_zero() && age >= self.rotation.every;
        // The first entry alone is nothing to rotate for.
        if open.log.bytes() < self.rotation.max_size && !(old && open.log.size() > 1) {
            return Ok(());
        }
        let number = open.number + 1;
        self.write(
            open,
            &log_event(json!({"event": "closed", "next": self.name(number)})),
        )?;
        open.log.close(&self.key)?;
        *open = self.begin(number, self.previous(open.number))?;
        self.prune(number)
    }

    /// Removes the oldest logs beyond those that stay.
    fn prune(&self, current: u64) -> io::Result<()> {
        if self.rotation.keep == 0 {
            return Ok(());
        }
        let mut closed = self.book.numbers()?;
        closed.retain(|n| *n < current);
        let surplus = closed.len().saturating_sub(self.rotation.keep);
        for number in &closed[..surplus] {
            std::fs::remove_dir_all(self.book.log(*number))?;
        }
        Ok(())
    }
}

fn answer(done: &SyncSender<()>) {
    // Whoever waited may have gone.
    let _ = done.try_send(());
}

fn log_event(what: Value) -> Event {
    Event::Other(Other::now("log", json!({}), what))
}
