//! Writing values so that nothing from outside can end a line or a quoted text.

use std::net::IpAddr;

/// Appends a number.
#[inline]
pub fn number(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends an address.
pub fn ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            let (mut text, mut len) = ([b'.'; 16], 0);
            for octet in v4.octets() {
                for (digit, least) in [(octet / 100, 100), (octet / 10 % 10, 10), (octet % 10, 0)] {
                    text[len] = b'0' + digit;
                    len += usize::from(octet >= least);
                }
                text[len] = b'.';
                len += 1;
            }
            out.extend_from_slice(&text[..len - 1]);
        }
        IpAddr::V6(v6) => out.extend_from_slice(v6.to_string().as_bytes()),
    }
}

/// Appends text of a CLF line outside of quotes: control bytes as `\xNN`.
pub fn plain(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        return out.extend_from_slice(text);
    }
    for &b in text {
        if b < 0x20 || b == 0x7f {
            control(out, b)
        } else {
            out.push(b)
        }
    }
}

/// Whether there is no control byte, quote or backslash. Looked at in words: a loop over bytes costs more than the rest.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x80 * ONES;
    let special = |word: u64| {
        // Below a space, or equal to one of three bytes. A byte from 0x80 is neither.
        let is = |b: u8| (word ^ (ONES * u64::from(b))).wrapping_sub(ONES);
        let below = word.wrapping_sub(ONES * 0x20);
        (below | is(0x7f) | is(b'"') | is(b'\\')) & !word & HIGHS
    };
    let (words, rest) = text.as_chunks::<8>();
    // What is behind the last whole word is looked at together with bytes that were seen, where there are as many.
    let last = text.last_chunk::<8>().copied().unwrap_or_else(|| {
        let mut last = [b' '; 8];
        last[..rest.len()].copy_from_slice(rest);
        last
    });
    words
        .iter()
        .chain([&last])
        .all(|word| special(u64::from_le_bytes(*word)) == 0)
}

/// Appends text of a CLF line between quotes, which are not written here.
///
/// A quote becomes `\"` and control bytes `\xNN`. A backslash stays as it is, as in Traefik, unless what follows would give
/// it a meaning: before a quote and at the end it is doubled, so that the text always ends where it seems to.
pub fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        return out.extend_from_slice(text);
    }
    let mut slashes = 0;
    for &b in text {
        match b {
            b'\\' => slashes += 1,
            b'"' => out.extend(std::iter::repeat_n(b'\\', slashes + 1)),
            _ => {}
        }
        if b != b'\\' {
            slashes = 0;
        }
        if b < 0x20 || b == 0x7f {
            control(out, b)
        } else {
            out.push(b)
        }
    }
    out.extend(std::iter::repeat_n(b'\\', slashes));
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn control(out: &mut Vec<u8>, b: u8) {
    out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
}

/// Appends a JSON string with its quotes, escaped as Go's encoder does: also `<`, `>`, `&`, U+2028 and U+2029; bytes that
/// are no UTF-8 become U+FFFD.
pub fn json(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    json_inner(out, text);
    out.push(b'"');
}

/// [`json`] without the quotes.
pub fn json_inner(out: &mut Vec<u8>, text: &[u8]) {
    let special = |b: u8| !(0x20..0x7f).contains(&b) | matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&');
    if !text.iter().fold(false, |bad, &b| bad | special(b)) {
        return out.extend_from_slice(text);
    }
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            json_char(out, c);
        }
        // Go replaces byte by byte.
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn json_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '<' | '>' | '&' | '\0'..='\x1f' => {
            let b = c as u8;
            out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(b >> 4)],
                HEX[usize::from(b & 15)],
            ]);
        }
        '\u{2028}' => out.extend_from_slice(b"\\u2028"),
        '\u{2029}' => out.extend_from_slice(b"\\u2029"),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: fn(&mut Vec<u8>, &[u8]), input: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, input);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_end_where_they_seem_to() {
        let check = |input: &str, want: &str| assert_eq!(text(quoted, input.as_bytes()), want);
        check("curl/8", "curl/8");
        check(r#"a "b" \c"#, r#"a \"b\" \c"#);
        check("end\\", "end\\\\");
        check(r#"a\" 200 "#, r#"a\\\" 200 "#);
        check("a\nb\u{7f}\0", "a\\x0ab\\x7f\\x00");
    }

    #[test]
    fn plain_text_stays_on_its_line() {
        assert_eq!(
            text(plain, b"u\r\n127.0.0.1 \x1b[2J"),
            "u\\x0d\\x0a127.0.0.1 \\x1b[2J"
        );
    }

    #[test]
    fn json_is_what_go_writes() {
        let check = |input: &[u8], want: &str| assert_eq!(text(json, input), want);
        check(b"plain", r#""plain""#);
        check(b"a\"b\\c\n\t\x08\x0c\x01", r#""a\"b\\c\n\t\b\f\u0001""#);
        check(b"<&>", r#""\u003c\u0026\u003e""#);
        check("é\u{2028}".as_bytes(), "\"é\\u2028\"");
        check(b"x\xff\xfey", r#""x\ufffd\ufffdy""#);
    }

    #[test]
    fn addresses() {
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "255.0.10.99",
            "9.109.100.200",
            "::1",
            "2001:db8::1",
        ] {
            let mut out = Vec::new();
            ip(&mut out, address.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), address);
        }
    }
}
