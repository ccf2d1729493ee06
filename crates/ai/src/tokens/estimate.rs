//! A guess at tokens from text alone, in one pass.
//!
//! Byte pair encodings of today take four to five letters of English to a token, up to three digits, and about one
//! character of scripts that are not Latin. A guess goes by kind of byte: a letter or blank is a quarter of
//! a token, a digit or sign the half of one, a character beyond ASCII one whole.

use super::Family;

/// Quarters of a token for each ASCII letter or blank, …
const LETTER: u64 = 1;
/// … for each other ASCII character, …
const SIGN: u64 = 2;
/// … and for each character beyond ASCII.
const WIDE: u64 = 4;

/// A family's weight, in hundredths: how many more tokens it makes of the same text.
fn weight(family: Family) -> u64 {
    match family {
        Family::O200k | Family::Google => 100,
        Family::Cl100k | Family::Other => 105,
        Family::Anthropic => 120,
    }
}

/// A guess at the tokens of `text`. More text never gives less.
pub fn estimate(family: Family, text: &[u8]) -> u64 {
    let quarters: u64 = text.iter().map(|byte| quarters(*byte)).sum();
    quarters.saturating_mul(weight(family)).div_ceil(400)
}

fn quarters(byte: u8) -> u64 {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b' ' => LETTER,
        // The bytes of a character after its first.
        0x80..=0xbf => 0,
        0xc0.. => WIDE,
        _ => SIGN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses() {
        let check =
            |text: &str, want: u64| assert_eq!(estimate(Family::O200k, text.as_bytes()), want, "{text}");
        check("", 0);
        check("a", 1);
        check("The quick brown fox jumps over the lazy dog", 11);
        check("2024", 2);
        check("{\"a\":1}", 4);
        check("こんにちは", 5);
        check("naïve", 2);
    }

    #[test]
    fn more_text_never_gives_less() {
        let text = "Größe 12, こんにちは {\"a\": [1, 2]}\n".as_bytes();
        for family in Family::ALL {
            let all: Vec<u64> = (0..=text.len()).map(|n| estimate(family, &text[..n])).collect();
            assert!(all.is_sorted(), "{family:?} {all:?}");
        }
    }
}
