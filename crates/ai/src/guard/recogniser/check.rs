//! What a match must satisfy beside its pattern. Each says how many bytes of the match, from its beginning, are meant.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::net::{Ipv4Addr, Ipv6Addr};
use trilithon_wire::is_unseen;

/// All of it, where it begins with a character that nobody sees.
pub fn unseen(text: &str) -> Option<usize> {
    text.starts_with(is_unseen).then_some(text.len())
}

/// The longest beginning of the match that an issuer could have given out and whose Luhn sum fits.
pub fn card(text: &str) -> Option<usize> {
    let fits = |end: &usize| {
        let digits: Vec<u8> = text[..*end].bytes().filter(u8::is_ascii_digit).collect();
        is_issued(&digits) && luhn(&digits)
    };
    ends(text).find(fits)
}

/// Whether a number has the length that its first four digits call for.
fn is_issued(digits: &[u8]) -> bool {
    let prefix = digits
        .iter()
        .take(4)
        .fold(0u32, |n, digit| n * 10 + u32::from(digit - b'0'));
    let lengths: &[usize] = match prefix {
        4000..=4999 => &[13, 16, 19],
        5100..=5599 | 2221..=2720 => &[16],
        3400..=3499 | 3700..=3799 => &[15],
        3000..=3059 | 3600..=3699 | 3800..=3999 => &[14, 16, 19],
        3528..=3589 => &[16, 17, 18, 19],
        6000..=6999 => &[16, 17, 18, 19],
        5000..=5099 | 5600..=5899 => &[12, 13, 14, 15, 16, 17, 18, 19],
        _ => &[],
    };
    lengths.contains(&digits.len())
}

/// Where a number could end: at the end, and before each separator, the longest first.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    let separators = text.char_indices().rev().filter(|(_, c)| matches!(c, ' ' | '-'));
    std::iter::once(text.len()).chain(separators.map(|(at, _)| at))
}

/// Luhn's sum (ISO/IEC 7812-1) over ASCII digits.
pub fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            match place % 2 {
                0 => digit,
                _ if digit > 4 => 2 * digit - 9,
                _ => 2 * digit,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The longest beginning whose check digits fit (ISO 7064 mod 97-10).
pub fn iban(text: &str) -> Option<usize> {
    let fits = |end: &usize| {
        let plain: Vec<u8> = text[..*end].bytes().filter(u8::is_ascii_alphanumeric).collect();
        (15..=34).contains(&plain.len()) && mod_97(&plain) == 1
    };
    ends(text).find(fits)
}

fn mod_97(iban: &[u8]) -> u32 {
    let (country, account) = iban.split_at(4);
    account.iter().chain(country).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
    })
}

/// One separator, and no group that is never given out; nor the number that was printed in advertisements.
pub fn ssn(text: &str) -> Option<usize> {
    let (area, group, serial) = (&text[..3], &text[4..6], &text[7..]);
    let given = area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000";
    let same = text.as_bytes()[3] == text.as_bytes()[6];
    (given && same && (area, group, serial) != ("078", "05", "1120")).then_some(text.len())
}

/// As many digits as a number has (ITU-T E.164: at most 15).
pub fn phone(text: &str) -> Option<usize> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (8..=15).contains(&digits).then_some(text.len())
}

/// An address; `::` alone is how many languages separate names.
pub fn ip(text: &str) -> Option<usize> {
    let is_ip =
        text.parse::<Ipv4Addr>().is_ok() || text.parse().is_ok_and(|ip: Ipv6Addr| !ip.is_unspecified());
    is_ip.then_some(text.len())
}

/// The header is JSON and names an algorithm (RFC 7515 §4.1.1).
pub fn jwt(text: &str) -> Option<usize> {
    let header = URL_SAFE_NO_PAD.decode(text.split('.').next()?).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    header.get("alg")?.is_string().then_some(text.len())
}
