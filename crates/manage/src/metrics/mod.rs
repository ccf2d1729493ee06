//! Metrics: what requests are counted as, and the page that Prometheus reads.
//!
//! Counting ([`request`]) costs a worker two look-ups and a few additions, without a lock; adding up and writing happens when
//! the page is asked for ([`prometheus`]).

mod exemplar;
mod families;
mod mcp_calls;
mod model_calls;
mod names;
mod open;
mod process;
mod prometheus;
mod request;
mod semconv;
mod shard;

pub use exemplar::Exemplar;
pub use families::{Families, Family, Histogram, Kind, LabelSet, Sample};

use arc_swap::ArcSwapOption;
use mcp_calls::McpCalls;
use model_calls::ModelCalls;
use semconv::Semconv;
use shard::{Labels, Shards};
use std::collections::BTreeSet;
use std::sync::Arc;
use trilithon_engine::report::Report;
use trilithon_flow::record::Wants;
use trilithon_flow::{Observer, Record};
use trilithon_model::install;

/// The metrics of the process.
pub struct Metrics {
    settings: Settings,
    shards: Shards,
    /// Histograms by OpenTelemetry's conventions, for a collector.
    semconv: Option<Semconv>,
    mcp_calls: McpCalls,
    model_calls: ModelCalls,
    /// Routers and services of the current configuration; series of others are not shown. `None`: all are.
    shown: ArcSwapOption<Shown>,
}

/// What is counted.
#[derive(Clone, Debug)]
struct Settings {
    add_internals: bool,
    entry_points: bool,
    routers: bool,
    services: bool,
    /// Upper bounds in seconds, ascending, and the same in nanoseconds.
    buckets: Vec<f64>,
    bounds: Vec<u64>,
    /// Further labels of the request counters and the header each is taken from, by label.
    header_labels: Vec<(String, String)>,
    /// Also keep the histograms of OpenTelemetry's conventions.
    semconv: bool,
}

/// Names in the current configuration.
#[derive(Debug, Default)]
struct Shown {
    routers: BTreeSet<String>,
    services: BTreeSet<String>,
}

impl Metrics {
    /// Metrics as `metrics.prometheus` describes them; its defaults where it is absent.
    pub fn new(config: &install::Metrics) -> Arc<Metrics> {
        let prometheus = config.prometheus.clone().unwrap_or_default();
        let (buckets, bounds) = bounds(&prometheus.buckets);
        Metrics::of(Settings {
            add_internals: config.add_internals,
            entry_points: prometheus.add_entry_points_labels,
            routers: prometheus.add_routers_labels,
            services: prometheus.add_services_labels,
            bounds,
            buckets,
            header_labels: prometheus.header_labels.into_iter().collect(),
            semconv: false,
        })
    }

    /// Metrics as `metrics.otlp` describes them, for a collector.
    pub fn for_collector(config: &install::Metrics) -> Arc<Metrics> {
        let otlp = config.otlp.clone().unwrap_or_default();
        let (buckets, bounds) = bounds(&otlp.explicit_boundaries);
        Metrics::of(Settings {
            add_internals: config.add_internals,
            entry_points: otlp.add_entry_points_labels,
            routers: otlp.add_routers_labels,
            services: otlp.add_services_labels,
            bounds,
            buckets,
            header_labels: Vec::new(),
            semconv: true,
        })
    }

    fn of(settings: Settings) -> Arc<Metrics> {
        Arc::new(Metrics {
            shards: Shards::new(settings.header_labels.len()),
            semconv: settings.semconv.then(Semconv::new),
            mcp_calls: McpCalls::default(),
            model_calls: ModelCalls::default(),
            settings,
            shown: ArcSwapOption::empty(),
        })
    }

    /// After a reload: routers and services that are no longer there are no longer shown, and their counters are given up.
    /// What they counted stays in the entry points' counters.
    pub fn retain(&self, report: &Report) {
        self.show_only(Shown {
            routers: report.routers.keys().cloned().collect(),
            services: report.services.keys().cloned().collect(),
        });
    }

    fn show_only(&self, shown: Shown) {
        self.shown.store(Some(Arc::new(shown)));
        self.shards.grow_old();
    }

    /// The page for Prometheus, in its text format 0.0.4. Takes time in proportion to the series: not for a worker thread.
    pub fn page(&self, certificates: &[Expiry]) -> String {
        self.families(certificates).write()
    }

    /// The same page in the text format of OpenMetrics 1.0, with exemplars.
    pub fn open_page(&self, certificates: &[Expiry]) -> String {
        open::page(&self.families(certificates))
    }

    /// All that was counted, added up.
    pub fn families(&self, certificates: &[Expiry]) -> Families {
        prometheus::families(self, certificates)
    }
}

/// Upper bounds in seconds, in order, and the same in nanoseconds.
fn bounds(given: &[f64]) -> (Vec<f64>, Vec<u64>) {
    let mut buckets: Vec<f64> = given.iter().copied().filter(|b| b.is_finite()).collect();
    buckets.sort_by(f64::total_cmp);
    buckets.dedup();
    let nanos = buckets.iter().map(|b| (b * 1e9).max(0.0) as u64).collect();
    (buckets, nanos)
}

/// When a certificate ends, for `traefik_tls_certs_not_after`.
#[derive(Clone, Debug)]
pub struct Expiry {
    pub common_name: String,
    /// Decimal.
    pub serial: String,
    /// Names in order, joined by commas.
    pub names: String,
    /// Seconds since 1970.
    pub not_after: i64,
}

impl Observer for Metrics {
    fn observe(&self, record: &Record) {
        request::count(self, record);
    }

    fn wants(&self) -> Wants {
        Wants {
            request_headers: !self.settings.header_labels.is_empty(),
            ..Wants::default()
        }
    }
}

impl Metrics {
    /// Whether all routers and services that labels name are there.
    fn shows(&self, labels: &Labels) -> bool {
        let shown = self.shown.load();
        let Some(shown) = shown.as_ref() else { return true };
        let routers = labels.router.iter().flat_map(|r| layers(r));
        routers
            .into_iter()
            .all(|(router, _)| shown.routers.contains(router))
            && labels
                .balancer
                .as_ref()
                .is_none_or(|s| shown.services.contains(&**s))
    }
}

/// The routers of a layered name (`a -> b`), each with whether it is the last.
fn layers(name: &str) -> impl Iterator<Item = (&str, bool)> {
    let count = name.split(" -> ").count();
    name.split(" -> ")
        .enumerate()
        .map(move |(i, part)| (part, i + 1 == count))
}

#[cfg(test)]
mod tests;
