//! Metrics, pushed at an interval: the families of the Prometheus page under the same names, and the histograms of
//! OpenTelemetry's conventions. Sums count from the start of the process.

use crate::attribute::{int, named, scope, text};
use crate::collector::Collector;
use crate::exports::{Exports, Sender};
use crate::resource;
use crate::signal::Signal;
use crate::traces::nanos;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::time::{Duration, SystemTime};
use trilithon_manage::metrics::{self, Families, Family, Kind, LabelSet, Sample};
use trilithon_model::install::MetricsOtlp;

/// Shortest time between two pushes.
const SHORTEST: Duration = Duration::from_millis(100);

/// What was counted until now.
pub type Collect = Box<dyn Fn() -> Families + Send>;

/// Starts pushing what `collect` gives.
///
/// # Errors
/// A collector that cannot be made of the configuration.
pub fn start(config: &MetricsOtlp, exports: &Exports, collect: Collect) -> Result<(), String> {
    let collector = Collector::new(Signal::Metrics, config.grpc.as_ref(), config.http.as_ref())?;
    let every = config.push_interval.to_std().max(SHORTEST);
    let writer = Writer {
        resource: resource::of(&config.service_name, &config.resource_attributes),
        start: nanos(SystemTime::now()),
    };
    exports.spawn(move |stop| async move {
        let mut sender = Sender::new(Signal::Metrics, collector, stop);
        while !sender.is_ending() {
            sender.wait(every).await;
            let message = writer.message(&collect(), SystemTime::now());
            sender.deliver_once(&message).await;
        }
    });
    Ok(())
}

/// Makes messages of families.
struct Writer {
    resource: Resource,
    start: u64,
}

impl Writer {
    fn message(&self, families: &Families, now: SystemTime) -> Vec<u8> {
        let now = nanos(now);
        let metrics = families
            .iter()
            .map(|(name, family)| self.metric(name, family, families.bounds(), now))
            .collect();
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: scope(),
                    metrics,
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        }
        .encode_to_vec()
    }

    fn metric(&self, name: &str, family: &Family, bounds: &[f64], now: u64) -> Metric {
        let temporality = AggregationTemporality::Cumulative as i32;
        let data = match family.kind {
            Kind::Counter => Data::Sum(Sum {
                data_points: self.numbers(family, self.start, now),
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            Kind::Gauge => Data::Gauge(Gauge {
                data_points: self.numbers(family, 0, now),
            }),
            Kind::Histogram => Data::Histogram(Histogram {
                data_points: self.histograms(family, bounds, now),
                aggregation_temporality: temporality,
            }),
        };
        Metric {
            name: name.to_owned(),
            description: family.help.clone(),
            unit: unit(name, family.kind).to_owned(),
            data: Some(data),
            ..Metric::default()
        }
    }

    fn numbers(&self, family: &Family, start: u64, now: u64) -> Vec<NumberDataPoint> {
        let point = |(labels, sample): (&LabelSet, &Sample)| {
            let Sample::Number(n) = sample else { return None };
            Some(NumberDataPoint {
                attributes: attributes(labels),
                start_time_unix_nano: start,
                time_unix_nano: now,
                value: Some(number_data_point::Value::AsDouble(*n)),
                ..NumberDataPoint::default()
            })
        };
        family.series.iter().filter_map(point).collect()
    }

    fn histograms(&self, family: &Family, bounds: &[f64], now: u64) -> Vec<HistogramDataPoint> {
        let point = |(labels, sample): (&LabelSet, &Sample)| {
            let Sample::Histogram(h) = sample else { return None };
            let within: u64 = h.buckets.iter().sum();
            let mut bucket_counts = h.buckets.clone();
            // A worker may have counted a request and not yet its bucket.
            bucket_counts.push(h.count.saturating_sub(within));
            Some(HistogramDataPoint {
                attributes: attributes(labels),
                start_time_unix_nano: self.start,
                time_unix_nano: now,
                count: bucket_counts.iter().sum(),
                sum: Some(h.nanos as f64 / 1e9),
                bucket_counts,
                explicit_bounds: h.bounds.unwrap_or(bounds).to_vec(),
                exemplars: h.exemplars.iter().map(|(_, e)| exemplar(e)).collect(),
                ..HistogramDataPoint::default()
            })
        };
        family.series.iter().filter_map(point).collect()
    }
}

fn exemplar(of: &metrics::Exemplar) -> Exemplar {
    Exemplar {
        time_unix_nano: nanos(of.at),
        span_id: of.span.bytes().to_vec(),
        trace_id: of.trace.bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(of.nanos as f64 / 1e9)),
        ..Exemplar::default()
    }
}

/// Labels are text, but where the conventions want a number.
fn attributes(labels: &LabelSet) -> Vec<KeyValue> {
    let attribute = |(key, value): &(String, String)| match (key.as_str(), value.parse()) {
        ("http.response.status_code", Ok(code)) => named(key, int(code)),
        _ => named(key, text(value)),
    };
    labels.iter().map(attribute).collect()
}

/// Units as Traefik sends them, though the two times that it sends in `ms` are seconds.
fn unit(name: &str, kind: Kind) -> &'static str {
    match (name, kind) {
        ("traefik_config_last_reload_success" | "traefik_tls_certs_not_after", _) => "ms",
        ("gen_ai.client.token.usage", _) => "{token}",
        (_, Kind::Histogram) => "s",
        _ if name.starts_with("traefik_") => "1",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::trace::{SpanId, TraceId};

    fn message(fill: impl FnOnce(&mut Families)) -> Vec<Metric> {
        let mut families = Families::new(&[0.1, 5.0]);
        fill(&mut families);
        let writer = Writer {
            resource: Resource::default(),
            start: 7,
        };
        let bytes = writer.message(&families, SystemTime::UNIX_EPOCH);
        let read = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
        read.resource_metrics[0].scope_metrics[0].metrics.clone()
    }

    #[test]
    fn kinds_and_units() {
        let got = message(|all| {
            all.plain(Kind::Counter, "traefik_a_total", "A", 2.0);
            all.plain(Kind::Gauge, "traefik_config_last_reload_success", "B", 3.0);
        });
        assert!(matches!(&got[0].data, Some(Data::Sum(s))
            if s.is_monotonic && s.aggregation_temporality == 2 && s.data_points[0].start_time_unix_nano == 7));
        assert!(matches!(&got[1].data, Some(Data::Gauge(_))));
        assert_eq!((got[0].unit.as_str(), got[1].unit.as_str()), ("1", "ms"));
    }

    #[test]
    fn histograms_with_exemplars() {
        let trace = TraceId::random();
        let exemplar = metrics::Exemplar {
            trace,
            span: SpanId::random(),
            nanos: 500_000_000,
            at: SystemTime::UNIX_EPOCH,
        };
        let sample = Sample::Histogram(metrics::Histogram {
            buckets: vec![1, 2],
            count: 4,
            nanos: 3_000_000_000,
            bounds: None,
            exemplars: vec![(1, exemplar)],
        });
        let labels = vec![("http.response.status_code".to_owned(), "200".to_owned())];
        let got = message(|all| {
            all.add(
                Kind::Histogram,
                "http.server.request.duration",
                "",
                labels,
                sample,
            )
        });
        let Some(Data::Histogram(h)) = &got[0].data else {
            panic!("no histogram")
        };
        let point = &h.data_points[0];
        assert_eq!((point.count, &*point.bucket_counts), (4, &[1, 2, 1][..]));
        assert_eq!((&*point.explicit_bounds, point.sum), (&[0.1, 5.0][..], Some(3.0)));
        assert_eq!(point.exemplars[0].trace_id, trace.bytes());
        assert_eq!(point.attributes[0].value, Some(int(200)));
    }
}
