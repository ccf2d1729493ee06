//! One set of counters per worker.
//!
//! A worker alone writes its counters: relaxed loads and stores, no read-modify-write. Whoever makes the page reads them
//! whenever it likes. A lock is taken for a new series, for the page, and once after a reload.

use super::exemplar::{Exemplar, Exemplars};
use super::names::{Names, OTHER, Values};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trilithon_flow::Headers;
use trilithon_flow::record::{Name, Protocol};

/// What tells series apart. Numbers are those of the worker's [`Names`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Key {
    pub entry_point: u32,
    pub router: u32,
    pub service: u32,
    pub balancer: u32,
    /// Values of the header labels, all in one.
    pub headers: u32,
    pub code: u16,
    /// Code of the server's own answer.
    pub origin_code: u16,
    pub method: u8,
    pub protocol: u8,
    pub tls: u8,
}

/// The labels of a series.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    pub entry_point: Option<Name>,
    pub router: Option<Name>,
    pub service: Option<Name>,
    pub balancer: Option<Name>,
    pub headers: Option<Arc<[Name]>>,
    pub code: u16,
    pub origin_code: u16,
    pub method: &'static str,
    pub protocol: Protocol,
    /// Version and cipher.
    pub tls: Option<(&'static str, &'static str)>,
}

/// The counters of one combination of labels.
pub struct Series {
    pub requests: AtomicU64,
    pub request_bytes: AtomicU64,
    pub response_bytes: AtomicU64,
    pub origin_bytes: AtomicU64,
    pub nanos: AtomicU64,
    /// Requests by bucket, not added up; those above all bounds are in none.
    pub buckets: Box<[AtomicU64]>,
    pub exemplars: Exemplars,
}

impl Series {
    fn new(buckets: usize) -> Series {
        Series {
            requests: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            origin_bytes: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            exemplars: Exemplars::default(),
        }
    }

    /// Counts a request that took `nanos`, in buckets with these upper bounds.
    #[inline]
    pub fn count(&self, bounds: &[u64], nanos: u64, exemplar: Option<Exemplar>) {
        add(&self.requests, 1);
        add(&self.nanos, nanos);
        let bucket = bounds.iter().position(|bound| nanos <= *bound);
        if let Some(at) = bucket {
            add(&self.buckets[at], 1);
        }
        if let Some(exemplar) = exemplar {
            self.exemplars.put(bucket.unwrap_or(bounds.len()), exemplar);
        }
    }

    /// Takes over the counts of another.
    fn absorb(&self, other: &Series) {
        let pairs = [
            (&self.requests, &other.requests),
            (&self.request_bytes, &other.request_bytes),
            (&self.response_bytes, &other.response_bytes),
            (&self.origin_bytes, &other.origin_bytes),
            (&self.nanos, &other.nanos),
        ];
        let buckets = self.buckets.iter().zip(&other.buckets);
        for (mine, theirs) in pairs.into_iter().chain(buckets) {
            add(mine, theirs.load(Ordering::Relaxed));
        }
    }
}

/// Adds where this thread alone writes.
#[inline]
pub fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

type List = Arc<Mutex<FxHashMap<Labels, Arc<Series>>>>;

/// The counters of all workers.
pub struct Shards {
    id: usize,
    pub values: Values,
    all: Mutex<Vec<List>>,
    /// Goes up with each reload.
    age: AtomicU64,
}

/// The counters of one worker.
pub struct Shard {
    owner: usize,
    age: u64,
    pub names: Names,
    headers: HeaderSets,
    tls: Vec<(&'static str, &'static str)>,
    known: FxHashMap<Key, Arc<Series>>,
    list: List,
}

thread_local! {
    static SHARDS: RefCell<Vec<Shard>> = const { RefCell::new(Vec::new()) };
}

impl Shards {
    /// With as many labels whose values come from outside.
    pub fn new(labels: usize) -> Shards {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Shards {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            values: Values::new(labels),
            all: Mutex::default(),
            age: AtomicU64::new(0),
        }
    }

    /// The shard of this thread.
    pub fn with<T>(&self, keep: impl Fn(&Labels) -> bool, then: impl FnOnce(&mut Shard) -> T) -> T {
        SHARDS.with_borrow_mut(|shards| {
            let at = match shards.iter().position(|s| s.owner == self.id) {
                Some(at) => at,
                None => {
                    shards.push(self.add());
                    shards.len() - 1
                }
            };
            let shard = &mut shards[at];
            let age = self.age.load(Ordering::Relaxed);
            if shard.age != age {
                shard.age = age;
                shard.clean(keep);
            }
            then(shard)
        })
    }

    /// Has every worker look through its series before it counts again.
    pub fn grow_old(&self) {
        self.age.fetch_add(1, Ordering::Relaxed);
    }

    /// Shows every series.
    pub fn visit(&self, mut see: impl FnMut(&Labels, &Series)) {
        let lists = lock(&self.all).clone();
        for list in lists {
            lock(&list)
                .iter()
                .for_each(|(labels, series)| see(labels, series));
        }
    }

    fn add(&self) -> Shard {
        let list = List::default();
        lock(&self.all).push(list.clone());
        Shard {
            owner: self.id,
            age: self.age.load(Ordering::Relaxed),
            names: Names::default(),
            headers: HeaderSets::default(),
            tls: Vec::new(),
            known: FxHashMap::default(),
            list,
        }
    }
}

impl Shard {
    /// The series of a key, made with `labels` when it is new.
    #[inline]
    pub fn series(&mut self, key: Key, buckets: usize, labels: impl FnOnce() -> Labels) -> &Series {
        let list = &self.list;
        self.known.entry(key).or_insert_with(|| {
            // After a reload the series may still be in the list, under other numbers.
            lock(list)
                .entry(labels())
                .or_insert_with(|| Arc::new(Series::new(buckets)))
                .clone()
        })
    }

    /// A number for the values of all header labels together; 0 when there are no labels.
    #[inline]
    pub fn headers(
        &mut self,
        values: &Values,
        sources: &[(String, String)],
        headers: Option<&Headers>,
    ) -> u32 {
        self.values(
            values,
            sources.iter().map(|(_, header)| header_value(headers, header)),
        )
    }

    /// A number for these values of labels together; 0 when there are none.
    #[inline]
    pub fn values<'a>(&mut self, values: &Values, all: impl Iterator<Item = Cow<'a, str>>) -> u32 {
        all.enumerate().fold(0, |set, (label, value)| {
            self.headers.extend(set, values, label, value)
        })
    }

    /// A small number for a TLS version and cipher; 0 is none.
    #[inline]
    pub fn tls(&mut self, version: &'static str, cipher: &'static str) -> u8 {
        if version.is_empty() {
            return 0;
        }
        let at = match self.tls.iter().position(|pair| *pair == (version, cipher)) {
            Some(at) => at,
            None => {
                self.tls.push((version, cipher));
                self.tls.len() - 1
            }
        };
        // There are a dozen suites.
        at as u8 + 1
    }

    /// Drops series whose labels are gone, and all numbers with them. What they counted goes to the entry point's series.
    fn clean(&mut self, keep: impl Fn(&Labels) -> bool) {
        self.names = Names::default();
        self.headers = HeaderSets::default();
        self.known.clear();
        let mut list = lock(&self.list);
        let gone: Vec<_> = list.extract_if(|labels, _| !keep(labels)).collect();
        for (labels, series) in gone {
            let heir = Labels {
                router: None,
                service: None,
                balancer: None,
                origin_code: 0,
                ..labels
            };
            list.entry(heir)
                .or_insert_with(|| Arc::new(Series::new(series.buckets.len())))
                .absorb(&series);
        }
    }
}

/// Numbers for the values of header labels.
#[derive(Default)]
struct HeaderSets {
    /// By label, then by value.
    values: Vec<FxHashMap<Box<str>, u32>>,
    /// By the set so far and the value that follows.
    sets: FxHashMap<(u32, u32), u32>,
}

impl HeaderSets {
    fn extend(&mut self, set: u32, values: &Values, label: usize, value: Cow<'_, str>) -> u32 {
        if self.values.len() <= label {
            self.values.resize_with(label + 1, FxHashMap::default);
        }
        let known = &mut self.values[label];
        let number = match known.get(&*value) {
            Some(number) => *number,
            // 0 stands for all further values.
            None if values.is_full(label) || &*values.share(label, &value) == OTHER => 0,
            None => {
                let next = known.len() as u32 + 1;
                known.insert(value.into(), next);
                next
            }
        };
        let next = self.sets.len() as u32 + 1;
        *self.sets.entry((set, number)).or_insert(next)
    }
}

/// The first value of a header; empty without one.
pub fn header_value<'a>(headers: Option<&'a Headers>, name: &str) -> Cow<'a, str> {
    headers
        .and_then(|h| h.get(name))
        .map(String::from_utf8_lossy)
        .unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
