//! Prices by model: a file with a date, built in or the user's own.

use super::rates::{Price, Rates};
use super::{amount, name};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use trilithon_flow::model_call::Taken;

/// Bytes of a file of prices.
pub const MAX_FILE: usize = 4 << 20;
/// Rates by length that one model may have.
const MAX_STEPS: usize = 8;

/// Prices by model.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    epoch: Arc<str>,
    models: HashMap<Box<str>, Price>,
}

/// What is wrong with a file of prices, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

impl Table {
    /// The vendors' public list prices as they were on the date that the table names.
    pub fn built_in() -> Arc<Table> {
        static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| {
            Arc::new(Table::parse(include_str!("prices.json")).expect("the built-in prices are a valid file"))
        });
        TABLE.clone()
    }

    /// Reads a file of prices: `{"date": "2025-11-01", "models": {"gpt-4o": {"input": 2.5, "output": 10}}}`, in US dollars for
    /// a million tokens.
    ///
    /// # Errors
    /// It is no such file; which member of it is wrong, and how.
    pub fn parse(text: &str) -> Result<Table, Invalid> {
        if text.len() > MAX_FILE {
            return Err(Invalid(format!("the file is larger than {MAX_FILE} bytes")));
        }
        let file: Value =
            serde_json::from_str(text).map_err(|e| Invalid(format!("the file is not valid JSON: {e}")))?;
        let file = object(&file, "the file")?;
        only(file, &["date", "models"], "the file")?;
        let date = file.get("date").and_then(Value::as_str).filter(|d| is_date(d));
        let date = date.ok_or_else(|| Invalid("`date` must be a day, such as `2025-11-01`".into()))?;
        let models = file
            .get("models")
            .ok_or_else(|| Invalid("there is no `models`".into()))?;
        let models = object(models, "`models`")?
            .iter()
            .map(|(name, entry)| Ok((name.to_ascii_lowercase().into(), price(name, entry)?)))
            .collect::<Result<_, Invalid>>()?;
        Ok(Table {
            epoch: format!("{date}-{:08x}", fingerprint(text)).into(),
            models,
        })
    }

    /// Which prices these are: their date and a fingerprint of the file. It is recorded with every cost, so that one can be
    /// reckoned anew when a price was wrong.
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// The price of a model; `None` when it is not known, which is not the same as nothing.
    pub fn price(&self, model: &str) -> Option<&Price> {
        self.find(model).map(|(_, price)| price)
    }

    /// The price of what an answer took, and the name that the table has for its model: the one that it names itself, else the
    /// one that it was asked of.
    pub fn of(&self, taken: &Taken) -> Option<(&str, &Price)> {
        let names = [&taken.served, &taken.asked];
        names.into_iter().flatten().find_map(|model| self.find(model))
    }

    /// The same with the name that the table has for the model.
    pub fn find(&self, model: &str) -> Option<(&str, &Price)> {
        let entry = |name: std::borrow::Cow<'_, str>| self.models.get_key_value(&*name);
        name::candidates(model)
            .find_map(entry)
            .map(|(name, price)| (&**name, price))
    }

    /// Models that have a price.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether no model has a price.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

fn price(name: &str, entry: &Value) -> Result<Price, Invalid> {
    let place = format!("`models.{name}`");
    let entry = object(entry, &place)?;
    only(
        entry,
        &[
            "input",
            "output",
            "cacheRead",
            "cacheWrite",
            "cacheWriteHour",
            "above",
        ],
        &place,
    )?;
    let base = rates(entry, &place)?;
    let steps = match entry.get("above") {
        None => &[][..],
        Some(Value::Array(steps)) if steps.len() <= MAX_STEPS => steps,
        Some(_) => {
            return Err(Invalid(format!(
                "`above` of {place} must be a list of at most {MAX_STEPS}"
            )));
        }
    };
    let mut above = steps
        .iter()
        .map(|step| self::above(step, &place))
        .collect::<Result<Vec<_>, _>>()?;
    above.sort_by_key(|(tokens, _)| std::cmp::Reverse(*tokens));
    Ok(Price { base, above })
}

fn above(step: &Value, place: &str) -> Result<(u64, Rates), Invalid> {
    let place = format!("`above` of {place}");
    let step = object(step, &place)?;
    only(
        step,
        &[
            "tokens",
            "input",
            "output",
            "cacheRead",
            "cacheWrite",
            "cacheWriteHour",
        ],
        &place,
    )?;
    let tokens = step.get("tokens").and_then(Value::as_u64);
    let tokens = tokens.ok_or_else(|| Invalid(format!("`tokens` in {place} must be a whole number")))?;
    Ok((tokens, rates(step, &place)?))
}

/// Where nothing is said of caches, what goes through them costs what other input does; an hour costs what five minutes do.
fn rates(entry: &Map<String, Value>, place: &str) -> Result<Rates, Invalid> {
    let needed = |key: &str| {
        rate(entry, key, place)?.ok_or_else(|| Invalid(format!("there is no `{key}` in {place}")))
    };
    let (input, output) = (needed("input")?, needed("output")?);
    let cache_write = rate(entry, "cacheWrite", place)?.unwrap_or(input);
    Ok(Rates {
        input,
        output,
        cache_read: rate(entry, "cacheRead", place)?.unwrap_or(input),
        cache_write,
        cache_write_hour: rate(entry, "cacheWriteHour", place)?.unwrap_or(cache_write),
    })
}

/// A price, as a number or as a string.
fn rate(entry: &Map<String, Value>, key: &str, place: &str) -> Result<Option<u64>, Invalid> {
    let text = match entry.get(key) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(Invalid(format!("`{key}` in {place} must be a number of dollars"))),
    };
    let wrong = |e| Invalid(format!("`{key}` in {place}: {e}"));
    amount::parse(&text).map(Some).map_err(wrong)
}

fn object<'v>(value: &'v Value, place: &str) -> Result<&'v Map<String, Value>, Invalid> {
    value
        .as_object()
        .ok_or_else(|| Invalid(format!("{place} must be an object")))
}

fn only(object: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), Invalid> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Invalid(format!(
            "there is no `{key}` in {place}; there is {}",
            known.join(", ")
        ))),
        None => Ok(()),
    }
}

fn is_date(text: &str) -> bool {
    let is_place = |(at, b): (usize, u8)| {
        if at == 4 || at == 7 {
            b == b'-'
        } else {
            b.is_ascii_digit()
        }
    };
    text.len() == 10 && text.bytes().enumerate().all(is_place)
}

/// FNV-1a, so that two files of one day have two names.
fn fingerprint(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_dated() {
        let table = Table::built_in();
        assert!(table.epoch().starts_with("2025-11-01-"), "{}", table.epoch());
        assert!(table.len() > 20 && !table.is_empty());
    }

    #[test]
    fn another_file_is_another_epoch() {
        let file = |price| {
            format!(r#"{{"date": "2026-01-02", "models": {{"m": {{"input": {price}, "output": 1}}}}}}"#)
        };
        let of = |price| Table::parse(&file(price)).unwrap().epoch().clone();
        assert!(of(1).starts_with("2026-01-02-"));
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
    }

    #[test]
    fn names_are_found_in_their_spellings_and_no_further() {
        let table = Table::built_in();
        let check = |model: &str, same_as: Option<&str>| {
            assert_eq!(
                table.price(model),
                same_as.and_then(|m| table.models.get(m)),
                "{model}"
            );
        };
        check("gpt-4o", Some("gpt-4o"));
        check("GPT-4o", Some("gpt-4o"));
        check("gpt-4o-2024-08-06", Some("gpt-4o"));
        check("gpt-4o-2024-05-13", Some("gpt-4o-2024-05-13"));
        check("openai/gpt-4o", Some("gpt-4o"));
        check("claude-sonnet-4-5-20250929", Some("claude-sonnet-4-5"));
        check("claude-sonnet-4-5@20250929", Some("claude-sonnet-4-5"));
        check("claude-3-5-haiku-latest", Some("claude-3-5-haiku"));
        check("gpt-4o-audio-preview", None);
        check("gpt-4o-2024", None);
        check("ft:gpt-4o-2024-08-06:acme::x", None);
        check("", None);
        check("-latest", None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, want: &str| {
            let error = Table::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(want), "{text}: {error}");
        };
        let models = |models: &str| format!(r#"{{"date": "2025-01-01", "models": {{{models}}}}}"#);
        check("{", "the file is not valid JSON");
        check("[]", "the file must be an object");
        check("{}", "`date` must be a day, such as");
        check(r#"{"date": "yesterday"}"#, "`date` must be a day, such as");
        check(r#"{"date": "2025-01-01"}"#, "there is no `models`");
        check(&models(r#""m": 1"#), "`models.m` must be an object");
        check(
            &models(r#""m": {"input": 1}"#),
            "there is no `output` in `models.m`",
        );
        check(
            &models(r#""m": {"in": 1}"#),
            "there is no `in` in `models.m`; there is input, output,",
        );
        check(
            &models(r#""m": {"input": -1, "output": 1}"#),
            "`input` in `models.m`: `-1` is not a decimal number of dollars",
        );
        check(
            &models(r#""m": {"input": true, "output": 1}"#),
            "`input` in `models.m` must be a number of dollars",
        );
        check(
            &models(r#""m": {"input": 1, "output": 1, "above": [{"input": 1, "output": 1}]}"#),
            "`tokens` in `above` of `models.m` must be a whole number",
        );
        check(&" ".repeat(MAX_FILE + 1), "the file is larger than");
    }
}
