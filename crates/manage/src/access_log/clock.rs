//! Times as text. What is the same for all lines of a second is made once in it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::{Duration, SystemTime};

/// The texts of the last seconds asked for. One per worker.
#[derive(Default)]
pub struct Clock {
    start: Second,
    end: Second,
    zone: Option<TimeZone>,
}

/// The texts of one second.
#[derive(Default)]
pub struct Second {
    at: Option<u64>,
    /// `02/Jan/2006:15:04:05 +0000`
    pub clf_utc: String,
    /// The same in local time.
    pub clf_local: String,
    /// `2006-01-02T15:04:05`
    pub utc: String,
    pub local: String,
    /// `Z` or `+01:00`.
    pub offset: String,
}

impl Clock {
    /// The second in which an exchange began, and the nanoseconds in it.
    #[inline]
    pub fn start(&mut self, at: SystemTime) -> (&Second, u32) {
        let since = since_epoch(at);
        if self.start.at != Some(since.as_secs()) {
            self.start = Second::of(since.as_secs(), self.zone.get_or_insert_with(TimeZone::system));
        }
        (&self.start, since.subsec_nanos())
    }

    /// The second in which it ended.
    #[inline]
    pub fn end(&mut self, at: SystemTime) -> &Second {
        let since = since_epoch(at);
        if self.end.at != Some(since.as_secs()) {
            self.end = Second::of(since.as_secs(), self.zone.get_or_insert_with(TimeZone::system));
        }
        &self.end
    }
}

impl Second {
    fn of(at: u64, zone: &TimeZone) -> Second {
        let stamp = i64::try_from(at)
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok())
            .unwrap_or_default();
        let utc = stamp.to_zoned(TimeZone::UTC);
        let local = stamp.to_zoned(zone.clone());
        let offset = local.strftime("%:z").to_string();
        Second {
            at: Some(at),
            clf_utc: utc.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            clf_local: local.strftime("%d/%b/%Y:%H:%M:%S %z").to_string(),
            utc: utc.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            local: local.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            offset: if offset == "+00:00" {
                "Z".to_owned()
            } else {
                offset
            },
        }
    }
}

fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The fraction of a second as Go's `RFC3339Nano` prints it: without trailing zeros, and nothing for zero.
pub fn write_fraction(out: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let mut digits = [b'0'; 10];
    digits[0] = b'.';
    let mut rest = nanos;
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let end = digits.iter().rposition(|&d| d != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(&digits[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds() {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_136_214_245, 120_000_000);
        let mut clock = Clock {
            zone: Some(TimeZone::fixed(jiff::tz::offset(-7))),
            ..Clock::default()
        };
        let (second, nanos) = clock.start(at);
        assert_eq!(
            (second.clf_utc.as_str(), nanos),
            ("02/Jan/2006:15:04:05 +0000", 120_000_000)
        );
        assert_eq!(second.clf_local, "02/Jan/2006:08:04:05 -0700");
        assert_eq!(
            (second.utc.as_str(), second.local.as_str()),
            ("2006-01-02T15:04:05", "2006-01-02T08:04:05")
        );
        assert_eq!(second.offset, "-07:00");
        clock.zone = Some(TimeZone::UTC);
        assert_eq!(clock.end(at).offset, "Z");
    }

    #[test]
    fn fractions() {
        let check = |nanos: u32, want: &str| {
            let mut out = Vec::new();
            write_fraction(&mut out, nanos);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        };
        check(0, "");
        check(1, ".000000001");
        check(120_000_000, ".12");
        check(999_999_999, ".999999999");
        check(1_000, ".000001");
    }
}
