//! What a call cost, and whose money it was: reckoned once, at the end of the exchange, by the process's prices.

use std::sync::Arc;
use trilithon_ai::price::Prices;
use trilithon_flow::metrics::registry;
use trilithon_flow::model_call::{Cost, Tariff};
use trilithon_flow::{Credential, Keep, ModelCall, Record};

/// The price table as the end of an exchange asks it.
pub struct Reckoner(Arc<Prices>);

impl Reckoner {
    /// By the prices of the process.
    pub fn of(keep: &Keep) -> Arc<dyn Tariff> {
        Arc::new(Reckoner(Prices::of(keep)))
    }
}

impl Tariff for Reckoner {
    fn reckon(&self, call: &mut ModelCall, record: &Record) {
        let table = self.0.table();
        let mut sum = None;
        for taken in call.taken() {
            let Some((model, price)) = table.of(&taken) else {
                unpriced(&call.provider);
                continue;
            };
            let nano_usd = price.of(&taken.usage);
            spent(model, nano_usd, record);
            sum = Some(sum.unwrap_or(0) + nano_usd);
        }
        call.cost = sum.map(|nano_usd| Cost {
            nano_usd,
            epoch: table.epoch().clone(),
        });
    }
}

/// Counts what was spent by whom. Models are those of the price table, applications and keys those of identities that were
/// verified: nobody outside makes up new series.
fn spent(model: &str, nano_usd: i128, record: &Record) {
    let identity = record.identity.as_deref();
    let application = identity.map_or("", |i| &*i.application);
    // Other credentials come and go: a token is one only for minutes.
    let key = identity.filter(|i| i.credential == Credential::ApiKey);
    let labels = [
        ("application", application),
        ("key", key.map_or("", |i| &*i.credential_id)),
        ("model", model),
    ];
    registry()
        .counter(
            "trilithon_model_cost_nano_usd_total",
            "What calls of models cost by the price table, in billionths of a US dollar.",
            &labels,
        )
        .add(i64::try_from(nano_usd).unwrap_or(i64::MAX));
}

/// A cost that is not known is not nothing: these calls are counted for themselves.
fn unpriced(provider: &str) {
    registry()
        .counter(
            "trilithon_model_unpriced_calls_total",
            "Calls of models that took tokens and have no price.",
            &[("provider", provider)],
        )
        .inc();
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::{Format, Identity, Usage};

    fn reckoned(served: Option<&str>, sent: &str, usage: Option<Usage>) -> Option<Cost> {
        let mut call = ModelCall {
            served: served.map(Into::into),
            asked: Some("gpt-4o".into()),
            sent: Some(sent.into()),
            usage,
            provider: "reckon-test".into(),
            ..ModelCall::new(Format::Ccr)
        };
        let identity = Identity {
            application: "shop".into(),
            credential_id: "reckon-key".into(),
            ..Identity::new(Credential::ApiKey, "alice")
        };
        let record = Record {
            identity: Some(Arc::new(identity)),
            ..Record::default()
        };
        Reckoner::of(&Keep::default()).reckon(&mut call, &record);
        call.cost
    }

    fn counted(name: &str, label: (&str, &str)) -> i64 {
        let mut sum = 0;
        registry().visit(|family, _, _, labels, value| {
            if family == name && labels.iter().any(|(k, v)| (*k, v.as_str()) == label) {
                sum += value;
            }
        });
        sum
    }

    /// Each by its own model, also where nobody got an answer.
    #[test]
    fn attempts_that_came_to_nothing_cost_too() {
        let usage = Usage {
            input: 1_000,
            output: 100,
            ..Usage::default()
        };
        let mut call = ModelCall::new(Format::Ccr);
        let mut cost = |model: &str, usage: Option<Usage>| {
            call.anew();
            (call.sent, call.usage) = (Some(model.into()), usage);
            Reckoner::of(&Keep::default()).reckon(&mut call, &Record::default());
            call.cost.as_ref().map(|cost| cost.nano_usd)
        };
        assert_eq!(cost("gpt-4o", Some(usage)), Some(3_500_000));
        assert_eq!(cost("nobody-knows", Some(usage)), Some(3_500_000));
        assert_eq!(cost("gpt-4o-mini", Some(usage)), Some(3_710_000));
        assert_eq!(cost("gpt-4o", None), Some(3_710_000), "nothing came of the last");
    }

    #[test]
    fn a_call_costs_what_its_model_does() {
        let usage = Some(Usage {
            input: 1_000,
            output: 100,
            ..Usage::default()
        });
        let check = |served, sent, want: Option<i128>| {
            let cost = reckoned(served, sent, usage);
            assert_eq!(cost.as_ref().map(|c| c.nano_usd), want, "{served:?} {sent}");
            assert!(cost.is_none_or(|c| c.epoch.starts_with("2025-11-01-")));
        };
        check(Some("gpt-4o-2024-08-06"), "gpt-4o-mini", Some(3_500_000));
        check(Some("own-name-of-the-vendor"), "gpt-4o-mini", Some(210_000));
        check(None, "gpt-4o", Some(3_500_000));
        // The client asked for a model that has a price, and another was asked in its place.
        check(None, "nobody-knows", None);
        let spent = ("key", "reckon-key");
        assert_eq!(counted("trilithon_model_cost_nano_usd_total", spent), 7_210_000);
        check(None, "nobody-knows", None);
        assert_eq!(
            counted(
                "trilithon_model_unpriced_calls_total",
                ("provider", "reckon-test")
            ),
            2
        );
        assert_eq!(
            reckoned(None, "gpt-4o", None),
            None,
            "nothing is known of what it took"
        );
    }
}
