//! A Merkle tree as files (C2SP tlog-tiles): hashes of level `L` in `tile/<L>/<N>`, entries in `tile/entries/<N>`, 256 in each;
//! the last of a level is partial, `<N>.p/<W>`.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use crate::file;
use crate::merkle::{self, Hash, Subtrees};

/// Hashes or entries in a full tile or bundle.
pub const WIDTH: usize = 256;
/// Bytes of a bundle: 256 entries with their lengths.
const MAX_BUNDLE: u64 = 256 * (2 + 65_535);
const HASH: usize = size_of::<Hash>();

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Entries,
    Hashes(u8),
}

/// Where the full tile `index` is below the log's folder.
pub fn full(kind: Kind, index: u64) -> PathBuf {
    let level = match kind {
        Kind::Entries => "entries".to_owned(),
        Kind::Hashes(level) => level.to_string(),
    };
    let mut parts = vec![format!("{:03}", index % 1000)];
    let mut rest = index / 1000;
    while rest > 0 {
        parts.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    let mut path = Path::new("tile").join(level);
    path.extend(parts.iter().rev());
    path
}

/// The folder of the partial forms of a tile.
pub fn partials(kind: Kind, index: u64) -> PathBuf {
    let mut path = full(kind, index).into_os_string();
    path.push(".p");
    path.into()
}

/// Where the tile with its first `width` members is.
pub fn path(kind: Kind, index: u64, width: usize) -> PathBuf {
    if width == WIDTH {
        full(kind, index)
    } else {
        partials(kind, index).join(width.to_string())
    }
}

/// How many members tile `index` of a level has in a tree of `size` entries.
pub fn width(kind: Kind, index: u64, size: u64) -> usize {
    let level = match kind {
        Kind::Entries => 0,
        Kind::Hashes(level) => level,
    };
    let members = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    let left = members.saturating_sub(index.saturating_mul(WIDTH as u64));
    left.min(WIDTH as u64) as usize
}

/// The bytes of a tile as it was when the tree had `size` entries: its partial form, or the full one that came later.
///
/// # Errors
/// Neither is there, or it cannot be read.
pub fn read(folder: &Path, kind: Kind, index: u64, size: u64) -> io::Result<Vec<u8>> {
    let path = path(kind, index, width(kind, index, size));
    if let Some(bytes) = file::read(&folder.join(&path), MAX_BUNDLE)? {
        return Ok(bytes);
    }
    let whole = folder.join(full(kind, index));
    file::read(&whole, MAX_BUNDLE)?.ok_or_else(|| {
        let message = format!("`{}` is missing", path.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// The hashes in a tile's bytes; those that are whole.
pub fn hashes(bytes: &[u8]) -> Vec<Hash> {
    let (whole, _) = bytes.as_chunks::<HASH>();
    whole.to_vec()
}

/// The entry at the head of some bytes and what follows; `None` when it is not whole.
pub fn first_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Appends an entry of at most 65,535 bytes.
pub fn push_entry(bytes: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).expect("an entry is cut before");
    bytes.extend(length.to_be_bytes());
    bytes.extend(entry);
}

/// The tree of a log's folder when it had `size` entries.
pub struct Tiles<'a> {
    folder: &'a Path,
    size: u64,
    /// The tile read last.
    last: RefCell<Option<(u8, u64, Vec<Hash>)>>,
}

impl<'a> Tiles<'a> {
    pub fn new(folder: &'a Path, size: u64) -> Tiles<'a> {
        Tiles {
            folder,
            size,
            last: RefCell::new(None),
        }
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// It is missing, too short, or cannot be read.
    pub fn tile(&self, level: u8, index: u64) -> io::Result<Vec<Hash>> {
        if let Some((l, i, hashes)) = &*self.last.borrow()
            && (*l, *i) == (level, index)
        {
            return Ok(hashes.clone());
        }
        let kind = Kind::Hashes(level);
        let mut found = hashes(&read(self.folder, kind, index, self.size)?);
        let width = width(kind, index, self.size);
        if found.len() < width {
            let message = format!("`{}` is too short", path(kind, index, width).display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        found.truncate(width);
        *self.last.borrow_mut() = Some((level, index, found.clone()));
        Ok(found)
    }
}

impl Subtrees for Tiles<'_> {
    type Error = io::Error;

    fn subtree(&self, height: u32, index: u64) -> io::Result<Hash> {
        let (level, above) = ((height / 8) as u8, height % 8);
        let first = index << above;
        let tile = self.tile(level, first / WIDTH as u64)?;
        let from = (first % WIDTH as u64) as usize;
        let hashes = tile.get(from..from + (1 << above));
        let hashes = hashes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        Ok(merkle::perfect(hashes))
    }
}

/// The right edge of a growing tree: the hashes of the last tile of each level, which is never full.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the tree of `size` entries in a folder.
    ///
    /// # Errors
    /// A tile is missing or cannot be read.
    pub fn read(folder: &Path, size: u64) -> io::Result<Edge> {
        let tiles = Tiles::new(folder, size);
        let mut levels = Vec::new();
        for level in 0..8u8 {
            let members = size >> (8 * u32::from(level));
            if members == 0 {
                break;
            }
            levels.push(if members.is_multiple_of(WIDTH as u64) {
                Vec::new()
            } else {
                tiles.tile(level, members / WIDTH as u64)?
            });
        }
        Ok(Edge { size, levels })
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry's hash. Each tile that it fills is handed to `filled` with its level and index.
    ///
    /// # Errors
    /// What `filled` fails with.
    pub fn push<E>(
        &mut self,
        leaf: Hash,
        mut filled: impl FnMut(u8, u64, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut hash = leaf;
        let mut members = self.size;
        self.size += 1;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let tile = &mut self.levels[level];
            tile.push(hash);
            if tile.len() < WIDTH {
                return Ok(());
            }
            members /= WIDTH as u64;
            filled(level as u8, members, tile)?;
            hash = merkle::perfect(tile);
            tile.clear();
        }
        Ok(())
    }

    /// The partial tiles: level, index, hashes.
    pub fn partial(&self) -> impl Iterator<Item = (u8, u64, &[Hash])> {
        let levels = self.levels.iter().enumerate().filter(|(_, t)| !t.is_empty());
        levels.map(|(level, tile)| {
            let index = self.size.checked_shr(8 * (level as u32 + 1)).unwrap_or(0);
            (level as u8, index, tile.as_slice())
        })
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut root = None;
        for tile in &self.levels {
            let mut left = tile.as_slice();
            while !left.is_empty() {
                let width = 1 << left.len().trailing_zeros();
                let (before, last) = left.split_at(left.len() - width);
                let hash = merkle::perfect(last);
                root = Some(root.map_or(hash, |right| merkle::node(&hash, &right)));
                left = before;
            }
        }
        root.unwrap_or_else(merkle::empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    #[test]
    fn paths() {
        let check = |kind, index, width, want: &str| {
            assert_eq!(path(kind, index, width), Path::new(want));
        };
        check(Kind::Hashes(0), 1_234_067, WIDTH, "tile/0/x001/x234/067");
        check(Kind::Entries, 0, 112, "tile/entries/000.p/112");
        check(Kind::Hashes(2), 1000, 1, "tile/2/x001/000.p/1");
    }

    #[test]
    fn widths() {
        let check = |level, index, want| {
            assert_eq!(width(Kind::Hashes(level), index, 70_000), want, "{level} {index}");
        };
        check(0, 272, 256);
        check(0, 273, 112);
        check(0, 274, 0);
        check(1, 1, 17);
        check(2, 0, 1);
        check(9, 0, 0);
    }

    #[test]
    fn entries_are_whole_or_not_there() {
        let mut bytes = Vec::new();
        push_entry(&mut bytes, b"one");
        push_entry(&mut bytes, b"");
        let (one, rest) = first_entry(&bytes).expect("whole");
        assert_eq!(one, b"one");
        assert_eq!(first_entry(rest), Some((&b""[..], &b""[..])));
        for cut in 0..5 {
            assert_eq!(first_entry(&bytes[..cut]), None, "{cut}");
        }
    }

    /// Tiles that were filled, and the partial ones of the edge.
    struct Kept(BTreeMap<(u8, u64), Vec<Hash>>);

    impl Subtrees for Kept {
        type Error = Infallible;
        fn subtree(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
            let (level, above) = ((height / 8) as u8, height % 8);
            let first = index << above;
            let tile = &self.0[&(level, first / 256)];
            let from = (first % 256) as usize;
            Ok(merkle::perfect(&tile[from..from + (1 << above)]))
        }
    }

    #[test]
    fn the_edge_knows_the_root_of_every_size() {
        let mut edge = Edge::default();
        let mut kept = Kept(BTreeMap::new());
        assert_eq!(edge.root(), merkle::empty());
        for i in 0..66_000u64 {
            let leaf = merkle::leaf(&i.to_be_bytes());
            let Ok(()) = edge.push(leaf, |level, index, tile| {
                kept.0.insert((level, index), tile.to_vec());
                Ok::<(), Infallible>(())
            });
            let size = i + 1;
            if size < 600 || size % 997 == 0 || size > 65_530 && size < 65_540 {
                for (level, index, tile) in edge.partial() {
                    kept.0.insert((level, index), tile.to_vec());
                }
                let Ok(want) = merkle::root(&kept, size);
                assert_eq!(edge.root(), want, "size {size}");
            }
        }
        assert_eq!(edge.size(), 66_000);
    }
}
