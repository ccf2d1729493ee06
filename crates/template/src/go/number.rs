//! Numbers as Go reads and writes them.

/// Why a text is no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotInt {
    Syntax,
    Range,
}

/// `strconv.ParseInt(text, 0, 64)`: the prefix names the base, and underscores separate digits.
pub(crate) fn int_base0(text: &str) -> Result<i64, NotInt> {
    let (negative, unsigned) = sign(text);
    let lower = unsigned.to_ascii_lowercase();
    let (radix, digits, prefixed) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..], true),
        [b'0', b'o', ..] => (8, &lower[2..], true),
        [b'0', b'b', ..] => (2, &lower[2..], true),
        [b'0', _, ..] => (8, &lower[1..], true),
        _ => (10, lower.as_str(), false),
    };
    int_of(
        negative,
        &without_underscores(digits, prefixed).ok_or(NotInt::Syntax)?,
        radix,
    )
}

/// `strconv.ParseInt(text, radix, 64)`.
pub(crate) fn int(text: &str, radix: u32) -> Result<i64, NotInt> {
    let (negative, digits) = sign(text);
    int_of(negative, digits, radix)
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn int_of(negative: bool, digits: &str, radix: u32) -> Result<i64, NotInt> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NotInt::Syntax);
    }
    let magnitude = i128::from_str_radix(digits, radix).map_err(|_| NotInt::Range)?;
    let number = if negative { -magnitude } else { magnitude };
    i64::try_from(number).map_err(|_| NotInt::Range)
}

/// Underscores stand between digits, or between the base's prefix and a digit.
fn without_underscores(digits: &str, prefixed: bool) -> Option<String> {
    if !digits.contains('_') {
        return Some(digits.to_owned());
    }
    if (!prefixed && digits.starts_with('_')) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    Some(digits.replace('_', ""))
}

/// `strconv.ParseFloat(text, 64)`, without hexadecimal mantissas.
pub(crate) fn float(text: &str) -> Option<f64> {
    let (negative, unsigned) = sign(text);
    let number: f64 = match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        digits if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            without_underscores(digits, false)?.parse().ok()?
        }
        _ => return None,
    };
    // Too large is an error to Go.
    let named = unsigned.starts_with(['i', 'I']);
    (!number.is_infinite() || named).then_some(if negative { -number } else { number })
}

/// `strconv.FormatFloat(number, 'g', precision, 64)`; without a precision as many digits as needed.
pub(crate) fn general(number: f64, precision: Option<usize>) -> String {
    if let Some(special) = special(number) {
        return special;
    }
    let precision = precision.map(|p| p.max(1));
    let (negative, digits, exponent) = decimal(number, precision);
    let count = digits.len() as i32;
    let limit = match precision.map(|p| p as i32) {
        None => 6,
        // A whole number with no more digits than the precision stands as it is.
        Some(p) if p > count && count > exponent => count,
        Some(p) => p,
    };
    let text = if exponent < -4 || exponent >= limit {
        with_exponent(&digits, exponent)
    } else {
        plain(&digits, exponent)
    };
    if negative { format!("-{text}") } else { text }
}

/// As Go's JSON has it: an exponent below 1e-06 and from 1e+21.
pub(crate) fn json(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let (negative, digits, exponent) = decimal(number, None);
    let text = if number != 0.0 && !(-6..21).contains(&exponent) {
        with_exponent(&digits, exponent).replace("e-0", "e-")
    } else {
        plain(&digits, exponent)
    };
    Some(if negative { format!("-{text}") } else { text })
}

/// Sign, significant digits and the exponent of the first one.
fn decimal(number: f64, precision: Option<usize>) -> (bool, String, i32) {
    let scientific = match precision {
        None => format!("{number:e}"),
        Some(p) => format!("{number:.*e}", p - 1),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_end_matches('0');
    let digits = if significant.is_empty() { "0" } else { significant };
    (
        mantissa.starts_with('-'),
        digits.to_owned(),
        exponent.parse().unwrap_or(0),
    )
}

fn special(number: f64) -> Option<String> {
    if number.is_nan() {
        Some("NaN".into())
    } else if number.is_infinite() {
        Some(if number > 0.0 { "+Inf" } else { "-Inf" }.into())
    } else {
        None
    }
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
}

fn plain(digits: &str, exponent: i32) -> String {
    let point = exponent + 1;
    if point <= 0 {
        let zeros = "0".repeat(point.unsigned_abs() as usize);
        return format!("0.{zeros}{digits}");
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{digits}{}", "0".repeat(point - digits.len()));
    }
    let (whole, fraction) = digits.split_at(point);
    format!("{whole}.{fraction}")
}

/// `strconv.FormatFloat(number, 'e', precision, 64)`.
pub(crate) fn exponential(number: f64, precision: usize) -> String {
    if let Some(special) = special(number) {
        return special;
    }
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `strconv.FormatFloat(number, 'f', precision, 64)`.
pub(crate) fn fixed(number: f64, precision: usize) -> String {
    special(number).unwrap_or_else(|| format!("{number:.precision$}"))
}
