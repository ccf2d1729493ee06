//! Whether a log is what was signed; and if not, which entry is the first that is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::Path;

use super::log::{CHECKPOINTS, root};
use super::read::{Book, Reader};
use crate::file;
use crate::merkle::{self, Hash};
use crate::note::{Checkpoint, PublicKey};
use crate::tile::{self, Edge, Kind, Tiles, WIDTH};

/// Bytes of earlier checkpoints that are read.
const MAX_NOTES: u64 = 1 << 30;

/// Something that is not as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This entry is the first that is missing, or is another than was signed.
    Entry { index: u64, why: &'static str },
    /// One of these entries is another than was signed, and the tree was made to fit.
    Rewritten { from: u64, to: u64 },
    /// All entries are what was signed; this tile of hashes is not.
    Tile { level: u8, index: u64 },
    /// There is no checkpoint, or it is not signed by the key.
    Checkpoint(String),
    /// An older checkpoint was put in the place of the latest.
    Shortened { to: u64, from: u64 },
    /// The first entry does not name the log before as that log ended.
    Chain { previous: u64 },
    /// A log between others is missing.
    Missing,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Entry { index, why } => write!(f, "entry {index} {why}"),
            Fault::Rewritten { from, to } => write!(
                f,
                "one of the entries {from} to {} is not what was signed, and the hashes were made to fit",
                to.saturating_sub(1)
            ),
            Fault::Tile { level, index } => write!(
                f,
                "tile {index} of level {level} is not what was signed; the entries are"
            ),
            Fault::Checkpoint(why) => write!(f, "the checkpoint is not to be believed: {why}"),
            Fault::Shortened { to, from } => write!(
                f,
                "entry {to} is missing: {from} entries were signed, and an older checkpoint was put back"
            ),
            Fault::Chain { previous } => {
                write!(
                    f,
                    "its first entry does not name log {previous} as that one ended"
                )
            }
            Fault::Missing => f.write_str("the log is missing"),
        }
    }
}

/// What became of one log.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub number: u64,
    /// As the checkpoint says, when it is to be believed.
    pub checkpoint: Option<Checkpoint>,
    /// Entries after the checkpoint, which nothing vouches for yet.
    pub unsigned: u64,
    pub faults: Vec<Fault>,
}

/// Verifies every log with the key that is believed.
///
/// # Errors
/// The folder cannot be read.
pub fn verify(book: &Book, public: &PublicKey) -> io::Result<Vec<Verdict>> {
    let numbers = book.numbers()?;
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return Ok(Vec::new());
    };
    let mut verdicts: Vec<Verdict> = Vec::new();
    for number in *first..=*last {
        let mut verdict = if numbers.contains(&number) {
            one(&book.log(number), number, public)?
        } else {
            Verdict {
                number,
                checkpoint: None,
                unsigned: 0,
                faults: vec![Fault::Missing],
            }
        };
        if let Some(before) = verdicts.last()
            && verdict.faults.is_empty()
            && !follows(&book.reader(number)?, before)?
        {
            verdict.faults.push(Fault::Chain { previous: number - 1 });
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Whether the first entry of a log names the one before as it ended.
fn follows(reader: &Reader, before: &Verdict) -> io::Result<bool> {
    let first = reader.entry(0)?.unwrap_or_default();
    let first: Value = serde_json::from_slice(&first).unwrap_or_default();
    let previous = &first["what"]["previous"];
    let Some(ended) = &before.checkpoint else {
        // A log that cannot be believed is named in its own verdict.
        return Ok(true);
    };
    Ok(previous["origin"] == *ended.origin
        && previous["size"] == ended.size
        && previous["root"] == *BASE64.encode(ended.root))
}

fn one(folder: &Path, number: u64, public: &PublicKey) -> io::Result<Verdict> {
    let reader = Reader::open(folder)?;
    let mut verdict = Verdict {
        number,
        checkpoint: None,
        unsigned: 0,
        faults: Vec::new(),
    };
    let believed = match reader.note() {
        None => Err("there is none".to_owned()),
        Some(note) => Checkpoint::verify(note, public).map_err(|e| e.to_string()),
    };
    let checkpoint = match believed {
        Ok(checkpoint) => checkpoint,
        Err(why) => {
            verdict.faults.push(Fault::Checkpoint(why));
            return Ok(verdict);
        }
    };
    let older = older(folder, public)?;
    if let Some(longest) = older
        .iter()
        .map(|c| c.size)
        .max()
        .filter(|n| *n > checkpoint.size)
    {
        verdict.faults.push(Fault::Shortened {
            to: checkpoint.size,
            from: longest,
        });
    }
    verdict.faults.extend(entries(folder, &checkpoint, &older));
    if verdict.faults.is_empty() {
        verdict.faults.extend(tiles(folder, &checkpoint)?);
        let next = reader.each(checkpoint.size, |_, _| std::ops::ControlFlow::Continue(()))?;
        verdict.unsigned = next - checkpoint.size;
    }
    verdict.checkpoint = Some(checkpoint);
    Ok(verdict)
}

/// The checkpoints that were kept, as far as they are to be believed, ascending.
fn older(folder: &Path, public: &PublicKey) -> io::Result<Vec<Checkpoint>> {
    let notes = file::read(&folder.join(CHECKPOINTS), MAX_NOTES)?.unwrap_or_default();
    let notes = String::from_utf8_lossy(&notes).into_owned();
    let believed = notes
        .split('\x0c')
        .filter_map(|n| Checkpoint::verify(n, public).ok());
    let mut all: Vec<Checkpoint> = believed.collect();
    all.sort_by_key(|c| c.size);
    Ok(all)
}

/// Walks all entries. The first whose hash is not the one in the tree is named; where the tree was changed with it, those between
/// two signed checkpoints are.
fn entries(folder: &Path, checkpoint: &Checkpoint, older: &[Checkpoint]) -> Option<Fault> {
    let mut edge = Edge::default();
    let mut suspect = None;
    let mut good = 0;
    let mut older = older.iter().filter(|c| c.size <= checkpoint.size).peekable();
    for number in 0..checkpoint.size.div_ceil(WIDTH as u64) {
        let bytes = tile::read(folder, Kind::Entries, number, checkpoint.size).unwrap_or_default();
        let hashes = Tiles::new(folder, checkpoint.size)
            .tile(0, number)
            .unwrap_or_default();
        let mut rest = bytes.as_slice();
        for at in 0..tile::width(Kind::Entries, number, checkpoint.size) {
            let index = number * WIDTH as u64 + at as u64;
            let Some((entry, after)) = tile::first_entry(rest) else {
                return Some(Fault::Entry {
                    index: suspect.unwrap_or(index),
                    why: if suspect.is_some() { CHANGED } else { "is missing" },
                });
            };
            rest = after;
            let leaf = merkle::leaf(entry);
            if hashes.get(at) != Some(&leaf) {
                suspect.get_or_insert(index);
            }
            push(&mut edge, leaf);
            while let Some(was) = older.next_if(|c| c.size == index + 1) {
                if was.root != edge.root() {
                    return Some(named(suspect, good, was.size));
                }
                good = was.size;
            }
        }
    }
    (edge.root() != checkpoint.root).then(|| named(suspect, good, checkpoint.size))
}

const CHANGED: &str = "is not what was signed";

fn named(suspect: Option<u64>, from: u64, to: u64) -> Fault {
    match suspect.filter(|index| *index >= from) {
        Some(index) => Fault::Entry { index, why: CHANGED },
        None => Fault::Rewritten { from, to },
    }
}

fn push(edge: &mut Edge, leaf: Hash) {
    let Ok(()) = edge.push(leaf, |_, _, _| Ok::<(), Infallible>(()));
}

/// With all entries good: the first tile that is not made of them.
fn tiles(folder: &Path, checkpoint: &Checkpoint) -> io::Result<Option<Fault>> {
    let tiles = Tiles::new(folder, checkpoint.size);
    let mut edge = Edge::default();
    let mut bad = None;
    let mut compare = |level, index, hashes: &[Hash]| {
        let same = tiles.tile(level, index).is_ok_and(|found| found == hashes);
        if !same {
            bad.get_or_insert(Fault::Tile { level, index });
        }
        Ok::<(), Infallible>(())
    };
    Reader::open(folder)?.each(0, |index, entry| {
        if index >= checkpoint.size {
            return std::ops::ControlFlow::Break(());
        }
        let Ok(()) = edge.push(merkle::leaf(entry), &mut compare);
        std::ops::ControlFlow::Continue(())
    })?;
    for (level, index, hashes) in edge.partial() {
        let Ok(()) = compare(level, index, hashes);
    }
    Ok(bad)
}

/// Whether a log still begins with what `old`, kept elsewhere, says of it.
///
/// # Errors
/// Tiles are missing or cannot be read.
pub fn begins_with(folder: &Path, old: &Checkpoint) -> io::Result<bool> {
    let signed = Reader::open(folder)?.signed();
    Ok(old.size <= signed && root(folder, old.size)? == old.root)
}
