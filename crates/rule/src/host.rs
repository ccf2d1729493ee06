//! Host names as rules compare them.

use std::borrow::Cow;

/// The host of a request as matchers see it: port and brackets removed, spaces trimmed, lower case. A trailing dot stays.
///
/// `Example.COM:80` is `example.com`, `[::1]:80` is `::1`, and what is no host with a port is kept whole.
pub fn canonical_host(host: &[u8]) -> Cow<'_, [u8]> {
    // Without a way out in the middle, a short text is through in no time; most hosts need nothing else.
    if host.iter().fold(true, |all, b| all & PLAIN[*b as usize]) {
        return host.into();
    }
    let plain = host
        .iter()
        .position(|b| !PLAIN[*b as usize])
        .unwrap_or(host.len());
    match &host[plain..] {
        [b':', port @ ..] if port.iter().all(u8::is_ascii_digit) => host[..plain].into(),
        _ => odd_host(host),
    }
}

/// What stands in most host names, and is canonical as it is.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut b = 0;
    while b < 256 {
        plain[b] = matches!(b as u8, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        b += 1;
    }
    plain
};

fn odd_host(host: &[u8]) -> Cow<'_, [u8]> {
    let host = without_port(host).trim_ascii();
    if host.iter().any(u8::is_ascii_uppercase) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    let Some(colon) = host.iter().rposition(|b| *b == b':') else {
        return host;
    };
    if let Some(inner) = host.strip_prefix(b"[") {
        return match inner.iter().position(|b| *b == b']') {
            // `[::1]` alone, or with exactly one colon right behind the bracket.
            Some(end) if end + 2 == host.len() || end + 2 == colon => &inner[..end],
            _ => host,
        };
    }
    let name = &host[..colon];
    if name.iter().any(|b| matches!(b, b':' | b'[' | b']')) {
        host
    } else {
        name
    }
}

/// Without one trailing dot, which a rule and a request may have or not.
pub(crate) fn undotted(host: &[u8]) -> &[u8] {
    match host {
        [name @ .., b'.'] if !name.is_empty() => name,
        _ => host,
    }
}

/// What stands behind the first label; none for a single label or an empty first one.
pub(crate) fn parent(host: &[u8]) -> Option<&[u8]> {
    let dot = host.iter().position(|b| *b == b'.').filter(|dot| *dot > 0)?;
    Some(&host[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: &str) {
        assert_eq!(canonical_host(host.as_bytes()), expected.as_bytes(), "{host}");
    }

    #[test]
    fn canonical() {
        check("", "");
        check("a.test", "a.test");
        check("A.Test:80", "a.test");
        check("a.test:", "a.test");
        check("a.test.:81", "a.test.");
        check(" a.test ", "a.test");
        check("127.0.0.1:5", "127.0.0.1");
        check("[::1]", "::1");
        check("[::1]:80", "::1");
        check("[FE80::1]:80", "fe80::1");
        check("::1", "::1");
        check("[::1", "[::1");
        check("[::1]x:80", "[::1]x:80");
        check("a]:80", "a]:80");
        check(":80", "");
        check(":", "");
    }

    #[test]
    fn labels() {
        assert_eq!(parent(b"x.w.test"), Some(&b"w.test"[..]));
        assert_eq!(parent(b"x"), None);
        assert_eq!(parent(b".x"), None);
        assert_eq!(undotted(b"a."), b"a");
        assert_eq!(undotted(b"."), b".");
    }
}
