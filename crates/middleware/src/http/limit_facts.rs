//! What a limit's decision was about, for whoever asks of a refusal. Told of refusals only: facts cost text, and whoever is let
//! in asks nothing.

use std::borrow::Cow;
use trilithon_limit::{Nanos, clock::SECOND};

/// Names and values, as [`trilithon_flow::Decision`] holds them.
type Facts = Vec<(Cow<'static, str>, String)>;

/// How much there is, how much was asked for and how much was left.
pub(crate) fn of_units(limit: u64, cost: u64, remaining: u64, wait: Option<Nanos>) -> Facts {
    let mut facts = vec![
        ("limit.limit".into(), limit.to_string()),
        ("limit.cost".into(), cost.to_string()),
        ("limit.remaining".into(), remaining.to_string()),
    ];
    // Nobody can wait for more than there ever is.
    if let Some(wait) = wait.filter(|wait| *wait < Nanos::MAX) {
        facts.push(("limit.retry_after".into(), wait.div_ceil(SECOND).to_string()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told() {
        let check = |wait: Option<Nanos>, want: &str| {
            let facts = of_units(10, 3, 2, wait);
            let text: Vec<_> = facts.iter().map(|(n, v)| format!("{n}={v}")).collect();
            assert_eq!(
                text.join(" "),
                format!("limit.limit=10 limit.cost=3 limit.remaining=2{want}")
            );
        };
        check(None, "");
        check(Some(Nanos::MAX), "");
        check(Some(1), " limit.retry_after=1");
        check(Some(2 * SECOND + 1), " limit.retry_after=3");
    }
}
