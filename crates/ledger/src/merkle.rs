//! The Merkle tree of RFC 6962, section 2.1, over SHA-256: roots, and proofs that an entry is in a tree or that a tree is the
//! beginning of another. Knows no file.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The hash of an entry.
pub fn leaf(entry: &[u8]) -> Hash {
    prefixed(0, &[entry])
}

/// The hash of two subtrees beside each other.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    prefixed(1, &[left, right])
}

/// The hash of the tree without entries.
pub fn empty() -> Hash {
    array(digest(&SHA256, b"").as_ref())
}

fn prefixed(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[prefix]);
    parts.iter().for_each(|part| context.update(part));
    array(context.finish().as_ref())
}

fn array(bytes: &[u8]) -> Hash {
    bytes.try_into().expect("SHA-256 has 32 bytes")
}

/// The root over hashes whose number is a power of two.
pub fn perfect(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        [] => empty(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            node(&perfect(left), &perfect(right))
        }
    }
}

/// Who knows the roots of perfect subtrees: that of the 2^`height` entries from number `index` × 2^`height`.
pub trait Subtrees {
    type Error;

    /// # Errors
    /// The hash cannot be had.
    fn subtree(&self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The root of the tree of the first `size` entries.
///
/// # Errors
/// A subtree cannot be had.
pub fn root<S: Subtrees>(tree: &S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 {
        return Ok(empty());
    }
    range(tree, 0, size)
}

/// The root over entries `from..to`, where `from` is a multiple of every power of two below their number.
fn range<S: Subtrees>(tree: &S, from: u64, to: u64) -> Result<Hash, S::Error> {
    let width = to - from;
    if width.is_power_of_two() {
        return tree.subtree(width.trailing_zeros(), from / width);
    }
    let middle = from + split(width);
    Ok(node(&range(tree, from, middle)?, &range(tree, middle, to)?))
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The hashes that lead from entry `index` to the root of the tree of `size` entries (RFC 6962, section 2.1.1).
///
/// # Errors
/// A subtree cannot be had.
pub fn inclusion<S: Subtrees>(tree: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range(tree, middle, to)?);
            to = middle;
        } else {
            path.push(range(tree, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show that the tree of `old` entries is the beginning of that of `new` (RFC 6962, section 2.1.2).
///
/// # Errors
/// A subtree cannot be had.
pub fn consistency<S: Subtrees>(tree: &S, old: u64, new: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut from, mut to) = (0, new);
    let mut path = Vec::new();
    let mut whole = true;
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(range(tree, middle, to)?);
            to = middle;
        } else {
            path.push(range(tree, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range(tree, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` leads from the entry with hash `leaf` at `index` to `root` (RFC 9162, section 2.1.3.2).
pub fn includes(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `path` shows that the tree of `old` entries begins the tree of `new` (RFC 9162, section 2.1.4.2). Each tree is
/// its size and root.
pub fn extends(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    if old.0 == new.0 {
        return path.is_empty() && old.1 == new.1;
    }
    if old.0 == 0 || old.0 > new.0 {
        return old.0 == 0 && path.is_empty();
    }
    let mut path = path.iter();
    let first = if old.0.is_power_of_two() {
        Some(old.1)
    } else {
        path.next()
    };
    let Some(first) = first else { return false };
    let zeros = (old.0 - 1).trailing_ones();
    let (mut at, mut last) = ((old.0 - 1) >> zeros, (new.0 - 1) >> zeros);
    let (mut before, mut after) = (*first, *first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = node(beside, &before);
            after = node(beside, &after);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            after = node(&after, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && before == *old.1 && after == *new.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A tree that has its leaves at hand, and works by the definition.
    struct Plain(Vec<Hash>);

    impl Subtrees for Plain {
        type Error = Infallible;
        fn subtree(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
            let width = 1usize << height;
            let from = index as usize * width;
            Ok(perfect(&self.0[from..from + width]))
        }
    }

    fn plain(size: u64) -> Plain {
        Plain((0..size).map(|i| leaf(&i.to_be_bytes())).collect())
    }

    fn ok<T>(result: Result<T, Infallible>) -> T {
        match result {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// By RFC 6962's recursive definition.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => empty(),
            1 => leaves[0],
            n => {
                let (left, right) = leaves.split_at(split(n as u64) as usize);
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn known_hashes() {
        let hex = |hash: Hash| hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(empty()), nothing);
        let leaf_of_nothing = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(hex(leaf(b"")), leaf_of_nothing);
    }

    #[test]
    fn every_entry_of_every_tree_proves() {
        for size in 0..70 {
            let tree = plain(size);
            let root = ok(root(&tree, size));
            assert_eq!(root, defined(&tree.0), "size {size}");
            for index in 0..size {
                let path = ok(inclusion(&tree, index, size));
                let leaf = &tree.0[index as usize];
                assert!(includes(leaf, index, size, &path, &root), "{index} of {size}");
                assert!(!includes(&empty(), index, size, &path, &root));
                assert!(!includes(leaf, index + 1, size, &path, &root));
            }
        }
    }

    #[test]
    fn every_tree_extends_every_smaller_one() {
        let tree = plain(70);
        let root = |size| ok(super::root(&tree, size));
        for new in 1..=70 {
            for old in 1..=new {
                let path = ok(consistency(&tree, old, new));
                let (before, after) = (root(old), root(new));
                assert!(extends((old, &before), (new, &after), &path), "{old} of {new}");
                assert!(!extends((old, &empty()), (new, &after), &path));
                assert!(!extends((old, &before), (new, &empty()), &path));
            }
        }
    }
}
