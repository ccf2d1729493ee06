//! Which exchanges are written: one that any of the filters wants, or all when there is no filter.

use std::ops::RangeInclusive;
use std::time::Duration;
use trilithon_flow::Record;
use trilithon_model::install::AccessLogFilters;

/// The filters of the configuration.
#[derive(Debug, Default)]
pub struct Filter {
    statuses: Vec<RangeInclusive<u16>>,
    retries: bool,
    min_duration: Duration,
}

impl Filter {
    pub fn of(config: Option<&AccessLogFilters>) -> Filter {
        let Some(config) = config else {
            return Filter::default();
        };
        let ranges: Option<Vec<_>> = config.status_codes.iter().map(|text| range(text)).collect();
        if ranges.is_none() {
            tracing::error!(
                "`accessLog.filters.statusCodes` has a wrong range, the status filter is not used: {:?}",
                config.status_codes
            );
        }
        Filter {
            statuses: ranges.unwrap_or_default(),
            retries: config.retry_attempts,
            min_duration: config.min_duration.to_std(),
        }
    }

    /// Whether the exchange is written.
    #[inline]
    pub fn keeps(&self, record: &Record) -> bool {
        let none = self.statuses.is_empty() && !self.retries && self.min_duration.is_zero();
        none || self.statuses.iter().any(|range| range.contains(&record.status))
            || (self.retries && record.retries > 0)
            || (!self.min_duration.is_zero() && record.duration > self.min_duration)
    }
}

/// `200` or `200-299`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some(low.parse().ok()?..=high.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::Duration as Configured;

    #[test]
    fn any_filter_is_enough() {
        let check = |statuses: &[&str], retries: bool, min_ms: i64, exchange: (u16, u32, u64), want: bool| {
            let filter = Filter::of(Some(&AccessLogFilters {
                status_codes: statuses.iter().map(|s| (*s).to_owned()).collect(),
                retry_attempts: retries,
                min_duration: Configured::from_millis(min_ms),
            }));
            let (status, retries, ms) = exchange;
            let record = Record {
                status,
                retries,
                duration: Duration::from_millis(ms),
                ..Record::default()
            };
            assert_eq!(filter.keeps(&record), want, "{filter:?} {exchange:?}");
        };
        check(&[], false, 0, (200, 0, 1), true);
        check(&["404", "500-502"], false, 0, (200, 0, 1), false);
        check(&["404", "500-502"], false, 0, (501, 0, 1), true);
        check(&["201"], false, 200, (200, 0, 300), true);
        check(&["201"], false, 200, (200, 0, 100), false);
        check(&[], true, 0, (200, 1, 1), true);
        check(&[], true, 0, (200, 0, 1), false);
        check(&["abc"], false, 0, (200, 0, 1), true);
    }
}
