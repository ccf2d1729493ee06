//! Counters and gauges of the process that do not come from a [`Record`](crate::Record): reloads, open connections,
//! refused input, server health. Exposition reads them through [`Registry::visit`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Whether a value only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// One number, shared by whoever changes it.
#[derive(Debug, Default)]
pub struct Value(AtomicI64);

impl Value {
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    pub fn inc(&self) {
        self.add(1);
    }
    pub fn set(&self, n: i64) {
        self.0.store(n, Ordering::Relaxed);
    }
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

type Labels = Vec<(&'static str, String)>;

struct Family {
    help: &'static str,
    kind: Kind,
    series: BTreeMap<Labels, Arc<Value>>,
}

/// Families by name.
#[derive(Default)]
pub struct Registry {
    families: Mutex<BTreeMap<&'static str, Family>>,
}

/// Series of one family beyond which further label sets share one series: names from outside must not grow memory.
const MAX_SERIES: usize = 1_000;

impl Registry {
    /// The counter `name` with these labels; the same one for the same labels.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Arc<Value> {
        self.value(Kind::Counter, name, help, labels)
    }

    /// The gauge `name` with these labels.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Arc<Value> {
        self.value(Kind::Gauge, name, help, labels)
    }

    fn value(
        &self,
        kind: Kind,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Arc<Value> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family {
            help,
            kind,
            series: BTreeMap::new(),
        });
        let full = family.series.len() >= MAX_SERIES;
        let key: Labels = labels.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        if let Some(value) = family.series.get(&key) {
            return value.clone();
        }
        let key = if full {
            labels.iter().map(|(k, _)| (*k, "__other__".to_owned())).collect()
        } else {
            key
        };
        family.series.entry(key).or_default().clone()
    }

    /// Drops the series of a family that `gone` names: what a reload removed is no longer shown.
    pub fn remove(&self, name: &str, gone: impl Fn(&[(&'static str, String)]) -> bool) {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get_mut(name) {
            family.series.retain(|labels, _| !gone(labels));
        }
    }

    /// Shows every series in order: name, help, kind, labels, value.
    pub fn visit(
        &self,
        mut see: impl FnMut(&'static str, &'static str, Kind, &[(&'static str, String)], i64),
    ) {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, family) in families.iter() {
            for (labels, value) in &family.series {
                see(name, family.help, family.kind, labels, value.get());
            }
        }
    }
}

/// The registry of the process.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);
    &REGISTRY
}

/// Counts one refused input by its reason.
pub fn rejected(entry_point: &str, reason: &'static str) {
    registry()
        .counter(
            "trilithon_rejected_requests_total",
            "Requests refused before routing, by reason.",
            &[("entrypoint", entry_point), ("reason", reason)],
        )
        .inc();
}
