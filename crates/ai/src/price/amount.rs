//! Money as whole numbers of billionths of a US dollar.

use std::fmt;

/// Billionths of a dollar in one.
const NANO: u128 = 1_000_000_000;
/// Digits behind the point that are read.
const DIGITS: usize = 9;
/// The largest amount that is read: more whole dollars than there are.
const MOST: u64 = 1_000_000_000;

/// A US dollar amount that was written as a decimal number, in billionths.
///
/// # Errors
/// It is none, is negative, has an exponent, is over a billion, or has more than nine digits behind the point.
pub fn parse(text: &str) -> Result<u64, Invalid> {
    let invalid = |why: &'static str| Invalid {
        text: text.chars().take(40).collect(),
        why,
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) || text.ends_with('.') {
        return Err(invalid("is not a decimal number of dollars"));
    }
    if part.len() > DIGITS {
        return Err(invalid("has more than nine digits behind the point"));
    }
    let whole: u64 = whole
        .parse()
        .ok()
        .filter(|n| *n <= MOST)
        .ok_or_else(|| invalid("is over a billion dollars"))?;
    let part: u64 = format!("{part:0<DIGITS$}").parse().unwrap_or(0);
    Ok(whole * NANO as u64 + part)
}

/// What is no amount of money, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    text: String,
    why: &'static str,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.text, self.why)
    }
}

impl std::error::Error for Invalid {}

/// Billionths of a dollar, written as dollars: exact, with no more digits than there are.
pub struct Dollars(pub i128);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, sign) = (self.0.unsigned_abs(), if self.0 < 0 { "-" } else { "" });
        let (whole, part) = (all / NANO, all % NANO);
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let part = format!("{part:0DIGITS$}");
        write!(f, "{sign}{whole}.{}", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let check = |text: &str, want: u64| {
            assert_eq!(parse(text), Ok(want), "{text}");
            assert_eq!(parse(&Dollars(want.into()).to_string()), Ok(want), "{text} again");
        };
        check("0", 0);
        check("2.5", 2_500_000_000);
        check("0.075", 75_000_000);
        check("0.000000001", 1);
        check("18.75", 18_750_000_000);
        check("1000000000", 1_000_000_000_000_000_000);
        assert_eq!(Dollars(-1_500_000_000).to_string(), "-1.5");
    }

    #[test]
    fn what_is_no_amount() {
        let check = |text: &str, want: &str| assert_eq!(parse(text).unwrap_err().to_string(), want);
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e-7", "1,5", " 1", "١"] {
            check(text, &format!("`{text}` is not a decimal number of dollars"));
        }
        check(
            "0.0000000001",
            "`0.0000000001` has more than nine digits behind the point",
        );
        check("1000000001", "`1000000001` is over a billion dollars");
        check(
            "99999999999999999999999",
            "`99999999999999999999999` is over a billion dollars",
        );
    }
}
