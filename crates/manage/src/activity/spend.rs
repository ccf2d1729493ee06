//! What calls of models cost since the start, by whose key, by application and by model.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use trilithon_flow::record::Name;
use trilithon_flow::{Credential, Record};

/// Rows beyond which further ones are one: models are named by clients.
const MAX_ROWS: usize = 500;
const OTHER: &str = "_other";

/// What was spent. Calls of models are few beside requests: one lock, held for a few additions.
#[derive(Default)]
pub struct Spend(Mutex<HashMap<Key, Spent>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The name of an API key; empty for other callers.
    key: Name,
    application: Name,
    model: Name,
}

#[derive(Default)]
struct Spent {
    calls: u64,
    input: u64,
    output: u64,
    nano_usd: i128,
    /// Calls that took tokens of a model without a price.
    unpriced: u64,
}

impl Spend {
    /// Adds the call of a model that an exchange was, if it took tokens.
    pub fn count(&self, record: &Record) {
        let Some(call) = &record.model_call else { return };
        let Some(usage) = call.usage else { return };
        let none = || Name::from("");
        let identity = record.identity.as_deref();
        let names = [&call.served, &call.sent, &call.asked];
        let mut key = Key {
            key: identity
                .filter(|i| i.credential == Credential::ApiKey)
                .map_or_else(none, |i| i.subject.clone()),
            application: identity.map_or_else(none, |i| i.application.clone()),
            model: names.into_iter().flatten().next().cloned().unwrap_or_else(none),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_ROWS && !all.contains_key(&key) {
            key = Key {
                key: OTHER.into(),
                application: OTHER.into(),
                model: OTHER.into(),
            };
        }
        let spent = all.entry(key).or_default();
        spent.calls += 1;
        spent.input = spent.input.saturating_add(usage.input);
        spent.output = spent.output.saturating_add(usage.output);
        match &call.cost {
            Some(cost) => spent.nano_usd = spent.nano_usd.saturating_add(cost.nano_usd),
            None => spent.unpriced += 1,
        }
    }

    /// As the API says it, the dearest first.
    pub fn told(&self) -> Value {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<(&Key, &Spent)> = all.iter().collect();
        rows.sort_by(|(a, x), (b, y)| {
            let order = y.nano_usd.cmp(&x.nano_usd);
            order.then_with(|| (&a.key, &a.application, &a.model).cmp(&(&b.key, &b.application, &b.model)))
        });
        let row = |(key, spent): (&Key, &Spent)| {
            json!({
                "key": &*key.key, "application": &*key.application, "model": &*key.model, "calls": spent.calls,
                "inputTokens": spent.input, "outputTokens": spent.output, "costUsd": spent.nano_usd as f64 / 1e9,
                "unpricedCalls": spent.unpriced,
            })
        };
        rows.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::model_call::Cost;
    use trilithon_flow::{Format, Identity, ModelCall, Usage};

    fn record(model: &str, nano_usd: Option<i128>, key: &str) -> Record {
        let call = ModelCall {
            served: Some(model.into()),
            usage: Some(Usage {
                input: 3,
                output: 2,
                ..Usage::default()
            }),
            cost: nano_usd.map(|nano_usd| Cost {
                nano_usd,
                epoch: "e".into(),
            }),
            ..ModelCall::new(Format::Ccr)
        };
        Record {
            model_call: Some(call.into()),
            identity: Some(Identity::new(Credential::ApiKey, key).into()),
            ..Record::default()
        }
    }

    #[test]
    fn rows_add_up() {
        let spend = Spend::default();
        for _ in 0..3 {
            spend.count(&record("a", Some(500_000), "shop"));
        }
        spend.count(&record("b", None, "shop"));
        spend.count(&Record::default());
        let want = json!([
            {"key": "shop", "application": "", "model": "a", "calls": 3, "inputTokens": 9, "outputTokens": 6, "costUsd": 0.0015, "unpricedCalls": 0},
            {"key": "shop", "application": "", "model": "b", "calls": 1, "inputTokens": 3, "outputTokens": 2, "costUsd": 0.0, "unpricedCalls": 1},
        ]);
        assert_eq!(spend.told(), want);
    }

    #[test]
    fn names_do_not_grow_for_ever() {
        let spend = Spend::default();
        for n in 0..2 * MAX_ROWS {
            spend.count(&record(&format!("m{n}"), Some(1), "k"));
        }
        let rows = spend.told();
        let rows = rows.as_array().expect("rows");
        assert_eq!(rows.len(), MAX_ROWS + 1);
        assert_eq!(
            (&rows[0]["model"], &rows[0]["calls"]),
            (&json!(OTHER), &json!(MAX_ROWS))
        );
    }
}
