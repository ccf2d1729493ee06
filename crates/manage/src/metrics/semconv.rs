//! The histograms of OpenTelemetry's semantic conventions: `http.server.request.duration` for what clients asked,
//! `http.client.request.duration` for what servers were asked.
//!
//! Names of hosts come from outside: beyond a thousand they are one ([`super::names::OTHER`]).

use super::exemplar::Exemplar;
use super::families::{Families, Histogram, Kind, LabelSet, Sample};
use super::request::method;
use super::shard::{Key, Labels, Series, Shards};
use std::sync::atomic::Ordering;
use trilithon_flow::{Record, Version};

/// The two histograms.
pub struct Semconv {
    server: Shards,
    client: Shards,
}

/// Attributes whose values are kept like those of header labels.
const SHARED: [&str; 3] = ["server.address", "url.scheme", "network.protocol.version"];

impl Semconv {
    pub fn new() -> Semconv {
        Semconv {
            server: Shards::new(SHARED.len()),
            client: Shards::new(SHARED.len()),
        }
    }

    /// Counts one exchange.
    pub fn count(&self, bounds: &[u64], record: &Record) {
        let nanos = u64::try_from(record.duration.as_nanos()).unwrap_or(u64::MAX);
        let version = protocol(record.version);
        let asked = [&*record.host, record.scheme, version];
        add(&self.server, bounds, record, asked, record.status, nanos);
        if let Some(url) = record.server_url.as_deref() {
            let scheme = if url.starts_with("https:") {
                "https"
            } else {
                "http"
            };
            let server = [record.server_addr.as_deref().unwrap_or_default(), scheme, version];
            let nanos = u64::try_from(record.origin_duration.as_nanos()).unwrap_or(u64::MAX);
            add(&self.client, bounds, record, server, record.origin_status, nanos);
        }
    }

    /// Adds what was counted.
    pub fn write(&self, families: &mut Families) {
        let sides = [
            (
                &self.server,
                "http.server.request.duration",
                "Duration of HTTP server requests.",
            ),
            (
                &self.client,
                "http.client.request.duration",
                "Duration of HTTP client requests.",
            ),
        ];
        for (shards, name, help) in sides {
            shards.visit(|labels, series| {
                let sample = Sample::Histogram(histogram(series));
                families.add(Kind::Histogram, name, help, attributes(labels), sample);
            });
        }
    }
}

fn add(shards: &Shards, bounds: &[u64], record: &Record, shared: [&str; 3], status: u16, nanos: u64) {
    let (method_at, method) = method(&record.method);
    shards.with(
        |_| true,
        |shard| {
            let key = Key {
                headers: shard.values(&shards.values, shared.iter().map(|v| (*v).into())),
                code: status,
                method: method_at,
                ..Key::default()
            };
            let series = shard.series(key, bounds.len(), || Labels {
                headers: Some(
                    shared
                        .iter()
                        .enumerate()
                        .map(|(label, value)| shards.values.share(label, value))
                        .collect(),
                ),
                code: status,
                method,
                ..Labels::default()
            });
            series.count(bounds, nanos, Exemplar::of(record, nanos));
        },
    );
}

fn attributes(labels: &Labels) -> LabelSet {
    let method = match labels.method {
        "EXTENSION_METHOD" => "_OTHER",
        known => known,
    };
    let mut all = vec![
        ("http.request.method".to_owned(), method.to_owned()),
        ("http.response.status_code".to_owned(), labels.code.to_string()),
        ("network.protocol.name".to_owned(), "http".to_owned()),
    ];
    if !(100..400).contains(&labels.code) {
        all.push(("error.type".to_owned(), labels.code.to_string()));
    }
    let values = labels.headers.iter().flat_map(|h| h.iter());
    all.extend(
        SHARED
            .iter()
            .zip(values)
            .map(|(key, value)| ((*key).to_owned(), (**value).to_owned())),
    );
    all
}

/// The histogram of a series.
pub fn histogram(series: &Series) -> Histogram {
    Histogram {
        buckets: series.buckets.iter().map(|n| n.load(Ordering::Relaxed)).collect(),
        count: series.requests.load(Ordering::Relaxed),
        nanos: series.nanos.load(Ordering::Relaxed).into(),
        bounds: None,
        exemplars: series.exemplars.all(),
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
        Version::Http3 => "3",
    }
}
