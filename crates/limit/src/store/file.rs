//! The file: one table from the digest of a partition to its count.

use super::{Ask, Due, Reply, StoreError};
use crate::window::Count;
use crate::{Nanos, Window, clock};
use redb::{Database, ReadableTable, ReadableTableMetadata, Table, TableDefinition};
use std::path::Path;

/// What is kept of a count: its window's [fingerprint](crate::Span), begin, units, units before, and when it means nothing
/// any more.
type Row = (u64, u64, u64, u64, u64);
const COUNTS: TableDefinition<&[u8; 32], Row> = TableDefinition::new("counts");

/// Counts that are kept at most: further partitions are counted in memory. About 150 bytes each.
const MAX_ROWS: u64 = 1_000_000;
/// Memory for pages of the file.
const CACHE: usize = 16 << 20;

pub(crate) struct File(Database);

impl File {
    /// Opens or makes the file, and sweeps it.
    pub(super) fn open(path: &Path) -> Result<File, StoreError> {
        let opened = || -> Result<File, redb::Error> {
            let file = File(Database::builder().set_cache_size(CACHE).create(path)?);
            file.sweep(clock::now())?;
            Ok(file)
        };
        opened().map_err(|source| StoreError {
            path: path.to_owned(),
            source,
        })
    }

    /// One without a file.
    #[cfg(test)]
    pub(crate) fn in_memory() -> File {
        let backend = redb::backends::InMemoryBackend::new();
        File(Database::builder().create_with_backend(backend).expect("memory"))
    }

    /// Forgets the counts that are over.
    pub(super) fn sweep(&self, now: Nanos) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
        write.open_table(COUNTS)?.retain(|_, (.., until)| until > now)?;
        write.commit()?;
        Ok(())
    }

    /// Answers questions with one commit; none is answered before all are on the disk. A question that there is no room
    /// for has no answer.
    pub(crate) fn commit(&self, asks: &[Ask]) -> Result<Vec<Option<Reply>>, redb::Error> {
        let write = self.0.begin_write()?;
        let replies = {
            let mut table = write.open_table(COUNTS)?;
            asks.iter()
                .map(|ask| answer(&mut table, ask))
                .collect::<Result<_, redb::Error>>()?
        };
        write.commit()?;
        Ok(replies)
    }
}

fn answer(table: &mut Table<'_, &[u8; 32], Row>, ask: &Ask) -> Result<Option<Reply>, redb::Error> {
    let row = table.get(&ask.key)?.map(|row| row.value());
    if row.is_none() && table.len()? >= MAX_ROWS {
        return Ok(None);
    }
    let mut count = count(&ask.window, row, ask.now);
    for due in ask.carry.into_iter().chain([ask.owed]) {
        pay(&ask.window, &mut count, due);
    }
    let granted = ask.want.min(ask.window.left(&count, ask.now));
    count.units = count.units.saturating_add(granted);
    let until = count.start.saturating_add(ask.window.span().longest());
    let span = ask.window.span().fingerprint();
    table.insert(&ask.key, (span, count.start, count.units, count.before, until))?;
    Ok(Some(Reply { count, granted }))
}

/// The count of a row, turned to `now`. One of another span counts nothing here; one from the future (the clock was set
/// back between two processes) counts as if it were of now.
fn count(window: &Window, row: Option<Row>, now: Nanos) -> Count {
    let mut count = match row {
        Some((span, start, units, before, _)) if span == window.span().fingerprint() => Count {
            start: start.min(window.span().around(now).0),
            units,
            before,
        },
        _ => Count::default(),
    };
    window.turn(&mut count, now);
    count
}

/// Settles a difference between memory and store.
fn pay(window: &Window, count: &mut Count, due: Due) {
    window.refund(count, due.start, due.unspent);
    if due.start == count.start {
        count.units = count.units.saturating_add(due.owed);
    } else if window.span().around(due.start).1 == count.start {
        count.before = count.before.saturating_add(due.owed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Partition, Span};
    use std::sync::Weak;

    const SECOND: Nanos = clock::SECOND;

    fn ask(window: Window, at: u64, want: u64, owed: u64, unspent: u64) -> Ask {
        let now = clock::now() / (100 * SECOND) * 100 * SECOND + at * SECOND;
        Ask {
            key: [7; 32],
            window,
            want,
            owed: Due {
                start: window.span().around(now).0,
                owed,
                unspent,
            },
            carry: None,
            now,
            partition: Partition::of(b""),
            of: Weak::new(),
        }
    }

    fn folder() -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!(
            "trilithon-limit-{}-{}",
            std::process::id(),
            fastrand::u64(..)
        ));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn leases_are_written_before_they_are_given() {
        let folder = folder();
        let path = folder.join("limits.redb");
        let window = Window::new(10, Span::Fixed(100 * SECOND)).unwrap();
        let granted = |at, want, owed, unspent| {
            // Opened anew each time, as after the end of the process.
            let file = File::open(&path).unwrap();
            file.commit(&[ask(window, at, want, owed, unspent)]).unwrap()[0]
                .unwrap()
                .granted
        };
        assert_eq!(granted(0, 4, 0, 0), 4);
        assert_eq!(granted(1, 4, 0, 0), 4);
        assert_eq!(granted(2, 4, 0, 0), 2, "the rest");
        assert_eq!(granted(3, 4, 0, 3), 3, "what was given back");
        assert_eq!(granted(4, 4, 5, 0), 0, "owed beyond the limit");
        assert_eq!(granted(5, 4, 0, 2), 0, "and still over it");
        assert_eq!(granted(100, 4, 0, 0), 4, "a new window");
        let other = Window::new(10, Span::Day).unwrap();
        let file = File::open(&path).unwrap();
        let reply = file.commit(&[ask(other, 101, 9, 0, 0)]).unwrap()[0].unwrap();
        assert_eq!(reply.granted, 9, "another span begins anew");
        std::fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn what_is_over_is_swept() {
        let folder = folder();
        let file = File::open(&folder.join("limits.redb")).unwrap();
        let window = Window::new(10, Span::Fixed(100 * SECOND)).unwrap();
        file.commit(&[ask(window, 0, 1, 0, 0)]).unwrap();
        let rows = || {
            file.0
                .begin_write()
                .unwrap()
                .open_table(COUNTS)
                .unwrap()
                .len()
                .unwrap()
        };
        file.sweep(ask(window, 99, 0, 0, 0).now).unwrap();
        assert_eq!(rows(), 1);
        file.sweep(ask(window, 100, 0, 0, 0).now).unwrap();
        assert_eq!(rows(), 0);
        std::fs::remove_dir_all(folder).expect("ours");
    }
}
