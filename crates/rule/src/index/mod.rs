//! The route index: "first match by priority" without trying every rule.
//!
//! A rule is spread over entries ([`cover`]): a host (exact, one label before a parent, below a name, or any), a path (exact or prefix)
//! and what is left to ask. Entries live in one radix tree per host ([`trie`]). A lookup walks a few trees and
//! asks what is left in order of priority; what has no key waits at the root of the tree for any host.

mod cover;
mod trie;

use rustc_hash::FxHashMap;

use crate::facts::Facts;
use crate::host::{parent, undotted};
use crate::rule::Rule;
use crate::tree::Miss;

use cover::{Entry, HostKey};
use trie::{Item, Tree as Tries};

/// One router in an index.
#[derive(Clone, Debug)]
pub struct Route<T> {
    pub rule: Rule,
    pub priority: i64,
    pub tie: u32,
    pub value: T,
}

/// Routers in match order, found by host and path.
#[derive(Debug)]
pub struct RouteIndex<T> {
    routes: Vec<Route<T>>,
    exact: FxHashMap<Box<[u8]>, u32>,
    below: FxHashMap<Box<[u8]>, u32>,
    under: FxHashMap<Box<[u8]>, u32>,
    any: Option<u32>,
    tries: Tries,
}

/// What one router says to a request.
#[derive(Debug)]
pub struct Explained<'a, T> {
    pub route: &'a Route<T>,
    /// Why it does not match; empty when it does.
    pub misses: Vec<Miss>,
}

impl<T> Explained<'_, T> {
    pub fn matched(&self) -> bool {
        self.misses.is_empty()
    }
}

impl<T> Default for RouteIndex<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<T> RouteIndex<T> {
    /// Builds the index of (rule, priority, tie, value). The larger priority is tried first, then the smaller tie, then
    /// what came first in the list.
    pub fn new(routes: Vec<(Rule, i64, u32, T)>) -> Self {
        let mut routes: Vec<_> = routes
            .into_iter()
            .map(|(rule, priority, tie, value)| Route {
                rule,
                priority,
                tie,
                value,
            })
            .collect();
        routes.sort_by_key(|r| (std::cmp::Reverse(r.priority), r.tie));
        let mut hosts: FxHashMap<HostKey, Vec<Item>> = FxHashMap::default();
        for (rank, route) in (0u32..).zip(&routes) {
            for Entry { host, path, rest } in cover::cover(route.rule.tree()) {
                hosts.entry(host).or_default().push(Item { path, rank, rest });
            }
        }
        let mut index = Self {
            routes,
            exact: FxHashMap::default(),
            below: FxHashMap::default(),
            under: FxHashMap::default(),
            any: None,
            tries: Tries::default(),
        };
        for (host, items) in hosts {
            let root = index.tries.insert(items);
            match host {
                HostKey::Exact(name) => drop(index.exact.insert((*name).into(), root)),
                HostKey::Below(name) => drop(index.below.insert((*name).into(), root)),
                HostKey::Under(name) => drop(index.under.insert((*name).into(), root)),
                HostKey::Any => index.any = Some(root),
            }
        }
        index.tries.finish();
        index
    }

    /// The value of the first router that matches.
    pub fn find<F: Facts + ?Sized>(&self, facts: &F) -> Option<&T> {
        self.find_route(facts).map(|route| &route.value)
    }

    /// The first router that matches.
    pub fn find_route<F: Facts + ?Sized>(&self, facts: &F) -> Option<&Route<T>> {
        let mut best = u32::MAX;
        let path = facts.path();
        match facts.flattened_host() {
            None => {
                for root in self.roots(facts.host()) {
                    best = self.tries.find(root, path, best, |_, rest| rest.matches(facts));
                }
            }
            // Two names at once: what an entry takes for granted holds for one of them only, so whole rules are asked.
            Some(flat) => {
                for root in self.roots(facts.host()).chain(self.roots(flat)) {
                    best = self.tries.find(root, path, best, |rank, _| {
                        self.routes
                            .get(rank as usize)
                            .is_some_and(|r| r.rule.matches(facts))
                    });
                }
            }
        }
        self.routes.get(best as usize)
    }

    /// The trees that may know `host`, the most particular first.
    fn roots<'a>(&'a self, host: &'a [u8]) -> impl Iterator<Item = u32> + use<'a, T> {
        let host = undotted(host);
        let exact = self.exact.get(host).copied();
        let below = if self.below.is_empty() {
            None
        } else {
            parent(host).and_then(|p| self.below.get(p)).copied()
        };
        [exact, below]
            .into_iter()
            .flatten()
            .chain(self.roots_under(host))
            .chain(self.any)
    }

    /// The trees of names that `host` is below, at any depth.
    fn roots_under<'a>(&'a self, host: &'a [u8]) -> impl Iterator<Item = u32> + use<'a, T> {
        let host = if self.under.is_empty() { &[] } else { host };
        let dots = host.iter().enumerate().filter(|(_, b)| **b == b'.');
        dots.filter_map(|(dot, _)| self.under.get(&host[dot + 1..]).copied())
    }

    /// Every router in match order with its answer: the first that matched is what [`Self::find`] gives. Lazy; for people
    /// and tests, not for the request path.
    pub fn explain<'a, 'f, F: Facts + ?Sized>(
        &'a self,
        facts: &'f F,
    ) -> impl Iterator<Item = Explained<'a, T>> + use<'a, 'f, T, F> {
        self.routes.iter().map(|route| Explained {
            route,
            misses: route.rule.misses(facts),
        })
    }

    /// Every router that matches, in match order.
    pub fn find_all<'a, F: Facts + ?Sized>(&'a self, facts: &'a F) -> impl Iterator<Item = &'a Route<T>> {
        self.routes.iter().filter(|route| route.rule.matches(facts))
    }

    /// The routers in match order.
    pub fn routes(&self) -> &[Route<T>] {
        &self.routes
    }

    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.routes.len()
    }
}
