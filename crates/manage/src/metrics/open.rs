//! The text format of OpenMetrics 1.0: that of Prometheus with exemplars, which tell the trace of a request in a bucket.
//!
//! Bounds of buckets are written as in the older format, so that a series stays the same series.

use super::exemplar::Exemplar;
use super::families::{Families, Family, Histogram, Kind, LabelSet, Sample, float, series};
use std::fmt::Write as _;
use std::time::SystemTime;

/// The page.
pub fn page(families: &Families) -> String {
    let mut out = String::new();
    for (name, family) in families.iter() {
        head(&mut out, name, family);
        for (labels, sample) in &family.series {
            match sample {
                Sample::Number(n) => number(&mut out, name, "", labels, *n),
                Sample::Histogram(h) => histogram(&mut out, families.bounds(), name, labels, h),
            }
        }
    }
    out.push_str("# EOF\n");
    out
}

/// A counter's family is called without `_total`; a counter that is not called so is of no known kind.
fn head(out: &mut String, name: &str, family: &Family) {
    let (name, kind) = match (family.kind, name.strip_suffix("_total")) {
        (Kind::Counter, Some(name)) => (name, "counter"),
        (Kind::Counter, None) => (name, "unknown"),
        (Kind::Gauge, _) => (name, "gauge"),
        (Kind::Histogram, _) => (name, "histogram"),
    };
    let help = family
        .help
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"");
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn number(out: &mut String, name: &str, suffix: &str, labels: &LabelSet, n: f64) {
    series(out, name, suffix, labels, None);
    let _ = writeln!(out, " {}", float(n));
}

fn histogram(out: &mut String, bounds: &[f64], name: &str, labels: &LabelSet, histogram: &Histogram) {
    let mut sum = 0;
    let counts = histogram.buckets.iter().map(|n| {
        sum += n;
        sum
    });
    let last = ("+Inf".to_owned(), histogram.count);
    let bounds = histogram.bounds.unwrap_or(bounds);
    let buckets: Vec<_> = bounds
        .iter()
        .map(|b| float(*b))
        .zip(counts)
        .chain([last])
        .collect();
    for (at, (bound, count)) in buckets.iter().enumerate() {
        series(out, name, "_bucket", labels, Some(bound));
        let _ = write!(out, " {}", float(*count as f64));
        if let Some((_, exemplar)) = histogram.exemplars.iter().find(|(bucket, _)| *bucket == at) {
            write_exemplar(out, exemplar);
        }
        out.push('\n');
    }
    number(out, name, "_sum", labels, histogram.nanos as f64 / 1e9);
    number(out, name, "_count", labels, histogram.count as f64);
}

fn write_exemplar(out: &mut String, exemplar: &Exemplar) {
    let at = exemplar
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let _ = write!(
        out,
        " # {{trace_id=\"{}\",span_id=\"{}\"}} {} {}.{:03}",
        exemplar.trace,
        exemplar.span,
        float(exemplar.nanos as f64 / 1e9),
        at.as_secs(),
        at.subsec_millis()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use trilithon_flow::trace::{SpanId, TraceId};

    #[test]
    fn a_page() {
        let mut families = Families::new(&[0.1, 5.0]);
        families.plain(Kind::Counter, "a_total", "A \"a\"", 1.0);
        families.plain(Kind::Counter, "b", "B", 2.0);
        let exemplar = Exemplar {
            trace: TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
            span: SpanId::parse(b"00f067aa0ba902b7").unwrap(),
            nanos: 1_500_000_000,
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042),
        };
        let sample = Histogram {
            buckets: vec![1, 2],
            count: 4,
            nanos: 3_000_000_000,
            bounds: None,
            exemplars: vec![(1, exemplar)],
        };
        families.add(
            Kind::Histogram,
            "c_seconds",
            "C",
            vec![],
            Sample::Histogram(sample),
        );
        assert_eq!(
            page(&families),
            r#"# HELP a A \"a\"
# TYPE a counter
a_total 1
# HELP b B
# TYPE b unknown
b 2
# HELP c_seconds C
# TYPE c_seconds histogram
c_seconds_bucket{le="0.1"} 1
c_seconds_bucket{le="5"} 3 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"} 1.5 1700000000.042
c_seconds_bucket{le="+Inf"} 4
c_seconds_sum 3
c_seconds_count 4
# EOF
"#
        );
    }
}
