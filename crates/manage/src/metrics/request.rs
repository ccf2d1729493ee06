//! Counting one exchange.

use super::Metrics;
use super::exemplar::Exemplar;
use super::shard::{Key, Labels, add, header_value};
use crate::origin;
use trilithon_flow::Record;
use trilithon_flow::record::{Name, Protocol};
use trilithon_model::install::INTERNAL_ENTRY_POINT;

/// Counts it, unless it is one of those that are not.
pub fn count(metrics: &Metrics, record: &Record) {
    let settings = &metrics.settings;
    if !record.metrics || (!settings.add_internals && is_internal(record)) {
        return;
    }
    if let Some(semconv) = &metrics.semconv {
        semconv.count(&settings.bounds, record);
    }
    metrics.model_calls.count(record);
    metrics.mcp_calls.count(record);
    let nanos = u64::try_from(record.duration.as_nanos()).unwrap_or(u64::MAX);
    let router = record.router.as_ref().filter(|_| settings.routers);
    let service = router.and(record.service.as_ref());
    let balancer = balancer(record).filter(|_| settings.services);
    let (origin_status, _) = origin::answer(record);
    let (code, origin_code) = (code(record, record.status), code(record, origin_status));
    let origin_code = if balancer.is_some() { origin_code } else { 0 };
    let (method_at, method) = method(&record.method);
    metrics.shards.with(
        |labels| metrics.shows(labels),
        |shard| {
            let key = Key {
                entry_point: shard.names.of(record.entry_point.as_ref()),
                router: shard.names.of(router),
                service: shard.names.of(service),
                balancer: shard.names.of(balancer),
                headers: shard.headers(
                    &metrics.shards.values,
                    &settings.header_labels,
                    record.request_headers.as_ref(),
                ),
                code,
                origin_code,
                method: method_at,
                protocol: record.protocol as u8,
                tls: shard.tls(record.tls_version, record.tls_cipher),
            };
            let series = shard.series(key, settings.bounds.len(), || Labels {
                entry_point: record.entry_point.clone(),
                router: router.cloned(),
                service: service.cloned(),
                balancer: balancer.cloned(),
                headers: headers(metrics, record),
                code,
                origin_code,
                method,
                protocol: record.protocol,
                tls: (!record.tls_version.is_empty()).then_some((record.tls_version, record.tls_cipher)),
            });
            series.count(&settings.bounds, nanos, Exemplar::of(record, nanos));
            add(&series.request_bytes, record.request_bytes);
            add(&series.response_bytes, record.response_bytes);
            add(&series.origin_bytes, record.origin_bytes);
        },
    );
}

/// Exchanges with the gateway's own pages. On their entry point that includes what no router takes.
fn is_internal(record: &Record) -> bool {
    record.internal
        || (record.router.is_none() && record.entry_point.as_deref() == Some(INTERNAL_ENTRY_POINT))
}

/// The service whose server was asked; it alone counts, not those above it.
fn balancer(record: &Record) -> Option<&Name> {
    record.server_url.as_ref()?;
    record.balancer.as_ref().or(record.service.as_ref())
}

/// The `code` label: a connection that left HTTP has none, a gRPC call has its own.
fn code(record: &Record, status: u16) -> u16 {
    match record.protocol {
        Protocol::Grpc | Protocol::GrpcWeb => record
            .grpc_status
            .map_or(GRPC_UNKNOWN, |s| u16::try_from(s).unwrap_or(u16::MAX)),
        _ if status == 101 => 0,
        _ => status,
    }
}

const GRPC_UNKNOWN: u16 = 2;

const METHODS: [&str; 11] = [
    "EXTENSION_METHOD",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "PATCH",
    "PRI",
];

/// The `method` label: methods that Traefik does not know are one.
pub fn method(method: &str) -> (u8, &'static str) {
    let at = METHODS[1..]
        .iter()
        .position(|m| *m == method)
        .map_or(0, |at| at + 1);
    (at as u8, METHODS[at])
}

fn headers(metrics: &Metrics, record: &Record) -> Option<std::sync::Arc<[Name]>> {
    let labels = &metrics.settings.header_labels;
    let value = |(label, (_, header)): (usize, &(String, String))| {
        metrics
            .shards
            .values
            .share(label, &header_value(record.request_headers.as_ref(), header))
    };
    (!labels.is_empty()).then(|| labels.iter().enumerate().map(value).collect())
}
