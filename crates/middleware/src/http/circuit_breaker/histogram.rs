//! Latencies of the last minute, counted in buckets whose width is under one per cent of what they hold.

use std::time::Duration;

const PARTS: u64 = 6;
const PART_SECONDS: u64 = 10;
/// An hour in microseconds: slower counts as this.
const MAX: u64 = 3_600_000_000;
/// Values below this have a bucket of their own.
const EXACT: u64 = 256;

/// Six histograms of ten seconds each.
#[derive(Default)]
pub struct Latencies {
    parts: [Part; PARTS as usize],
}

#[derive(Default)]
struct Part {
    turn: u64,
    counts: Vec<u32>,
    total: u64,
}

impl Part {
    fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }
}

impl Latencies {
    pub fn record(&mut self, now: Duration, latency: Duration) {
        let turn = now.as_secs() / PART_SECONDS;
        let part = &mut self.parts[(turn % PARTS) as usize];
        if part.turn != turn {
            part.turn = turn;
            part.clear();
        }
        let bucket = bucket_of(u64::try_from(latency.as_micros()).unwrap_or(MAX));
        if part.counts.len() <= bucket {
            part.counts.resize(bucket + 1, 0);
        }
        part.counts[bucket] = part.counts[bucket].saturating_add(1);
        part.total += 1;
    }

    /// Drops what is older than a minute.
    pub fn forget(&mut self, now: Duration) {
        let turn = now.as_secs() / PART_SECONDS;
        for part in &mut self.parts {
            if part.turn + PARTS <= turn {
                part.clear();
            }
        }
    }

    /// The latency that `quantile` per cent of the requests did not exceed; zero without requests.
    pub fn at_quantile(&self, quantile: f64) -> Duration {
        let total: u64 = self.parts.iter().map(|p| p.total).sum();
        let wanted = (quantile.clamp(0.0, 100.0) / 100.0 * total as f64 + 0.5) as u64;
        let longest = self.parts.iter().map(|p| p.counts.len()).max().unwrap_or(0);
        let mut seen = 0;
        for bucket in 0..longest {
            seen += self
                .parts
                .iter()
                .filter_map(|p| p.counts.get(bucket))
                .map(|n| u64::from(*n))
                .sum::<u64>();
            if seen >= wanted && seen > 0 {
                return Duration::from_micros(top_of(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket_of(micros: u64) -> usize {
    let value = micros.min(MAX);
    if value < EXACT {
        return value as usize;
    }
    let shift = u64::from(value.ilog2()) - 7;
    (EXACT + (shift - 1) * 128 + (value >> shift) - 128) as usize
}

/// The largest value of a bucket.
fn top_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket - EXACT) / 128 + 1;
    let step = (bucket - EXACT) % 128 + 128;
    ((step + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        let mut last = 0;
        for value in (0..5_000).chain((5_000..MAX).step_by(9_999_991)) {
            let bucket = bucket_of(value);
            assert!(bucket >= last, "{value}");
            last = bucket;
            let top = top_of(bucket);
            assert!(
                top >= value && (top - value) as f64 <= value as f64 / 100.0,
                "{value} in a bucket up to {top}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), bucket_of(MAX));
    }

    #[test]
    fn quantiles() {
        let mut l = Latencies::default();
        assert_eq!(l.at_quantile(50.0), Duration::ZERO);
        for ms in 1..=100 {
            l.record(Duration::from_secs(1), Duration::from_millis(ms));
        }
        let check = |l: &Latencies, q, ms: u128| {
            let got = l.at_quantile(q).as_millis();
            assert!(got.abs_diff(ms) <= 1 + ms / 100, "quantile {q}: {got}, not {ms}");
        };
        check(&l, 0.0, 1);
        check(&l, 50.0, 50);
        check(&l, 99.0, 99);
        check(&l, 100.0, 100);
        l.record(Duration::from_secs(30), Duration::from_secs(2));
        check(&l, 100.0, 2_000);
        l.forget(Duration::from_secs(65));
        check(&l, 50.0, 2_000);
        l.forget(Duration::from_secs(95));
        assert_eq!(l.at_quantile(50.0), Duration::ZERO);
    }
}
