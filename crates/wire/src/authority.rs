//! Host and port as a request names them: which bytes may stand there (RFC 3986 §3.2, without user information).

/// Whether `text` can be the value of `Host`: a name, an IPv4 address or an IPv6 address in brackets, and a port from 1
/// to 65535. Empty is valid, as is an empty port (RFC 9110 §7.2).
///
/// Looser than DNS where software is (`_`, `*`, any label length), stricter than RFC 3986 where readers differ: no comma.
pub fn is_valid(text: &[u8]) -> bool {
    if text.first() == Some(&b'[') {
        return text.iter().position(|&b| b == b']').is_some_and(|end| {
            is_ipv6(&text[1..end])
                && matches!(&text[end + 1..], [] | [b':', ..])
                && is_port(text.get(end + 2..))
        });
    }
    // Without a way out in the middle, a short text is through in no time; most hosts need nothing else.
    if text.iter().fold(true, |all, &b| all & HOST[b as usize]) {
        return true;
    }
    let end = text.iter().position(|&b| !HOST[b as usize]);
    end.is_some_and(|end| end > 0 && text[end] == b':' && is_port(Some(&text[end + 1..])))
}

/// The authority of a target in absolute form (`http://host:80/path`); `None` if it is not in that form.
pub fn of_absolute(target: &[u8]) -> Option<&[u8]> {
    let colon = target.iter().position(|&b| b == b':')?;
    let (scheme, rest) = (&target[..colon], target[colon..].strip_prefix(b"://")?);
    let letters = scheme
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !letters || !scheme.first()?.is_ascii_alphabetic() {
        return None;
    }
    let end = rest
        .iter()
        .position(|&b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

fn is_port(text: Option<&[u8]>) -> bool {
    let Some(text) = text else { return true };
    if text.len() > 5 || !text.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = text.iter().fold(0u32, |n, d| n * 10 + u32::from(d - b'0'));
    text.is_empty() || (1..=65535).contains(&number)
}

/// A zone (`%25eth0`) is refused: it means something on one machine only.
fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|t| t.parse::<std::net::Ipv6Addr>().is_ok())
}

static HOST: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        t[i] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            );
        i += 1;
    }
    t
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in [
            "",
            "a",
            "a.test",
            "a.test.",
            "a.test..",
            "a_b",
            "*.w.test",
            "a:80",
            "a:",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:1",
            "x%41",
        ] {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        // A16
        for bad in [
            "a,b",
            "a b",
            "u@a",
            "a/b",
            "a:0",
            "a:70000",
            "a:123456",
            "a:8x",
            "a:1:2",
            ":80",
            "[::1",
            "[::1]x",
            "[::1]:0",
            "[fe80::1%25en0]",
            "[]",
            "a#",
            "a?b",
            "a\\b",
            "\u{e9}",
            "a\"",
            "<a>",
            "a\t",
            "::1",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn absolute_form() {
        let check = |target: &str, want: Option<&str>| {
            assert_eq!(
                of_absolute(target.as_bytes()),
                want.map(str::as_bytes),
                "{target}"
            );
        };
        check("http://a/b", Some("a"));
        check("HTTPS://a:1", Some("a:1"));
        check("http://a?b:c", Some("a"));
        check("http://u@a/", Some("u@a"));
        check("http:///x", Some(""));
        check("a:80", None);
        check("1http://a", None);
        check("foo", None);
        check("://a", None);
    }
}
