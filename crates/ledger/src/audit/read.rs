//! Logs as readers see them, while they are written or after: nothing is locked, nothing is changed.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::log::CHECKPOINT;
use crate::file;
use crate::note::Checkpoint;
use crate::tile::{self, Kind, WIDTH};

/// Bytes of a checkpoint, and of entries without one, that are read.
const MAX_NOTE: u64 = 64 << 10;
const MAX_TAIL: u64 = 4 << 30;

/// The folder with all logs, one below it for each: `000001`, `000002` …
#[derive(Clone, Debug)]
pub struct Book(PathBuf);

impl Book {
    /// The logs in the store folder `store`.
    pub fn in_store(store: &Path) -> Book {
        Book(store.join("audit"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The numbers of the logs that are there, ascending.
    ///
    /// # Errors
    /// The folder cannot be read; that there is none means no log.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let folder = match std::fs::read_dir(&self.0) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in folder {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|n| n.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The folder of a log.
    pub fn log(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:06}"))
    }

    /// The file with the key that checkpoints are signed with.
    pub fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    /// The file with its public half in base64.
    pub fn public_key(&self) -> PathBuf {
        self.0.join("key.pub")
    }

    /// The log and the index that `LOG/INDEX` names, or `INDEX` in the last log; `None` when it is no such text, or there is no log.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn entry_id(&self, id: &str) -> io::Result<Option<(u64, u64)>> {
        let (log, index) = match id.split_once('/') {
            Some((log, index)) => (log.parse().ok(), index),
            None => (self.numbers()?.last().copied(), id),
        };
        Ok(log.zip(index.parse().ok()))
    }

    /// A log to read.
    ///
    /// # Errors
    /// Its checkpoint cannot be read.
    pub fn reader(&self, number: u64) -> io::Result<Reader> {
        Reader::open(&self.log(number))
    }
}

/// One log, as it is at this moment.
#[derive(Clone, Debug)]
pub struct Reader {
    folder: PathBuf,
    note: Option<String>,
    signed: u64,
}

impl Reader {
    /// # Errors
    /// The checkpoint cannot be read.
    pub fn open(folder: &Path) -> io::Result<Reader> {
        let note = file::read(&folder.join(CHECKPOINT), MAX_NOTE)?;
        let note = note.map(|n| String::from_utf8_lossy(&n).into_owned());
        let checkpoint = note.as_deref().and_then(|n| Checkpoint::parse(n).ok());
        Ok(Reader {
            folder: folder.to_owned(),
            note,
            signed: checkpoint.map_or(0, |c| c.size),
        })
    }

    /// The signed note, whether it is to be believed or not; `None` before the first.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The number of entries that the checkpoint covers, as it says.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// The folder of the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Hands over entries from number `from`, first the signed ones, then the others, until `each` breaks. Gives the number
    /// after the last.
    ///
    /// # Errors
    /// Entries are missing or cannot be read.
    pub fn each(&self, from: u64, mut each: impl FnMut(u64, &[u8]) -> ControlFlow<()>) -> io::Result<u64> {
        self.hand_over(from, &mut each)
    }

    fn hand_over(&self, from: u64, each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> io::Result<u64> {
        let mut next = from;
        while next < self.signed {
            let bytes = tile::read(&self.folder, Kind::Entries, next / WIDTH as u64, self.signed)?;
            let first = next - next % WIDTH as u64;
            let until = (first + WIDTH as u64).min(self.signed);
            let mut rest = bytes.as_slice();
            for index in first..until {
                let (entry, after) = tile::first_entry(rest).ok_or_else(|| broken(index))?;
                rest = after;
                if index >= next && each(index, entry).is_break() {
                    return Ok(index + 1);
                }
            }
            next = until;
        }
        let tail = self.folder.join(format!("tail.{}", self.signed));
        let Some(bytes) = file::read(&tail, MAX_TAIL)? else {
            // There is none, or a checkpoint that was made meanwhile has put it into tiles.
            let now = Reader::open(&self.folder)?;
            return if now.signed > self.signed {
                now.hand_over(next, each)
            } else {
                Ok(next)
            };
        };
        let mut rest = bytes.as_slice();
        let mut index = self.signed;
        while let Some((entry, after)) = tile::first_entry(rest) {
            rest = after;
            index += 1;
            if index > next && each(index - 1, entry).is_break() {
                return Ok(index);
            }
        }
        Ok(next.max(index))
    }

    /// One entry; `None` when the log is shorter.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub fn entry(&self, index: u64) -> io::Result<Option<Vec<u8>>> {
        let mut found = None;
        self.each(index, |_, entry| {
            found = Some(entry.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}

fn broken(index: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("entry {index} is not whole; `audit verify` tells more"),
    )
}
