//! Radix trees over path bytes, all in one arena: small nodes, children side by side, no pointers.

use std::collections::hash_map::Entry;
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::cover::PathKey;
use crate::tree::Tree as Rest;

/// Nodes with candidates remembered on the way down; deeper chains are asked on the way instead.
const REMEMBERED: usize = 8;

/// One entry of a host.
#[derive(Debug)]
pub(crate) struct Item {
    pub path: PathKey,
    pub rank: u32,
    pub rest: Rest,
}

impl Item {
    fn path(&self) -> &[u8] {
        match &self.path {
            PathKey::Prefix(path) | PathKey::Exact(path) => path,
        }
    }
}

/// A router that may match here: its place in the order, and what is left to ask.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    rank: u32,
    /// Into `rests`, or [`NOTHING`].
    rest: u32,
}

/// No question is left: the candidate matches.
const NOTHING: u32 = u32::MAX;

/// A range of an arena.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// The bytes between the first one, which the parent compared, and this node.
    label: Span,
    /// First bytes of the children, in `firsts`.
    firsts: Span,
    /// The first child; the others follow it.
    kids: u32,
    /// Candidates for every path through here.
    prefix: Span,
    /// Candidates for the path that ends here.
    exact: Span,
}

/// All trees.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    labels: Vec<u8>,
    firsts: Vec<u8>,
    candidates: Vec<Candidate>,
    rests: Vec<Rest>,
    /// Where small rests are in `rests`, while building: equal ones are kept once, so that they stay in the caches.
    known: FxHashMap<Rest, u32>,
}

/// A node still to be built: which items, how many bytes are behind it, where it goes.
struct Work {
    items: Range<usize>,
    depth: usize,
    node: usize,
}

impl Tree {
    /// Adds a tree, gives its root.
    pub(crate) fn insert(&mut self, mut items: Vec<Item>) -> u32 {
        items.sort_by(|a, b| (a.path(), a.rank).cmp(&(b.path(), b.rank)));
        let root = self.nodes.len();
        self.nodes.push(Node::default());
        let mut queue = vec![Work {
            items: 0..items.len(),
            depth: 0,
            node: root,
        }];
        while let Some(work) = queue.pop() {
            self.build(&items, work, &mut queue);
        }
        offset(root)
    }

    pub(crate) fn finish(&mut self) {
        self.nodes.shrink_to_fit();
        self.labels.shrink_to_fit();
        self.firsts.shrink_to_fit();
        self.candidates.shrink_to_fit();
        self.rests.shrink_to_fit();
        self.known = FxHashMap::default();
    }

    fn build(&mut self, all: &[Item], work: Work, queue: &mut Vec<Work>) {
        let items = &all[work.items.clone()];
        let is_root = work.depth == 0;
        let common = if is_root { 0 } else { common_prefix(items) };
        let label = self.label(items, work.depth, common);
        // Sorted by path, so those that end here come first.
        let here = items.iter().take_while(|i| i.path().len() == common).count();
        let prefix = self.list(
            items[..here]
                .iter()
                .filter(|i| matches!(i.path, PathKey::Prefix(_))),
        );
        let exact = self.list(
            items[..here]
                .iter()
                .filter(|i| matches!(i.path, PathKey::Exact(_))),
        );
        let kids = offset(self.nodes.len());
        let first = self.firsts.len();
        let mut start = here;
        while let Some(byte) = items.get(start).and_then(|i| i.path().get(common)) {
            let length = items[start..].partition_point(|i| i.path()[common] == *byte);
            let from = work.items.start + start;
            queue.push(Work {
                items: from..from + length,
                depth: common + 1,
                node: self.nodes.len(),
            });
            self.nodes.push(Node::default());
            self.firsts.push(*byte);
            start += length;
        }
        let firsts = Span {
            start: offset(first),
            end: offset(self.firsts.len()),
        };
        self.nodes[work.node] = Node {
            label,
            firsts,
            kids,
            prefix,
            exact,
        };
    }

    fn label(&mut self, items: &[Item], from: usize, to: usize) -> Span {
        let start = offset(self.labels.len());
        if let Some(item) = items.first() {
            self.labels.extend_from_slice(&item.path()[from..to]);
        }
        Span {
            start,
            end: offset(self.labels.len()),
        }
    }

    fn list<'a>(&mut self, items: impl Iterator<Item = &'a Item>) -> Span {
        let start = offset(self.candidates.len());
        for item in items {
            let rest = match &item.rest {
                Rest::Always => NOTHING,
                rest => self.rest(rest),
            };
            self.candidates.push(Candidate {
                rank: item.rank,
                rest,
            });
        }
        Span {
            start,
            end: offset(self.candidates.len()),
        }
    }

    fn rest(&mut self, rest: &Rest) -> u32 {
        let next = offset(self.rests.len());
        if rest.is_small() {
            match self.known.entry(rest.clone()) {
                Entry::Occupied(known) => return *known.get(),
                Entry::Vacant(free) => free.insert(next),
            };
        }
        self.rests.push(rest.clone());
        next
    }

    /// The best rank below `best` whose rest `holds`, or `best`.
    pub(crate) fn find(&self, root: u32, path: &[u8], best: u32, holds: impl Fn(u32, &Rest) -> bool) -> u32 {
        let mut best = best;
        let mut seen = [Span::default(); REMEMBERED];
        let mut count = 0;
        let mut node = &self.nodes[root as usize];
        let mut left = path;
        loop {
            if node.prefix.start != node.prefix.end {
                if count == REMEMBERED {
                    best = self.ask(node.prefix, best, &holds);
                } else {
                    seen[count] = node.prefix;
                    count += 1;
                }
            }
            let Some((first, behind)) = left.split_first() else {
                best = self.ask(node.exact, best, &holds);
                break;
            };
            let Some(at) = self.firsts[node.firsts.range()].iter().position(|b| b == first) else {
                break;
            };
            node = &self.nodes[node.kids as usize + at];
            let Some(behind) = behind.strip_prefix(&self.labels[node.label.range()]) else {
                break;
            };
            left = behind;
        }
        // Longer prefixes mostly have the better rank: asked first, they spare the questions of the others.
        for span in seen[..count].iter().rev() {
            best = self.ask(*span, best, &holds);
        }
        best
    }

    fn ask(&self, span: Span, best: u32, holds: &impl Fn(u32, &Rest) -> bool) -> u32 {
        for candidate in &self.candidates[span.range()] {
            if candidate.rank >= best {
                break;
            }
            let rest = self.rests.get(candidate.rest as usize).unwrap_or(&Rest::Always);
            if holds(candidate.rank, rest) {
                return candidate.rank;
            }
        }
        best
    }
}

fn common_prefix(items: &[Item]) -> usize {
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return 0;
    };
    first
        .path()
        .iter()
        .zip(last.path())
        .take_while(|(a, b)| a == b)
        .count()
}

fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("fewer than 2^32 bytes of rules")
}
