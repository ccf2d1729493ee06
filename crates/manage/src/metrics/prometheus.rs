//! Everything that was counted, added up over the workers, under the names that Prometheus knows.

use super::families::{Families, Kind, LabelSet, Sample};
use super::semconv::histogram;
use super::shard::{Labels, Series};
use super::{Expiry, Metrics, layers, process};
use std::sync::atomic::Ordering;
use trilithon_flow::metrics::{Kind as ValueKind, registry};

/// All families.
pub fn families(metrics: &Metrics, certificates: &[Expiry]) -> Families {
    let mut families = Families::new(&metrics.settings.buckets);
    metrics
        .shards
        .visit(|labels, series| requests(&mut families, metrics, labels, series));
    values(&mut families);
    for certificate in certificates {
        let labels = labels_of(&[
            ("cn", &certificate.common_name),
            ("serial", &certificate.serial),
            ("sans", &certificate.names),
        ]);
        let sample = Sample::Number(certificate.not_after as f64);
        families.add(
            Kind::Gauge,
            "traefik_tls_certs_not_after",
            "Certificate expiration timestamp",
            labels,
            sample,
        );
    }
    let version = labels_of(&[("version", env!("CARGO_PKG_VERSION"))]);
    families.add(
        Kind::Gauge,
        "trilithon_build_info",
        "The version that runs; always 1.",
        version,
        Sample::Number(1.0),
    );
    process::add(&mut families);
    if let Some(semconv) = &metrics.semconv {
        semconv.write(&mut families);
    }
    metrics.model_calls.write(&mut families, metrics.settings.semconv);
    metrics.mcp_calls.write(&mut families, metrics.settings.semconv);
    families
}

fn values(families: &mut Families) {
    registry().visit(|name, help, kind, labels, value| {
        let kind = match kind {
            ValueKind::Counter => Kind::Counter,
            ValueKind::Gauge => Kind::Gauge,
        };
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        families.add(kind, name, help, labels, Sample::Number(value as f64));
    });
}

/// What a family of request metrics is about.
struct Scope {
    /// `entrypoint`, `router` or `service`.
    noun: &'static str,
    labels: LabelSet,
    code: u16,
    response_bytes: u64,
}

fn requests(families: &mut Families, metrics: &Metrics, labels: &Labels, series: &Series) {
    for scope in scopes(metrics, labels, series) {
        scope.add_to(families, metrics, labels, series);
    }
}

fn scopes(metrics: &Metrics, labels: &Labels, series: &Series) -> Vec<Scope> {
    let load = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
    let mut all = Vec::new();
    if let Some(entry_point) = labels
        .entry_point
        .as_ref()
        .filter(|_| metrics.settings.entry_points)
    {
        let own = labels_of(&[("entrypoint", entry_point)]);
        all.push(Scope {
            noun: "entrypoint",
            labels: own,
            code: labels.code,
            response_bytes: load(&series.response_bytes),
        });
    }
    if !metrics.shows(labels) {
        return all;
    }
    for (router, last) in labels.router.iter().flat_map(|r| layers(r)) {
        let below = format!("{router}-muxer");
        let service = if last {
            labels.service.as_deref().unwrap_or_default()
        } else {
            &below
        };
        let own = labels_of(&[("router", router), ("service", service)]);
        all.push(Scope {
            noun: "router",
            labels: own,
            code: labels.code,
            response_bytes: load(&series.response_bytes),
        });
    }
    if let Some(service) = &labels.balancer {
        let own = labels_of(&[("service", service)]);
        all.push(Scope {
            noun: "service",
            labels: own,
            code: labels.origin_code,
            response_bytes: load(&series.origin_bytes),
        });
    }
    all
}

impl Scope {
    fn add_to(&self, families: &mut Families, metrics: &Metrics, labels: &Labels, series: &Series) {
        let load = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
        let count = load(&series.requests);
        let mut common = self.labels.clone();
        common.extend(labels_of(&[
            ("code", &self.code.to_string()),
            ("method", labels.method),
            ("protocol", labels.protocol.as_str()),
        ]));

        let mut with_headers = common.clone();
        let names = metrics.settings.header_labels.iter().map(|(label, _)| label);
        let values = labels.headers.iter().flat_map(|h| h.iter());
        with_headers.extend(names.zip(values).map(|(n, v)| (n.clone(), (**v).to_owned())));
        self.counter(families, "requests_total", with_headers, count);
        self.counter(
            families,
            "requests_bytes_total",
            common.clone(),
            load(&series.request_bytes),
        );
        self.counter(
            families,
            "responses_bytes_total",
            common.clone(),
            self.response_bytes,
        );
        if let Some((version, cipher)) = labels.tls {
            let mut own = self.labels.clone();
            own.extend(labels_of(&[("tls_version", version), ("tls_cipher", cipher)]));
            self.counter(families, "requests_tls_total", own, count);
        }
        let histogram = Sample::Histogram(histogram(series));
        let name = format!("traefik_{}_request_duration_seconds", self.noun);
        families.add(
            Kind::Histogram,
            &name,
            self.help("request_duration_seconds"),
            common,
            histogram,
        );
    }

    fn counter(&self, families: &mut Families, what: &str, labels: LabelSet, n: u64) {
        let name = format!("traefik_{}_{what}", self.noun);
        families.add(
            Kind::Counter,
            &name,
            self.help(what),
            labels,
            Sample::Number(n as f64),
        );
    }

    /// Traefik's texts.
    fn help(&self, what: &str) -> &'static str {
        match (self.noun, what) {
            ("entrypoint", "requests_total") => {
                "How many HTTP requests processed on an entrypoint, partitioned by status code, protocol, and method."
            }
            ("entrypoint", "requests_tls_total") => {
                "How many HTTP requests with TLS processed on an entrypoint, partitioned by TLS Version and TLS cipher Used."
            }
            ("entrypoint", "requests_bytes_total") => {
                "The total size of requests in bytes handled by an entrypoint, partitioned by status code, protocol, and method."
            }
            ("entrypoint", "responses_bytes_total") => {
                "The total size of responses in bytes handled by an entrypoint, partitioned by status code, protocol, and method."
            }
            ("entrypoint", _) => {
                "How long it took to process the request on an entrypoint, partitioned by status code, protocol, and method."
            }
            ("router", "requests_total") => {
                "How many HTTP requests are processed on a router, partitioned by service, status code, protocol, and method."
            }
            ("router", "requests_tls_total") => {
                "How many HTTP requests with TLS are processed on a router, partitioned by service, TLS Version, and TLS cipher Used."
            }
            ("router", "requests_bytes_total") => {
                "The total size of requests in bytes handled by a router, partitioned by service, status code, protocol, and method."
            }
            ("router", "responses_bytes_total") => {
                "The total size of responses in bytes handled by a router, partitioned by service, status code, protocol, and method."
            }
            ("router", _) => {
                "How long it took to process the request on a router, partitioned by service, status code, protocol, and method."
            }
            (_, "requests_total") => {
                "How many HTTP requests processed on a service, partitioned by status code, protocol, and method."
            }
            (_, "requests_tls_total") => {
                "How many HTTP requests with TLS processed on a service, partitioned by TLS version and TLS cipher."
            }
            (_, "requests_bytes_total") => {
                "The total size of requests in bytes received by a service, partitioned by status code, protocol, and method."
            }
            (_, "responses_bytes_total") => {
                "The total size of responses in bytes returned by a service, partitioned by status code, protocol, and method."
            }
            (_, _) => {
                "How long it took to process the request on a service, partitioned by status code, protocol, and method."
            }
        }
    }
}

fn labels_of(pairs: &[(&str, &str)]) -> LabelSet {
    pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}
