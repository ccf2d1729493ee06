//! A rule as entries: whenever the rule matches, at least one entry does, and no entry matches when the rule does not.
//!
//! An entry is a host key, a path key and the rest of the rule that the keys do not answer. The number of entries is
//! bounded by the size of the rule: products that would grow beyond it keep the keys of one side.

use std::sync::Arc;

use crate::host::parent;
use crate::matcher::Matcher;
use crate::tree::Tree;

/// Entries a small rule may have in any case.
const FREE_ENTRIES: usize = 64;
/// Tree nodes looked at when simplifying the rests of one rule.
const SIMPLIFY_BUDGET: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostKey {
    Any,
    /// Any number of labels before this name.
    Under(Arc<[u8]>),
    /// One label before this parent.
    Below(Arc<[u8]>),
    Exact(Arc<[u8]>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PathKey {
    /// The empty prefix is every path.
    Prefix(Arc<[u8]>),
    Exact(Arc<[u8]>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub host: HostKey,
    pub path: PathKey,
    pub rest: Tree,
}

pub(crate) fn cover(tree: &Tree) -> Vec<Entry> {
    let mut budget = SIMPLIFY_BUDGET;
    let mut entries = spread(tree, tree.leaves() * 4 + FREE_ENTRIES);
    for entry in &mut entries {
        if let Some(simpler) = assume(&entry.rest, &entry.host, &entry.path, &mut budget) {
            entry.rest = simpler;
        }
        sort_by_cost(&mut entry.rest);
    }
    entries
}

/// Cheap questions first; they are pure, so their order is free. Long lists are shared between entries and stay.
fn sort_by_cost(rest: &mut Tree) {
    if let Tree::All(list) = rest
        && list.len() <= FREE_ENTRIES
        && !list.is_sorted_by_key(Tree::cost)
    {
        let mut sorted = list.to_vec();
        sorted.sort_by_cached_key(Tree::cost);
        *list = sorted.into();
    }
}

fn everything(rest: Tree) -> Entry {
    Entry {
        host: HostKey::Any,
        path: PathKey::Prefix(Arc::default()),
        rest,
    }
}

impl Entry {
    fn is_keyed(&self) -> bool {
        self.host != HostKey::Any || !matches!(&self.path, PathKey::Prefix(p) if p.is_empty())
    }
}

fn spread(tree: &Tree, limit: usize) -> Vec<Entry> {
    match tree {
        Tree::Never => Vec::new(),
        Tree::Always => vec![everything(Tree::Always)],
        Tree::Any(list) => spread_any(tree, list, limit),
        Tree::All(list) => spread_all(list, limit),
        Tree::Test(test) if test.not => vec![everything(tree.clone())],
        Tree::Test(test) => spread_matcher(&test.matcher, tree),
    }
}

fn spread_matcher(matcher: &Matcher, tree: &Tree) -> Vec<Entry> {
    let entry = everything(Tree::Always);
    match matcher {
        Matcher::AnyHost => vec![entry],
        Matcher::Host(name) => vec![Entry {
            host: HostKey::Exact(name.clone()),
            ..entry
        }],
        Matcher::HostBelow(name) => vec![Entry {
            host: HostKey::Below(name.clone()),
            ..entry
        }],
        Matcher::Path(path) => vec![Entry {
            path: PathKey::Exact(path.clone()),
            ..entry
        }],
        Matcher::PathPrefix(path) => vec![Entry {
            path: PathKey::Prefix(path.clone()),
            ..entry
        }],
        Matcher::HostRegexp(_, parents) if !parents.is_empty() => {
            let keyed = |p: &Arc<[u8]>| Entry {
                host: HostKey::Under(p.clone()),
                ..everything(tree.clone())
            };
            parents.iter().map(keyed).collect()
        }
        Matcher::PathRegexp(_, prefixes) if !prefixes.is_empty() => {
            let keyed = |p: &Arc<[u8]>| Entry {
                path: PathKey::Prefix(p.clone()),
                ..everything(tree.clone())
            };
            prefixes.iter().map(keyed).collect()
        }
        _ => vec![everything(tree.clone())],
    }
}

fn spread_any(tree: &Tree, list: &[Tree], limit: usize) -> Vec<Entry> {
    let mut keyed = Vec::new();
    let mut unkeyed = Vec::new();
    for child in list {
        for entry in spread(child, limit) {
            if entry.is_keyed() {
                keyed.push(entry)
            } else {
                unkeyed.push(entry.rest)
            }
        }
        if keyed.len() > limit {
            return vec![everything(tree.clone())];
        }
    }
    if !unkeyed.is_empty() {
        keyed.push(everything(Tree::any(unkeyed)));
    }
    keyed
}

fn spread_all(list: &[Tree], limit: usize) -> Vec<Entry> {
    let mut entries = vec![everything(Tree::Always)];
    let mut rest = Vec::new();
    for child in list {
        let side = spread(child, limit);
        if side.iter().all(|e| !e.is_keyed()) && !side.is_empty() {
            rest.push(child.clone());
        } else if side.len().saturating_mul(entries.len()) <= limit {
            entries = product(&entries, &side);
        } else if is_better(&side, &entries) {
            // The keys so far become questions again.
            rest = list
                .iter()
                .take_while(|c| !std::ptr::eq(*c, child))
                .cloned()
                .collect();
            entries = side;
        } else {
            rest.push(child.clone());
        }
    }
    if !rest.is_empty() {
        let rest = Tree::all(rest);
        entries
            .iter_mut()
            .for_each(|e| e.rest = Tree::all([e.rest.clone(), rest.clone()]));
    }
    entries
}

/// Hosts tell more apart than paths; then more keys are better than few.
fn is_better(side: &[Entry], other: &[Entry]) -> bool {
    let by_host = |list: &[Entry]| list.iter().all(|e| e.host != HostKey::Any);
    (by_host(side), side.len()) > (by_host(other), other.len())
}

fn product(left: &[Entry], right: &[Entry]) -> Vec<Entry> {
    let mut out = Vec::with_capacity(left.len() * right.len());
    for a in left {
        for b in right {
            if let Some(path) = meet_path(&a.path, &b.path) {
                let rest = Tree::all([a.rest.clone(), b.rest.clone(), lost_host(&a.host, &b.host)]);
                out.push(Entry {
                    host: meet_host(&a.host, &b.host),
                    path,
                    rest,
                });
            }
        }
    }
    out
}

/// The more particular of two hosts.
fn meet_host(a: &HostKey, b: &HostKey) -> HostKey {
    match (a, b) {
        (HostKey::Any, other) | (HostKey::Below(_), other @ HostKey::Exact(_)) => other.clone(),
        (HostKey::Under(_), other @ (HostKey::Exact(_) | HostKey::Below(_))) => other.clone(),
        (kept, _) => kept.clone(),
    }
}

/// What the host that [`meet_host`] drops still asks. Never nothing, even where both are names: a request may have two.
fn lost_host(a: &HostKey, b: &HostKey) -> Tree {
    let lost = match (a, b) {
        (x, y) if x == y => return Tree::Always,
        // The expression behind such a key is a rest in any case.
        (HostKey::Any | HostKey::Under(_), _) | (_, HostKey::Any | HostKey::Under(_)) => return Tree::Always,
        (HostKey::Below(name), HostKey::Exact(_)) => Matcher::HostBelow(name.clone()),
        (_, HostKey::Below(name)) => Matcher::HostBelow(name.clone()),
        (_, HostKey::Exact(name)) => Matcher::Host(name.clone()),
    };
    Tree::test(lost, 0..0)
}

/// The paths that both keys hold; a path has one name, so two may exclude each other.
fn meet_path(a: &PathKey, b: &PathKey) -> Option<PathKey> {
    let (holds, result) = match (a, b) {
        (PathKey::Exact(x), PathKey::Exact(y)) => (x == y, a),
        (PathKey::Exact(x), PathKey::Prefix(p)) => (x.starts_with(p), a),
        (PathKey::Prefix(p), PathKey::Exact(x)) => (x.starts_with(p), b),
        (PathKey::Prefix(p), PathKey::Prefix(q)) if q.len() > p.len() => (q.starts_with(p), b),
        (PathKey::Prefix(p), PathKey::Prefix(q)) => (p.starts_with(q), a),
    };
    holds.then(|| result.clone())
}

/// The tree under the assumption that the keys hold, or none if that changes nothing.
fn assume(tree: &Tree, host: &HostKey, path: &PathKey, budget: &mut usize) -> Option<Tree> {
    *budget = budget.checked_sub(1)?;
    match tree {
        Tree::Always | Tree::Never => None,
        Tree::Test(test) => {
            let holds = host_answer(&test.matcher, host).or_else(|| path_answer(&test.matcher, path))?;
            Some(if holds != test.not {
                Tree::Always
            } else {
                Tree::Never
            })
        }
        Tree::All(list) => assume_each(list, host, path, budget).map(Tree::all),
        Tree::Any(list) => assume_each(list, host, path, budget).map(Tree::any),
    }
}

fn assume_each(list: &[Tree], host: &HostKey, path: &PathKey, budget: &mut usize) -> Option<Vec<Tree>> {
    let changed: Vec<_> = list.iter().map(|t| assume(t, host, path, budget)).collect();
    if changed.iter().all(Option::is_none) {
        return None;
    }
    Some(
        changed
            .into_iter()
            .zip(list)
            .map(|(new, old)| new.unwrap_or_else(|| old.clone()))
            .collect(),
    )
}

fn host_answer(matcher: &Matcher, key: &HostKey) -> Option<bool> {
    match (matcher, key) {
        (Matcher::Host(name), HostKey::Exact(host)) => Some(name == host),
        (Matcher::Host(name), HostKey::Below(p)) if parent(name) != Some(p) => Some(false),
        (Matcher::HostBelow(name), HostKey::Exact(host)) => Some(parent(host) == Some(name)),
        (Matcher::HostBelow(name), HostKey::Below(p)) => Some(name == p),
        _ => None,
    }
}

fn path_answer(matcher: &Matcher, key: &PathKey) -> Option<bool> {
    match (matcher, key) {
        (Matcher::Path(path), PathKey::Exact(p)) => Some(path == p),
        (Matcher::Path(path), PathKey::Prefix(p)) if !path.starts_with(p) => Some(false),
        (Matcher::PathPrefix(prefix), PathKey::Exact(p)) => Some(p.starts_with(prefix)),
        (Matcher::PathPrefix(prefix), PathKey::Prefix(p)) if p.starts_with(prefix) => Some(true),
        (Matcher::PathPrefix(prefix), PathKey::Prefix(p)) if !prefix.starts_with(p) => Some(false),
        _ => None,
    }
}
