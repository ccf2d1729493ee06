//! One log on the disk, as its writer sees it.
//!
//! The folder is always a whole log of the form of C2SP tlog-tiles up to its signed checkpoint. Entries after it are in the
//! file `tail.<size of the checkpoint>`, written before anything else and put into tiles with the next checkpoint: what is
//! whole there is taken up again after a crash.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::file;
use crate::folder::private;
use crate::merkle::{self, Hash};
use crate::note::{Checkpoint, Key, NoteError};
use crate::tile::{self, Edge, Kind, WIDTH};

/// Bytes of an entry (tlog-tiles: a 16-bit length).
pub const MAX_ENTRY: usize = 65_535;
/// The latest signed checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// One signed checkpoint for every full bundle, and the closing one: what the log was before.
pub const CHECKPOINTS: &str = "checkpoints";
/// Bytes of a checkpoint that is read.
const MAX_NOTE: u64 = 64 << 10;
/// Bytes of a tail that is read.
const MAX_TAIL: u64 = 4 << 30;

/// A log that is written.
pub struct Log {
    folder: PathBuf,
    origin: String,
    edge: Edge,
    /// The entries of the last, partial bundle.
    bundle: Vec<u8>,
    /// Entries covered by the signed checkpoint.
    signed: u64,
    /// The size of the last checkpoint in `checkpoints`.
    noted: u64,
    tail: Option<File>,
    /// Entries that are not in the tail yet.
    pending: Vec<u8>,
    /// Bytes of all entries.
    bytes: u64,
}

/// What was found beyond the signed checkpoint when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whole entries, taken up again.
    pub entries: u64,
    /// Bytes of a torn entry, cut off.
    pub torn: u64,
}

/// Why a log cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("its checkpoint is not to be believed: {0}")]
    Note(#[from] NoteError),
    #[error("its hashes do not lead to the root that was signed")]
    Root,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Log {
    /// Begins a log in a new folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(folder: &Path, origin: &str) -> io::Result<Log> {
        private(folder)?;
        Ok(Log {
            folder: folder.to_owned(),
            origin: origin.to_owned(),
            edge: Edge::default(),
            bundle: Vec::new(),
            signed: 0,
            noted: 0,
            tail: None,
            pending: Vec::new(),
            bytes: 0,
        })
    }

    /// Opens a log that was begun before, and takes up what follows its checkpoint. A torn entry at the end is cut off.
    ///
    /// # Errors
    /// Its checkpoint, tiles and key do not belong together, or files cannot be read.
    pub fn open(folder: &Path, origin: &str, key: &Key) -> Result<(Log, Recovered), Damage> {
        let mut log = Log::create(folder, origin)?;
        if let Some(note) = file::read(&folder.join(CHECKPOINT), MAX_NOTE)? {
            let note = String::from_utf8(note).map_err(|_| NoteError::Malformed)?;
            let checkpoint = Checkpoint::verify(&note, &key.public())?;
            log.origin.clone_from(&checkpoint.origin);
            log.take_up(&checkpoint)?;
        }
        let recovered = log.read_tail()?;
        Ok((log, recovered))
    }

    fn take_up(&mut self, checkpoint: &Checkpoint) -> Result<(), Damage> {
        let size = checkpoint.size;
        self.edge = Edge::read(&self.folder, size)?;
        if self.edge.root() != checkpoint.root {
            return Err(Damage::Root);
        }
        (self.signed, self.noted) = (size, size - size % WIDTH as u64);
        for index in 0..size / WIDTH as u64 {
            let bundle = self.folder.join(tile::full(Kind::Entries, index));
            self.bytes += std::fs::metadata(bundle)?.len();
        }
        let index = size / WIDTH as u64;
        if !size.is_multiple_of(WIDTH as u64) {
            let bytes = tile::read(&self.folder, Kind::Entries, index, size)?;
            let mut rest = bytes.as_slice();
            for _ in 0..size % WIDTH as u64 {
                rest = tile::first_entry(rest).ok_or(Damage::Root)?.1;
            }
            self.bundle = bytes[..bytes.len() - rest.len()].to_vec();
        }
        Ok(())
    }

    fn read_tail(&mut self) -> io::Result<Recovered> {
        let path = self.tail_path();
        let mut recovered = Recovered::default();
        let Some(bytes) = file::read(&path, MAX_TAIL)? else {
            return Ok(recovered);
        };
        let mut rest = bytes.as_slice();
        while let Some((entry, after)) = tile::first_entry(rest)
            && serde_json::from_slice::<serde::de::IgnoredAny>(entry).is_ok()
        {
            self.add(entry)?;
            recovered.entries += 1;
            rest = after;
        }
        recovered.torn = rest.len() as u64;
        let tail = file::append(&path)?;
        if recovered.torn > 0 {
            tail.set_len((bytes.len() - rest.len()) as u64)?;
        }
        self.tail = Some(tail);
        Ok(recovered)
    }

    fn tail_path(&self) -> PathBuf {
        self.folder.join(format!("tail.{}", self.signed))
    }

    /// The name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Whether some entries are not covered by a signed checkpoint.
    pub fn is_unsigned(&self) -> bool {
        self.edge.size() > self.signed
    }

    /// Bytes of its entries.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds an entry of at most [`MAX_ENTRY`] bytes. It reaches the file with [`Log::flush`].
    ///
    /// # Errors
    /// A tile that it fills cannot be written.
    pub fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        tile::push_entry(&mut self.pending, entry);
        self.add(entry)
    }

    fn add(&mut self, entry: &[u8]) -> io::Result<()> {
        let Log {
            folder,
            edge,
            bundle,
            bytes,
            ..
        } = self;
        tile::push_entry(bundle, entry);
        *bytes += entry.len() as u64 + 2;
        edge.push(merkle::leaf(entry), |level, index, hashes| {
            if level == 0 {
                finish(folder, Kind::Entries, index, bundle)?;
                bundle.clear();
            }
            finish(folder, Kind::Hashes(level), index, hashes.as_flattened())
        })
    }

    /// Writes what was added to the tail: the end of the process no longer takes it away.
    ///
    /// # Errors
    /// The tail cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.tail.is_none() {
            self.tail = Some(file::append(&self.tail_path())?);
        }
        if let Some(tail) = &mut self.tail {
            tail.write_all(&self.pending)?;
        }
        self.pending.clear();
        Ok(())
    }

    /// Puts all entries into tiles, onto the disk, and signs the tree. Gives the checkpoint.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn checkpoint(&mut self, key: &Key) -> io::Result<Checkpoint> {
        self.flush()?;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: self.edge.size(),
            root: self.edge.root(),
        };
        let bundle = (checkpoint.size / WIDTH as u64, checkpoint.size % WIDTH as u64);
        if bundle.1 > 0 {
            let path = tile::path(Kind::Entries, bundle.0, bundle.1 as usize);
            file::replace(&self.folder.join(path), &self.bundle)?;
        }
        for (level, index, hashes) in self.edge.partial() {
            let path = tile::path(Kind::Hashes(level), index, hashes.len());
            file::replace(&self.folder.join(path), hashes.as_flattened())?;
        }
        let note = checkpoint.sign(key);
        file::replace(&self.folder.join(CHECKPOINT), note.as_bytes())?;
        if checkpoint.size - self.noted >= WIDTH as u64 {
            self.note(&note)?;
        }
        self.tail = None;
        file::remove(&self.tail_path())?;
        self.signed = checkpoint.size;
        Ok(checkpoint)
    }

    /// Keeps a checkpoint among those of before.
    fn note(&mut self, note: &str) -> io::Result<()> {
        let mut file = file::append(&self.folder.join(CHECKPOINTS))?;
        // A form feed cannot be in a note.
        write!(file, "{note}\x0c")?;
        self.noted = self.edge.size();
        Ok(())
    }

    /// Signs the log for the last time.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn close(&mut self, key: &Key) -> io::Result<Checkpoint> {
        let checkpoint = self.checkpoint(key)?;
        let note = checkpoint.sign(key);
        self.note(&note)?;
        Ok(checkpoint)
    }
}

/// Writes a tile that will not grow any more, and removes its partial forms.
fn finish(folder: &Path, kind: Kind, index: u64, bytes: &[u8]) -> io::Result<()> {
    file::replace(&folder.join(tile::full(kind, index)), bytes)?;
    match std::fs::remove_dir_all(folder.join(tile::partials(kind, index))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The root of the first `size` entries, from the tiles on the disk.
///
/// # Errors
/// A tile is missing or cannot be read.
pub fn root(folder: &Path, size: u64) -> io::Result<Hash> {
    merkle::root(&tile::Tiles::new(folder, size), size)
}
