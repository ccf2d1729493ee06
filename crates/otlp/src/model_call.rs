//! The span of a call of a language model, by OpenTelemetry's GenAI conventions.

use crate::attribute::{int, named, text, texts};
use crate::content;
use crate::traces::{Told, failed};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use trilithon_flow::model_call::{Leg, LegOutcome};
use trilithon_flow::{Coverage, ModelCall};

/// Verdicts of guards that one span tells.
const MAX_VERDICTS: usize = 64;

/// Name, kind, attributes and status; a call of which nothing came into the record has its name alone. `leg` is the attempt that
/// the span is about; what the call says at its end is what the last one came to.
pub fn told(call: Option<&ModelCall>, leg: Option<usize>) -> Told<'static> {
    let Some(call) = call else {
        return ("chat".into(), SpanKind::Client, Vec::new(), None);
    };
    if let Some((leg, _)) = leg
        .and_then(|leg| call.legs.get(leg..)?.split_first())
        .filter(|(_, later)| !later.is_empty())
    {
        return given_up(call, leg);
    }
    let mut all = vec![
        named("gen_ai.operation.name", text(call.operation.as_str())),
        named("gen_ai.provider.name", text(&call.provider)),
        named(
            "gen_ai.request.stream",
            text(if call.stream { "true" } else { "false" }),
        ),
    ];
    let mut say = |key: &str, value: Option<&str>| {
        all.extend(value.map(|value| named(key, text(value))));
    };
    say(
        "gen_ai.request.model",
        call.sent.as_deref().or(call.asked.as_deref()),
    );
    say("gen_ai.response.model", call.served.as_deref());
    say("gen_ai.response.id", call.response_id.as_deref());
    say("trilithon.denied_by", call.denied_by.as_deref());
    let mut count = |key: &str, n: Option<u64>| {
        all.extend(n.map(|n| named(key, int(i64::try_from(n).unwrap_or(i64::MAX)))));
    };
    count("gen_ai.request.max_tokens", call.max_output);
    if let Some(usage) = call.usage {
        count("gen_ai.usage.input_tokens", Some(usage.input));
        count("gen_ai.usage.output_tokens", Some(usage.output));
        let some = |n: u64| Some(n).filter(|n| *n > 0);
        count("gen_ai.usage.cache_read.input_tokens", some(usage.cache_read));
        count(
            "gen_ai.usage.cache_creation.input_tokens",
            some(usage.cache_write),
        );
        count("gen_ai.usage.reasoning.output_tokens", some(usage.reasoning));
    }
    if !call.finish_reasons.is_empty() {
        let reasons: Vec<String> = call.finish_reasons.iter().map(|r| r.to_string()).collect();
        all.push(named("gen_ai.response.finish_reasons", texts(&reasons)));
    }
    if !call.tool_calls.is_empty() {
        let ids: Vec<String> = call.tool_calls.iter().map(|id| id.to_string()).collect();
        all.push(named("trilithon.tool.call.ids", texts(&ids)));
    }
    if !call.coverage.is_empty() {
        all.push(verdicts(&call.coverage));
    }
    all.extend(content::told(call));
    let status = call.legs.last().and_then(|leg| outcome(leg, &mut all));
    let name = name(call, call.sent.as_deref().unwrap_or_default());
    (name.into(), SpanKind::Client, all, status)
}

/// What guards said: of each its name, the phase and the verdict.
pub fn verdicts(coverage: &[Coverage]) -> KeyValue {
    let verdicts = coverage.iter().take(MAX_VERDICTS);
    let verdicts: Vec<String> = verdicts
        .map(|c| format!("{} {} {}", c.guard, c.phase.as_str(), c.verdict.as_str()))
        .collect();
    named("trilithon.guard.verdicts", texts(&verdicts))
}

/// An attempt after which another was made: nobody got what it may have said.
fn given_up(call: &ModelCall, leg: &Leg) -> Told<'static> {
    let mut all = vec![
        named("gen_ai.operation.name", text(call.operation.as_str())),
        named("gen_ai.provider.name", text(&leg.provider)),
        named("gen_ai.request.model", text(&leg.model)),
    ];
    let status = outcome(leg, &mut all);
    (name(call, &leg.model).into(), SpanKind::Client, all, status)
}

/// What came of an attempt, if that was no answer.
fn outcome(leg: &Leg, all: &mut Vec<KeyValue>) -> Option<Status> {
    let error = match leg.outcome {
        LegOutcome::Error(class) => class.to_owned(),
        LegOutcome::Status(status) if status >= 400 => status.to_string(),
        LegOutcome::Status(_) | LegOutcome::Open => return None,
    };
    all.push(named("error.type", text(&error)));
    Some(failed(""))
}

fn name(call: &ModelCall, model: &str) -> String {
    format!("{} {model}", call.operation.as_str())
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::model_call::Basis;
    use trilithon_flow::{Format, Usage};

    /// What the call came to is told of the attempt that it came of.
    #[test]
    fn each_attempt_has_its_own_model() {
        let leg = |model: &str, outcome| Leg {
            provider: "openai".into(),
            model: model.into(),
            outcome,
        };
        let call = ModelCall {
            sent: Some("second".into()),
            served: Some("second-1".into()),
            legs: vec![
                leg("first", LegOutcome::Status(500)),
                leg("second", LegOutcome::Status(200)),
            ],
            ..ModelCall::new(Format::Ccr)
        };
        let check = |at, name: &str, served: bool, failed: bool| {
            let (got, _, all, status) = told(Some(&call), at);
            let has = |key: &str| all.iter().any(|a| a.key == key);
            assert_eq!(
                (
                    &*got,
                    has("gen_ai.response.model"),
                    has("error.type"),
                    status.is_some()
                ),
                (name, served, failed, failed)
            );
        };
        check(Some(0), "chat first", false, true);
        check(Some(1), "chat second", true, false);
        check(None, "chat second", true, false);
    }

    #[test]
    fn a_call() {
        let call = ModelCall {
            provider: "anthropic".into(),
            sent: Some("claude".into()),
            usage: Some(Usage {
                input: 3,
                output: 4,
                basis: Basis::Reported,
                ..Usage::default()
            }),
            finish_reasons: vec!["end_turn".into()],
            legs: vec![Leg {
                provider: "anthropic".into(),
                model: "claude".into(),
                outcome: LegOutcome::Status(529),
            }],
            ..ModelCall::new(Format::MessagesApi)
        };
        let (name, kind, all, status) = told(Some(&call), None);
        assert_eq!(
            (&*name, kind, status.is_some()),
            ("chat claude", SpanKind::Client, true)
        );
        let keys: Vec<&str> = all.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "gen_ai.operation.name",
                "gen_ai.provider.name",
                "gen_ai.request.stream",
                "gen_ai.request.model",
                "gen_ai.usage.input_tokens",
                "gen_ai.usage.output_tokens",
                "gen_ai.response.finish_reasons",
                "error.type",
            ]
        );
        assert_eq!(all[4].value, Some(int(3)));
    }
}
