//! A call as JSON: the one form that access log and audit log have.

use super::{Channel, Coverage, Format, LegOutcome, ModelCall, Usage};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// Entries of a list that are told.
pub const MAX_TOLD: usize = 64;

impl ModelCall {
    /// What a log tells of the call; what is not known is left out.
    pub fn told(&self) -> Value {
        let mut all = Map::new();
        let mut tell = |name: &str, value: Value| {
            let is_empty =
                matches!(&value, Value::Null) || value.as_array().is_some_and(Vec::is_empty) || value == "";
            if !is_empty {
                all.insert(name.to_owned(), value);
            }
        };
        tell("format", self.format.as_str().into());
        tell("upstreamFormat", self.upstream_format.map(Format::as_str).into());
        tell(
            "dropped",
            self.dropped
                .iter()
                .take(MAX_TOLD)
                .map(|name| name.as_ref())
                .collect(),
        );
        tell("operation", self.operation.as_str().into());
        tell("provider", self.provider.as_ref().into());
        tell("modelAsked", self.asked.as_deref().into());
        tell("modelSent", self.sent.as_deref().into());
        tell("modelServed", self.served.as_deref().into());
        tell("stream", self.stream.into());
        tell("usage", self.usage.map(usage).into());
        if let Some(cost) = &self.cost {
            // Beyond what a number of JSON holds it is text.
            tell(
                "costNanoUsd",
                i64::try_from(cost.nano_usd).map_or_else(|_| cost.nano_usd.to_string().into(), Value::from),
            );
            tell("priceEpoch", cost.epoch.as_ref().into());
        }
        tell(
            "finishReasons",
            self.finish_reasons
                .iter()
                .take(MAX_TOLD)
                .map(|r| r.as_ref())
                .collect(),
        );
        tell("responseId", self.response_id.as_deref().into());
        tell(
            "toolCallIds",
            self.tool_calls.iter().map(|id| id.as_ref()).collect(),
        );
        tell("firstChunkMs", self.first_chunk.map(milliseconds).into());
        tell(
            "brokeOff",
            self.fault.as_ref().map(|fault| fault.detail.as_ref()).into(),
        );
        if self.legs.len() > 1 {
            tell("legs", self.legs.iter().take(MAX_TOLD).map(leg).collect());
        }
        tell(
            "coverage",
            self.coverage.iter().take(MAX_TOLD).map(coverage).collect(),
        );
        tell("deniedBy", self.denied_by.as_deref().into());
        Value::Object(all)
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "input": usage.input,
        "output": usage.output,
        "cacheRead": usage.cache_read,
        "cacheWrite": usage.cache_write,
        "reasoning": usage.reasoning,
        "basis": usage.basis.as_str(),
    })
}

fn leg(leg: &super::Leg) -> Value {
    let mut told = json!({ "provider": &*leg.provider, "model": &*leg.model });
    match leg.outcome {
        LegOutcome::Open => {}
        LegOutcome::Status(status) => told["status"] = status.into(),
        LegOutcome::Error(class) => told["error"] = class.into(),
    }
    told
}

/// What a log tells of what a guard saw, members in this order.
#[derive(Serialize)]
pub struct CoverageTold<'a> {
    guard: &'a str,
    engine: &'static str,
    phase: &'static str,
    verdict: &'static str,
    mode: &'static str,
    judged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unjudged: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: Cow<'a, str>,
    milliseconds: f64,
}

impl<'a> CoverageTold<'a> {
    /// The reason goes through `text`, which may take out what the log must not hold.
    pub fn of(of: &'a Coverage, text: &dyn Fn(&'a str) -> Cow<'a, str>) -> CoverageTold<'a> {
        CoverageTold {
            guard: &of.guard,
            engine: of.engine,
            phase: of.phase.as_str(),
            verdict: of.verdict.as_str(),
            mode: of.mode.as_str(),
            judged: of.judged,
            channel: of.channel.map(Channel::as_str),
            unjudged: Some(of.unjudged).filter(|n| *n > 0),
            reason: text(&of.reason),
            milliseconds: milliseconds(of.duration),
        }
    }
}

/// The same as a value.
fn coverage(of: &Coverage) -> Value {
    serde_json::to_value(CoverageTold::of(of, &Cow::Borrowed)).expect("plain data is JSON")
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let plain = ModelCall::new(Format::Ccr).told().to_string();
        assert_eq!(plain, r#"{"format":"ccr","operation":"chat","stream":false}"#);
    }

    #[test]
    fn a_whole_call() {
        let call = ModelCall {
            upstream_format: Some(Format::Ccr),
            dropped: vec!["top_k".into()],
            provider: "openai".into(),
            asked: Some("a".into()),
            usage: Some(Usage {
                input: 3,
                basis: Basis::Reported,
                ..Usage::default()
            }),
            cost: Some(Cost {
                nano_usd: 1_500,
                epoch: "2026-01".into(),
            }),
            finish_reasons: vec!["stop".into()],
            coverage: vec![Coverage {
                guard: "g@file".into(),
                engine: "regex",
                phase: Phase::Request,
                channel: Some(Channel::User),
                verdict: Verdict::Mask,
                judged: 10,
                unjudged: 0,
                reason: Cow::Borrowed("pii"),
                duration: Duration::from_micros(1_500),
                mode: Mode::Enforce,
            }],
            ..ModelCall::new(Format::MessagesApi)
        };
        let want = r#"{"format":"messagesAPI","upstreamFormat":"ccr","dropped":["top_k"],"operation":"chat","provider":"openai","modelAsked":"a","stream":false,"usage":{"input":3,"output":0,"cacheRead":0,"cacheWrite":0,"reasoning":0,"basis":"reported"},"costNanoUsd":1500,"priceEpoch":"2026-01","finishReasons":["stop"],"coverage":[{"guard":"g@file","engine":"regex","phase":"request","verdict":"mask","mode":"enforce","judged":10,"channel":"user","reason":"pii","milliseconds":1.5}]}"#;
        assert_eq!(call.told().to_string(), want);
    }
}
