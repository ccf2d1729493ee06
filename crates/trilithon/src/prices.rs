//! The prices of models: the user's file, or those that are built in.

use anyhow::Context;
use std::io::Read;
use std::sync::Arc;
use trilithon_ai::price::{MAX_FILE, Table};
use trilithon_flow::metrics::registry;
use trilithon_model::install::Static;

/// The prices that this configuration names.
///
/// # Errors
/// The file cannot be read, or is no file of prices: budgets would go by other prices than were meant.
pub fn load(config: &Static) -> anyhow::Result<Arc<Table>> {
    let path = config.ai.as_ref().map_or("", |ai| ai.prices.as_str());
    if path.is_empty() {
        return Ok(Table::built_in());
    }
    let place = || format!("`ai.prices`: `{path}`");
    let mut text = String::new();
    // One byte more than is allowed tells a file that is too large.
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_string(&mut text))
        .with_context(|| format!("{} cannot be read", place()))?;
    Ok(Arc::new(Table::parse(&text).with_context(place)?))
}

/// Shows in the metrics which prices these are.
pub fn announce(table: &Table) {
    let models = registry().gauge(
        "trilithon_model_prices",
        "Models that have a price, by the date and fingerprint of the price table.",
        &[("epoch", table.epoch())],
    );
    models.set(i64::try_from(table.len()).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::install::Ai;

    fn load_from(prices: &str) -> Result<Arc<Table>, String> {
        let config = Static {
            ai: Some(Ai {
                prices: prices.into(),
            }),
            ..Static::default()
        };
        load(&config).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn files() {
        let folder = trilithon_testkit::Folder::new("prices");
        let check = |content: &str, want: Result<&str, &str>| {
            let path = folder.write("prices.json", content);
            let got = load_from(&path.display().to_string());
            match (got, want) {
                (Ok(table), Ok(epoch)) => assert!(table.epoch().starts_with(epoch), "{}", table.epoch()),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (got, want) => panic!("{got:?} in place of {want:?}"),
            }
        };
        check(
            r#"{"date": "2026-03-04", "models": {"m": {"input": 1, "output": 2}}}"#,
            Ok("2026-03-04-"),
        );
        check("{}", Err("prices.json`: `date` must be a day"));
        check(&" ".repeat(MAX_FILE + 9), Err("the file is larger than"));
        let missing = load_from("/nowhere/prices.json").unwrap_err();
        assert!(
            missing.starts_with("`ai.prices`: `/nowhere/prices.json` cannot be read"),
            "{missing}"
        );
        assert_eq!(load_from("").unwrap(), Table::built_in());
    }
}
