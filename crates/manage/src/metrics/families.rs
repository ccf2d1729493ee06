//! The text format of Prometheus, version 0.0.4, as Go's client writes it.

use super::exemplar::{Exemplar, put};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Labels in the order of their names.
pub type LabelSet = Vec<(String, String)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The value of one series.
#[derive(Clone, Debug)]
pub enum Sample {
    Number(f64),
    Histogram(Histogram),
}

/// Counts by bucket, added up when they are written.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pub buckets: Vec<u64>,
    pub count: u64,
    /// The sum, in billionths of the unit.
    pub nanos: u128,
    /// Upper bounds of its own; those of all when there are none.
    pub bounds: Option<&'static [f64]>,
    /// By bucket; that of the requests above all bounds comes after the last.
    pub exemplars: Vec<(usize, Exemplar)>,
}

/// Series of one name.
pub struct Family {
    pub help: String,
    pub kind: Kind,
    pub series: BTreeMap<LabelSet, Sample>,
}

/// All families by name.
pub struct Families {
    bounds: Vec<f64>,
    all: BTreeMap<String, Family>,
}

impl Families {
    /// Families whose histograms have these upper bounds.
    pub fn new(bounds: &[f64]) -> Families {
        Families {
            bounds: bounds.to_vec(),
            all: BTreeMap::new(),
        }
    }

    /// Upper bounds of the histograms, in seconds.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// Families by name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Family)> {
        self.all.iter().map(|(name, family)| (name.as_str(), family))
    }

    /// Adds to a series: numbers and histograms of the same labels are summed.
    pub fn add(&mut self, kind: Kind, name: &str, help: &str, mut labels: LabelSet, sample: Sample) {
        labels.sort();
        let family = self.all.entry(name.to_owned()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            series: BTreeMap::new(),
        });
        match family.series.entry(labels) {
            std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(sample)),
            std::collections::btree_map::Entry::Occupied(mut there) => there.get_mut().absorb(&sample),
        }
    }

    /// Adds a number without labels.
    pub fn plain(&mut self, kind: Kind, name: &str, help: &str, value: f64) {
        self.add(kind, name, help, Vec::new(), Sample::Number(value));
    }

    /// The page.
    pub fn write(&self) -> String {
        let mut out = String::new();
        for (name, family) in &self.all {
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            // Writing to a string does not fail.
            let _ = writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} {}",
                family.kind.as_str()
            );
            for (labels, sample) in &family.series {
                match sample {
                    Sample::Number(n) => line(&mut out, name, "", labels, None, &float(*n)),
                    Sample::Histogram(h) => self.histogram(&mut out, name, labels, h),
                }
            }
        }
        out
    }

    fn histogram(&self, out: &mut String, name: &str, labels: &LabelSet, histogram: &Histogram) {
        let mut sum: u64 = 0;
        let bounds = histogram.bounds.unwrap_or(&self.bounds);
        for (bound, count) in bounds.iter().zip(&histogram.buckets) {
            sum += count;
            line(
                out,
                name,
                "_bucket",
                labels,
                Some(&float(*bound)),
                &float(sum as f64),
            );
        }
        line(
            out,
            name,
            "_bucket",
            labels,
            Some("+Inf"),
            &float(histogram.count as f64),
        );
        line(
            out,
            name,
            "_sum",
            labels,
            None,
            &float(histogram.nanos as f64 / 1e9),
        );
        line(out, name, "_count", labels, None, &float(histogram.count as f64));
    }
}

impl Sample {
    fn absorb(&mut self, other: &Sample) {
        match (self, other) {
            (Sample::Number(mine), Sample::Number(theirs)) => *mine += theirs,
            (Sample::Histogram(mine), Sample::Histogram(theirs)) => {
                mine.count += theirs.count;
                mine.nanos += theirs.nanos;
                mine.buckets
                    .iter_mut()
                    .zip(&theirs.buckets)
                    .for_each(|(m, t)| *m += t);
                for (bucket, exemplar) in &theirs.exemplars {
                    put(&mut mine.exemplars, *bucket, *exemplar);
                }
            }
            _ => {}
        }
    }
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &LabelSet, bound: Option<&str>, value: &str) {
    series(out, name, suffix, labels, bound);
    out.push(' ');
    out.push_str(value);
    out.push('\n');
}

/// Name and labels of a series.
pub fn series(out: &mut String, name: &str, suffix: &str, labels: &LabelSet, bound: Option<&str>) {
    out.push_str(name);
    out.push_str(suffix);
    let bound = bound.map(|b| ("le", b));
    let all = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain(bound);
    for (i, (label, value)) in all.enumerate() {
        out.push(if i == 0 { '{' } else { ',' });
        out.push_str(label);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() || bound.is_some() {
        out.push('}');
    }
}

/// A number as Go's `strconv` prints it with `'g'` and the fewest digits.
pub fn float(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{n:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..EXPONENT_FROM).contains(&exponent) {
        return format!("{n}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The exponent from which Go writes `e`.
const EXPONENT_FROM: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_go_prints_them() {
        for (n, want) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (0.1, "0.1"),
            (1.2, "1.2"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (12_345_678.0, "1.2345678e+07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(n), want);
        }
    }

    #[test]
    fn a_page() {
        let mut families = Families::new(&[0.1, 0.3]);
        let labels = |service: &str| {
            vec![
                ("service".to_owned(), service.to_owned()),
                ("code".to_owned(), "200".to_owned()),
            ]
        };
        families.add(
            Kind::Counter,
            "b_total",
            "B\\ b\nb",
            labels("x\"y\\\n"),
            Sample::Number(1.0),
        );
        families.add(Kind::Counter, "b_total", "", labels("a"), Sample::Number(2.0));
        families.add(Kind::Counter, "b_total", "", labels("a"), Sample::Number(3.0));
        families.plain(Kind::Gauge, "a", "A", 1.5);
        let histogram = Histogram {
            buckets: vec![1, 2],
            count: 4,
            nanos: 1_500_000_000,
            bounds: None,
            exemplars: Vec::new(),
        };
        families.add(
            Kind::Histogram,
            "c_seconds",
            "C",
            vec![],
            Sample::Histogram(histogram),
        );
        assert_eq!(
            families.write(),
            r#"# HELP a A
# TYPE a gauge
a 1.5
# HELP b_total B\\ b\nb
# TYPE b_total counter
b_total{code="200",service="a"} 5
b_total{code="200",service="x\"y\\\n"} 1
# HELP c_seconds C
# TYPE c_seconds histogram
c_seconds_bucket{le="0.1"} 1
c_seconds_bucket{le="0.3"} 3
c_seconds_bucket{le="+Inf"} 4
c_seconds_sum 1.5
c_seconds_count 4
"#
        );
    }
}
