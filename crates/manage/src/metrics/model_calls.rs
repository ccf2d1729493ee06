//! Calls of language models, by OpenTelemetry's GenAI conventions: tokens, durations, times of first and following chunks.
//!
//! Calls are few beside requests: one lock, held for a few additions, is cheaper than a copy for each worker. Names of
//! models come from clients; beyond a number of series they are one.

use super::families::{Families, Histogram, Kind, LabelSet, Sample};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use trilithon_flow::record::Name;
use trilithon_flow::{ModelCall, Record};

/// Series beyond which further models are [`OTHER`].
pub(super) const MAX_SERIES: usize = 500;
pub(super) const OTHER: &str = "_other";

/// Powers of four.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Seconds, doubling.
pub(super) const SECONDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// What was counted.
#[derive(Default)]
pub struct ModelCalls {
    series: Mutex<HashMap<Key, Series>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    operation: &'static str,
    provider: Name,
    asked: Name,
    served: Name,
    error: String,
}

#[derive(Clone, Default)]
struct Series {
    duration: Counts,
    input: Counts,
    output: Counts,
    first_chunk: Counts,
    per_chunk: Counts,
}

/// One histogram.
#[derive(Clone, Default)]
pub(super) struct Counts {
    buckets: Vec<u64>,
    count: u64,
    /// In billionths of the unit.
    sum: u128,
}

impl Counts {
    pub fn add(&mut self, bounds: &[f64], value: f64) {
        self.buckets.resize(bounds.len(), 0);
        if let Some(bucket) = bounds
            .iter()
            .position(|b| value <= *b)
            .and_then(|at| self.buckets.get_mut(at))
        {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += (value * 1e9) as u128;
    }
}

impl ModelCalls {
    /// Counts the call of an exchange, if it was one.
    pub fn count(&self, record: &Record) {
        let Some(call) = &record.model_call else { return };
        let mut key = Key::of(call, record);
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_SERIES && !all.contains_key(&key) {
            (key.asked, key.served) = (OTHER.into(), OTHER.into());
        }
        let series = all.entry(key).or_default();
        series.duration.add(SECONDS, record.duration.as_secs_f64());
        if let Some(usage) = call.usage {
            series.input.add(TOKENS, usage.input as f64);
            series.output.add(TOKENS, usage.output as f64);
        }
        if let Some(first) = call.first_chunk.filter(|_| call.detailed) {
            series.first_chunk.add(SECONDS, first.as_secs_f64());
            if let Some(further) = call.chunks.checked_sub(1).filter(|n| *n > 0) {
                series
                    .per_chunk
                    .add(SECONDS, call.streaming.as_secs_f64() / further as f64);
            }
        }
    }

    /// Adds what was counted: with dots for a collector, with underscores and units for Prometheus.
    pub fn write(&self, families: &mut Families, dotted: bool) {
        // Who counts waits for a copy, and not for all the text.
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let spell = |name: &str, unit: &str| match dotted {
            true => name.to_owned(),
            false => name.replace('.', "_") + unit,
        };
        for (key, series) in &all {
            let labels = |more: &[(&str, &str)]| -> LabelSet {
                let labels = key.labels().into_iter().chain(more.iter().copied());
                labels
                    .filter(|(_, v)| !v.is_empty())
                    .map(|(n, v)| (spell(n, ""), v.to_owned()))
                    .collect()
            };
            let mut add = |name: &str, unit, help, bounds, labels, counts: &Counts| {
                if counts.count > 0 {
                    let sample = Sample::Histogram(counts.histogram(bounds));
                    families.add(Kind::Histogram, &spell(name, unit), help, labels, sample);
                }
            };
            let (operation, usage) = ("gen_ai.client.operation", "gen_ai.client.token.usage");
            let tokens = "Tokens of calls of models.";
            add(
                usage,
                "",
                tokens,
                TOKENS,
                labels(&[("gen_ai.token.type", "input")]),
                &series.input,
            );
            add(
                usage,
                "",
                tokens,
                TOKENS,
                labels(&[("gen_ai.token.type", "output")]),
                &series.output,
            );
            let failed = labels(&[("error.type", &key.error)]);
            add(
                &format!("{operation}.duration"),
                "_seconds",
                "Duration of calls of models.",
                SECONDS,
                failed,
                &series.duration,
            );
            let first = "Time until the first chunk of a model's stream.";
            add(
                &format!("{operation}.time_to_first_chunk"),
                "_seconds",
                first,
                SECONDS,
                labels(&[]),
                &series.first_chunk,
            );
            let next = "Time between chunks of a model's stream.";
            add(
                &format!("{operation}.time_per_output_chunk"),
                "_seconds",
                next,
                SECONDS,
                labels(&[]),
                &series.per_chunk,
            );
        }
    }
}

impl Key {
    fn of(call: &ModelCall, record: &Record) -> Key {
        let name = |name: &Option<Name>| name.clone().unwrap_or_default();
        let error = match &record.fault {
            Some(fault) => format!("{:?}", fault.kind),
            None if record.status >= 400 => record.status.to_string(),
            None => String::new(),
        };
        Key {
            operation: call.operation.as_str(),
            provider: call.provider.clone(),
            asked: name(&call.asked.clone().or_else(|| call.sent.clone())),
            served: name(&call.served),
            error,
        }
    }

    fn labels(&self) -> [(&'static str, &str); 4] {
        [
            ("gen_ai.operation.name", self.operation),
            ("gen_ai.provider.name", &self.provider),
            ("gen_ai.request.model", &self.asked),
            ("gen_ai.response.model", &self.served),
        ]
    }
}

impl Counts {
    pub fn histogram(&self, bounds: &'static [f64]) -> Histogram {
        Histogram {
            buckets: self.buckets.clone(),
            count: self.count,
            nanos: self.sum,
            bounds: Some(bounds),
            exemplars: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use trilithon_flow::{Format, Usage};

    fn record(asked: &str, status: u16) -> Record {
        let call = ModelCall {
            provider: "openai".into(),
            asked: Some(asked.into()),
            served: Some("m-1".into()),
            usage: (status == 200).then_some(Usage {
                input: 5,
                output: 70,
                ..Usage::default()
            }),
            first_chunk: (status == 200).then_some(Duration::from_millis(30)),
            chunks: 3,
            streaming: Duration::from_millis(20),
            detailed: true,
            ..ModelCall::new(Format::Ccr)
        };
        Record {
            status,
            duration: Duration::from_millis(50),
            model_call: Some(Box::new(call)),
            ..Record::default()
        }
    }

    fn page(calls: &ModelCalls, dotted: bool) -> String {
        let mut families = Families::new(&[0.1]);
        calls.write(&mut families, dotted);
        families.write()
    }

    #[test]
    fn names_labels_and_buckets() {
        let calls = ModelCalls::default();
        calls.count(&Record::default());
        calls.count(&record("m", 200));
        calls.count(&record("m", 429));
        let told = page(&calls, false);
        let of = r#"gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="m",gen_ai_response_model="m-1""#;
        for line in [
            format!("gen_ai_client_token_usage_bucket{{{of},gen_ai_token_type=\"input\",le=\"4\"}} 0\n"),
            format!("gen_ai_client_token_usage_bucket{{{of},gen_ai_token_type=\"input\",le=\"16\"}} 1\n"),
            format!("gen_ai_client_token_usage_sum{{{of},gen_ai_token_type=\"output\"}} 70\n"),
            format!("gen_ai_client_operation_duration_seconds_count{{{of}}} 1\n"),
            format!("gen_ai_client_operation_duration_seconds_count{{error_type=\"429\",{of}}} 1\n"),
            format!("gen_ai_client_operation_time_to_first_chunk_seconds_sum{{{of}}} 0.03\n"),
            format!("gen_ai_client_operation_time_per_output_chunk_seconds_sum{{{of}}} 0.01\n"),
        ] {
            assert!(told.contains(&line), "{line} is not in\n{told}");
        }
        assert!(page(&calls, true).contains("gen_ai.client.token.usage"));
    }

    #[test]
    fn names_from_clients_do_not_grow_memory() {
        let calls = ModelCalls::default();
        for i in 0..MAX_SERIES + 100 {
            calls.count(&record(&format!("m{i}"), 200));
        }
        assert_eq!(calls.series.lock().unwrap().len(), MAX_SERIES + 1);
        assert!(page(&calls, false).contains("gen_ai_request_model=\"_other\""));
    }
}
