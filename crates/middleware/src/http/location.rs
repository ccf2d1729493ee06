//! A URL for a `Location` header, checked and written as Go's `net/url` does when it reads and prints one. Not a URL library:
//! nothing is resolved, and what is valid stays as it was written.

use trilithon_flow::target::escape_invalid;

/// The URL as Go prints it after reading it; `None` when Go cannot read it.
pub(crate) fn normalize(url: &str) -> Option<String> {
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    if url.bytes().any(|b| b < b' ' || b == 0x7f) || !escapes_are_whole(fragment) {
        return None;
    }
    let (scheme, rest) = scheme(url)?;
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let mut out = String::with_capacity(url.len() + 16);
    if !scheme.is_empty() {
        out.push_str(&scheme.to_ascii_lowercase());
        out.push(':');
    }
    push_hierarchy(path, scheme, &mut out)?;
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
    if !fragment.is_empty() {
        out.push('#');
        out.push_str(&escape_invalid(fragment));
    }
    Some(out)
}

/// The scheme, empty if there is none, and what follows its colon.
fn scheme(url: &str) -> Option<(&str, &str)> {
    for (at, b) in url.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at > 0 => return Some((&url[..at], &url[at + 1..])),
            b':' => return None,
            _ => break,
        }
    }
    Some(("", url))
}

/// Everything between scheme and query.
fn push_hierarchy(text: &str, scheme: &str, out: &mut String) -> Option<()> {
    let mut path = text;
    if !text.starts_with('/') {
        if !scheme.is_empty() {
            out.push_str(text); // opaque, such as `mailto:a@b`
            return Some(());
        }
        if text
            .split('/')
            .next()
            .is_some_and(|segment| segment.contains(':'))
        {
            return None;
        }
    } else if let Some(authority) = text.strip_prefix("//")
        && (!scheme.is_empty() || !text.starts_with("///"))
    {
        let end = authority.find('/').unwrap_or(authority.len());
        out.push_str("//");
        push_authority(&authority[..end], out)?;
        path = &authority[end..];
    }
    if !escapes_are_whole(path) {
        return None;
    }
    out.push_str(&escape_invalid(path));
    Some(())
}

fn push_authority(authority: &str, out: &mut String) -> Option<()> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if let Some(user) = user {
        if !user
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b))
            || !escapes_are_whole(user)
        {
            return None;
        }
        out.push_str(user);
        out.push('@');
    }
    let valid = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&b);
    if !host.bytes().all(valid) || !escapes_are_whole(host) || !port_is_valid(host)? {
        return None;
    }
    for b in host.bytes() {
        if b < 0x80 {
            out.push(b as char)
        } else {
            out.push_str(&format!("%{b:02X}"))
        }
    }
    Some(())
}

/// Whether what stands behind the host is nothing or a port; `None` for a bracket that is not closed.
fn port_is_valid(host: &str) -> Option<bool> {
    let behind = match host.strip_prefix('[') {
        Some(_) => &host[host.rfind(']')? + 1..],
        None => host.rfind(':').map_or("", |at| &host[at..]),
    };
    let Some(port) = behind.strip_prefix(':') else {
        return Some(behind.is_empty());
    };
    Some(port.bytes().all(|b| b.is_ascii_digit()))
}

fn escapes_are_whole(text: &str) -> bool {
    super::path::bad_escape(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, want: Option<&str>) {
        assert_eq!(normalize(url).as_deref(), want, "{url}");
    }

    #[test]
    fn valid_urls_stay() {
        for url in [
            "http://a.test/x?y=1",
            "https://a:8443",
            "http://[::1]:80/x",
            "/x/y?z",
            "x/y",
            "",
            "?q",
            "//a/b",
            "http://a/%2F?",
            "ftp://u:p@a/",
            "mailto:a@b",
            "http://a/b:c",
            "http:///x",
            "http://a/é?é#x".replace('é', "%C3%A9").as_str(),
            "http://a/x?a b",
        ] {
            check(url, Some(url));
        }
    }

    #[test]
    fn every_character_of_a_path_stays() {
        let pchar: String = (b'!'..=b'~')
            .map(char::from)
            .filter(|c| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(*c))
            .collect();
        check(
            &format!("http://a/{pchar}?{pchar}?"),
            Some(&format!("http://a/{pchar}?{pchar}?")),
        );
        let escaped = trilithon_flow::Target::from_path(&format!("/{pchar}"));
        assert_eq!(escaped.as_str(), format!("/{pchar}"));
    }

    #[test]
    fn others_are_mended_or_refused() {
        check("HTTP://A/x", Some("http://A/x"));
        check("http://a/b c\"é", Some("http://a/b%20c%22%C3%A9"));
        check("http://é/", Some("http://%C3%A9/"));
        check("http://a/x#", Some("http://a/x"));
        check("http://a/x#a b", Some("http://a/x#a%20b"));
        for bad in [
            "http://a/%zz",
            "http://a b/",
            "http://a:b/",
            ":x",
            "1:x",
            "http://[::1/",
            "http://a/\n",
            "http://[::1]x/",
            "http://a{/",
            "a:b/c d\x7f",
        ] {
            check(bad, None);
        }
    }
}
