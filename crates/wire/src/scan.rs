//! Eight bytes at a time: finding the end of a value, of a target, of a name.
//!
//! A word is taken with the first byte lowest. In a mask, the high bit of a byte stands for that byte.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Sets the high bit of every byte that is neither below `limit` (at most 0x7e) nor DEL. Every bit is exact.
#[inline(always)]
fn passing(w: u64, limit: u8) -> u64 {
    // One more, without the high bit: DEL becomes 0, and lies below the limit like the rest.
    let next = (w & !HIGHS).wrapping_add(ONES) & !HIGHS;
    (next + ONES * (0x7f - limit as u64)) | w
}

/// Position, from `from`, of the first byte that is below `limit` or DEL; the end of `buf` if there is none.
#[inline(always)]
pub fn find_below(buf: &[u8], from: usize, limit: u8) -> usize {
    let mut at = from;
    // Most ends are near.
    if let Some(pair) = buf.get(at..).and_then(|b| b.first_chunk::<16>()) {
        if let Some(n) = first_below(pair, limit) {
            return at + n;
        }
        at += 16;
    }
    // Long values go on in steps that the compiler makes vectors of.
    while let Some(block) = buf.get(at..).and_then(|b| b.first_chunk::<32>()) {
        let stops = |stops, &b: &u8| stops | u8::from(b < limit) | u8::from(b == 0x7f);
        if block.iter().fold(0, stops) != 0 {
            break;
        }
        at += 32;
    }
    while let Some(pair) = buf.get(at..).and_then(|b| b.first_chunk::<16>()) {
        if let Some(n) = first_below(pair, limit) {
            return at + n;
        }
        at += 16;
    }
    if let Some(word) = buf.get(at..).and_then(|b| b.first_chunk::<8>())
        && passing(u64::from_le_bytes(*word), limit) & HIGHS == HIGHS
    {
        at += 8;
    }
    let rest = &buf[at.min(buf.len())..];
    match buf.last_chunk::<8>() {
        // Together with bytes that were seen, and are cut off.
        Some(last) if !rest.is_empty() && rest.len() < 8 => {
            let stops = !passing(u64::from_le_bytes(*last), limit) & HIGHS;
            let stops = stops >> (8 * (8 - rest.len()));
            if stops == 0 {
                buf.len()
            } else {
                at + (stops.trailing_zeros() / 8) as usize
            }
        }
        _ => rest
            .iter()
            .position(|&b| b < limit || b == 0x7f)
            .map_or(buf.len(), |n| at + n),
    }
}

/// The first byte of sixteen that is below `limit` or DEL.
#[inline(always)]
fn first_below(pair: &[u8; 16], limit: u8) -> Option<usize> {
    let pair = u128::from_le_bytes(*pair);
    let (a, b) = (passing(pair as u64, limit), passing((pair >> 64) as u64, limit));
    if a & b & HIGHS == HIGHS {
        return None;
    }
    let (stops, from) = if a & HIGHS != HIGHS {
        (!a & HIGHS, 0)
    } else {
        (!b & HIGHS, 8)
    };
    Some(from + (stops.trailing_zeros() / 8) as usize)
}

/// Position of the first `:` among the first bytes, as many as a known name has; `None` if it is further on.
#[inline(always)]
pub fn find_colon(buf: &[u8]) -> Option<usize> {
    const COLONS: u64 = ONES * b':' as u64;
    for (word, at) in buf.chunks_exact(8).zip([0, 8, 16, 24, 32]) {
        let word = u64::from_le_bytes(word.try_into().ok()?) ^ COLONS;
        // The lowest bit that is set is exact, which is all that is asked.
        let found = word.wrapping_sub(ONES) & !word & HIGHS;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// Up to eight bytes of a field name, in canonical spelling.
pub struct NameWord {
    /// The bytes of the name, and what follows them as it was.
    pub bytes: u64,
    /// How many belong to the name; 8 when the colon was not seen.
    pub len: usize,
    /// Whether the next byte would be upper case.
    pub upper: bool,
}

/// Reads a word of a field name made of letters and `-`, up to its colon. `None` for any other byte.
#[inline(always)]
pub fn name_word(w: u64, upper: bool) -> Option<NameWord> {
    let seven = w & !HIGHS;
    let equal = |b: u8| !((seven ^ (ONES * b as u64)).wrapping_add(ONES * 0x7f)) & HIGHS;
    let (dash, colon) = (equal(b'-'), equal(b':') & !w);
    // This bit makes letters lower case, leaves `-` and `:` as they are, and never makes a letter of anything else.
    let lower = seven | (ONES * 0x20);
    let letter = (lower + ONES * (0x80 - b'a' as u64)) & !(lower + ONES * (0x7f - b'z' as u64)) & HIGHS;
    let other = (!(letter | dash) | w) & HIGHS;
    // Up to the first colon, nothing but the colon may be other; without a colon, nothing at all.
    let read = colon ^ colon.wrapping_sub(1);
    if (other ^ colon) & read != 0 {
        return None;
    }
    let first = (dash << 8) | if upper { 0x80 } else { 0 };
    let name = lower & !((first & letter) >> 2);
    if colon == 0 {
        return Some(NameWord {
            bytes: name,
            len: 8,
            upper: dash >> 63 != 0,
        });
    }
    let mine = read >> 8;
    let len = (colon.trailing_zeros() / 8) as usize;
    Some(NameWord {
        bytes: (name & mine) | (w & !mine),
        len,
        upper: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::canonicalize;

    #[test]
    fn finds_the_first_byte_of_every_kind_at_every_place() {
        for limit in [0x20u8, 0x21] {
            for len in 0..70usize {
                assert_eq!(find_below(&vec![b'a'; len], 0, limit), len);
                assert_eq!(find_below(&vec![1; len], len, limit), len);
                for at in 0..len {
                    for b in 0..=255u8 {
                        let mut buf = vec![0xffu8; len];
                        buf[at] = b;
                        let want = if b < limit || b == 0x7f { at } else { len };
                        assert_eq!(find_below(&buf, 0, limit), want, "{b:#x} at {at} of {len}");
                        // What stands before the start is not looked at.
                        let want = if b < limit || b == 0x7f { len } else { want };
                        assert_eq!(
                            find_below(&buf, at + 1, limit),
                            want,
                            "{b:#x} before {at} of {len}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn finds_the_first_colon() {
        for len in 0..60usize {
            for at in 0..len {
                for fill in [b';', b'9', 0xba, 0] {
                    let mut buf = vec![fill; len];
                    buf[at] = b':';
                    buf[len - 1] = b':';
                    let want = (at < 40 && at / 8 < len / 8).then_some(at);
                    assert_eq!(find_colon(&buf), want, "{fill:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_name_word_is_what_the_slow_way_gives() {
        let check = |text: &[u8; 8], upper: bool| {
            let end = text.iter().position(|&b| b == b':').unwrap_or(8);
            let plain = text[..end].iter().all(|&b| b.is_ascii_alphabetic() || b == b'-');
            let got = name_word(u64::from_le_bytes(*text), upper);
            assert_eq!(got.is_some(), plain, "{text:?}");
            let Some(got) = got else { return };
            assert_eq!(got.len, end);
            let mut want = if upper { Vec::new() } else { b"a".to_vec() };
            want.extend_from_slice(&text[..end]);
            canonicalize(&mut want);
            assert_eq!(
                &got.bytes.to_le_bytes()[..end],
                &want[want.len() - end..],
                "{text:?}"
            );
            if end == 8 {
                assert_eq!(got.upper, text[7] == b'-');
            }
        };
        for b in 0..=255u8 {
            for at in 0..8 {
                for base in [b"conTENT-", b"a-B-cz-D", b"x-a:\xff\x00\r\n", b"HOST: ab"] {
                    for upper in [true, false] {
                        let mut text = *base;
                        text[at] = b;
                        check(&text, upper);
                    }
                }
            }
        }
    }
}
