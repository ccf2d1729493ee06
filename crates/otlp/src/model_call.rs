//! The span of a call of a language model, by OpenTelemetry's GenAI conventions.

use crate::content;
use crate::span::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use trilithon_flow::model_call::{Leg, LegOutcome};
use trilithon_flow::{Coverage, ModelCall};

/// Verdicts of guards that one span tells.
const MAX_VERDICTS: usize = 64;

/// Tells of a call; of one of which nothing came into the record, its name alone. `leg` is the attempt that the span is about; what the
/// call says at its end is what the last one came to.
pub fn tell(call: Option<&ModelCall>, leg: Option<usize>, span: &mut Span<'_>) {
    let Some(call) = call else {
        return span.named("chat", SpanKind::Client);
    };
    if let Some((leg, _)) = leg
        .and_then(|leg| call.legs.get(leg..)?.split_first())
        .filter(|(_, later)| !later.is_empty())
    {
        return given_up(call, leg, span);
    }
    span.named(
        &name(call, call.sent.as_deref().unwrap_or_default()),
        SpanKind::Client,
    );
    span.text("gen_ai.operation.name", call.operation.as_str());
    span.text("gen_ai.provider.name", &call.provider);
    span.text(
        "gen_ai.request.stream",
        if call.stream { "true" } else { "false" },
    );
    let model = call.sent.as_deref().or(call.asked.as_deref());
    span.some_text("gen_ai.request.model", model);
    span.some_text("gen_ai.response.model", call.served.as_deref());
    span.some_text("gen_ai.response.id", call.response_id.as_deref());
    span.some_text("trilithon.denied_by", call.denied_by.as_deref());
    counts(call, span);
    if !call.finish_reasons.is_empty() {
        span.texts("gen_ai.response.finish_reasons", &call.finish_reasons);
    }
    if !call.tool_calls.is_empty() {
        span.texts("trilithon.tool.call.ids", &call.tool_calls);
    }
    verdicts(&call.coverage, span);
    content::tell(call, span);
    if let Some(leg) = call.legs.last() {
        outcome(leg, span);
    }
}

/// What was asked for, and what it took.
fn counts(call: &ModelCall, span: &mut Span<'_>) {
    let mut count = |key: &str, n: Option<u64>| {
        if let Some(n) = n {
            span.count(key, n);
        }
    };
    count("gen_ai.request.max_tokens", call.max_output);
    let Some(usage) = call.usage else { return };
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

/// What guards said, if there were any: of each its name, the phase and the verdict.
pub fn verdicts(coverage: &[Coverage], span: &mut Span<'_>) {
    if coverage.is_empty() {
        return;
    }
    let verdicts = coverage.iter().take(MAX_VERDICTS);
    let verdicts = verdicts.map(|c| [&*c.guard, " ", c.phase.as_str(), " ", c.verdict.as_str()].concat());
    span.texts("trilithon.guard.verdicts", verdicts);
}

/// An attempt after which another was made: nobody got what it may have said.
fn given_up(call: &ModelCall, leg: &Leg, span: &mut Span<'_>) {
    span.named(&name(call, &leg.model), SpanKind::Client);
    span.text("gen_ai.operation.name", call.operation.as_str());
    span.text("gen_ai.provider.name", &leg.provider);
    span.text("gen_ai.request.model", &leg.model);
    outcome(leg, span);
}

/// What came of an attempt, if that was no answer.
fn outcome(leg: &Leg, span: &mut Span<'_>) {
    match leg.outcome {
        LegOutcome::Error(class) => span.text("error.type", class),
        LegOutcome::Status(status) if status >= 400 => span.text("error.type", &status.to_string()),
        LegOutcome::Status(_) | LegOutcome::Open => return,
    }
    span.failed("");
}

fn name(call: &ModelCall, model: &str) -> String {
    format!("{} {model}", call.operation.as_str())
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::int;
    use crate::span::testing::{keys, told, value};
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
            let span = told(|span| tell(Some(&call), at, span));
            let has = |key: &str| value(&span, key).is_some();
            assert_eq!(
                (
                    &*span.name,
                    has("gen_ai.response.model"),
                    has("error.type"),
                    span.status.is_some()
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
        let span = told(|span| tell(Some(&call), None, span));
        assert_eq!(
            (&*span.name, span.kind(), span.status.is_some()),
            ("chat claude", SpanKind::Client, true)
        );
        assert_eq!(
            keys(&span),
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
        assert_eq!(value(&span, "gen_ai.usage.input_tokens"), Some(&int(3)));
    }
}
