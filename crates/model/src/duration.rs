//! Durations with Go's spelling: what configuration accepts and what the API prints.

use std::fmt;

/// Nanoseconds, possibly negative. A plain whole number in configuration means seconds; otherwise Go's spelling
/// (`300ms`, `1m30s`, `-1.5h`; units `ns`, `us`, `µs`, `ms`, `s`, `m`, `h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl Duration {
    /// No time at all; for most options: no limit.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Seconds as a fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// True for no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// True for less than no time.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The standard type; negative becomes zero.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(if self.0 < 0 { 0 } else { self.0 as u64 })
    }

    /// Nothing for zero or less, which for most options means no limit.
    pub const fn to_std_opt(self) -> Option<std::time::Duration> {
        if self.0 > 0 { Some(self.to_std()) } else { None }
    }

    /// Reads seconds or Go's spelling.
    ///
    /// # Errors
    /// A phrase saying what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(secs) = text.parse::<i64>() {
            return secs.checked_mul(1_000_000_000).map(Self).ok_or(TOO_LARGE);
        }
        parse_go(text)
    }
}

const TOO_LARGE: &str = "larger than about 292 years";

fn parse_go(text: &str) -> Result<Duration, &'static str> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest.is_empty() {
        return Err("empty");
    }
    if rest == "0" {
        return Ok(Duration(0));
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = component(rest)?;
        total += nanos;
        if total > i128::from(i64::MAX) + 1 {
            return Err(TOO_LARGE);
        }
        rest = after;
    }
    let total = if negative { -total } else { total };
    i64::try_from(total).map(Duration).map_err(|_| TOO_LARGE)
}

/// One number with its unit -> nanoseconds and what follows.
fn component(text: &str) -> Result<(i128, &str), &'static str> {
    let whole_len = digits(text);
    let mut after = &text[whole_len..];
    let mut fraction = "";
    if let Some(tail) = after.strip_prefix('.') {
        let len = digits(tail);
        (fraction, after) = tail.split_at(len);
    }
    if whole_len == 0 && fraction.is_empty() {
        return Err("not a number with a unit");
    }
    let unit_len = after
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(after.len());
    let (unit, after) = after.split_at(unit_len);
    if unit.is_empty() {
        return Err("a unit is missing (`ns`, `us`, `ms`, `s`, `m`, `h`)");
    }
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err("unknown unit; known are `ns`, `us`, `ms`, `s`, `m`, `h`");
    };
    let whole: i128 = if whole_len == 0 {
        0
    } else {
        text[..whole_len].parse().map_err(|_| TOO_LARGE)?
    };
    let nanos = whole.checked_mul(i128::from(*scale)).ok_or(TOO_LARGE)? + part(fraction, *scale);
    if nanos > i128::from(i64::MAX) + 1 {
        Err(TOO_LARGE)
    } else {
        Ok((nanos, after))
    }
}

/// The nanoseconds of a decimal fraction of a unit, rounded down.
fn part(fraction: &str, scale: i64) -> i128 {
    let mut value = 0_i128;
    let mut place = i128::from(scale) * 1_000_000;
    for digit in fraction.bytes() {
        place /= 10;
        value += i128::from(digit - b'0') * place;
    }
    value / 1_000_000
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanos = self.0.unsigned_abs();
        match nanos {
            0..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}µs", decimal(nanos, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", decimal(nanos, 1_000_000)),
            _ => clock(f, nanos),
        }
    }
}

fn clock(f: &mut fmt::Formatter<'_>, nanos: u64) -> fmt::Result {
    let (minutes, seconds) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
    if minutes >= 60 {
        write!(f, "{}h", minutes / 60)?;
    }
    if minutes > 0 {
        write!(f, "{}m", minutes % 60)?;
    }
    write!(f, "{}s", decimal(seconds, 1_000_000_000))
}

/// A quotient without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        match Duration::parse(text) {
            Ok(d) => assert_eq!(d.to_string(), shown, "{text}"),
            Err(e) => assert_eq!(format!("error: {e}"), shown, "{text}"),
        }
    }

    #[test]
    fn durations_read_and_print_as_in_go() {
        check("10", "10s");
        check("-1", "-1s");
        check("0", "0s");
        check("100ms", "100ms");
        check("60s", "1m0s");
        check("180s", "3m0s");
        check("1h", "1h0m0s");
        check("1h15m30.918s", "1h15m30.918s");
        check("1.5s", "1.5s");
        check(".5s", "500ms");
        check("5.s", "5s");
        check("1us", "1µs");
        check("1500µs", "1.5ms");
        check("1ns", "1ns");
        check("-1m", "-1m0s");
        check("+5s", "5s");
        check("2562047h47m16.854775807s", "2562047h47m16.854775807s");
        check("", "error: empty");
        check("-", "error: empty");
        check(
            "1.5",
            "error: a unit is missing (`ns`, `us`, `ms`, `s`, `m`, `h`)",
        );
        check(
            "5 s",
            "error: unknown unit; known are `ns`, `us`, `ms`, `s`, `m`, `h`",
        );
        check(
            "1d",
            "error: unknown unit; known are `ns`, `us`, `ms`, `s`, `m`, `h`",
        );
        check("ten", "error: not a number with a unit");
        check("9999999999999", "error: larger than about 292 years");
        check("3000000h", "error: larger than about 292 years");
    }
}
