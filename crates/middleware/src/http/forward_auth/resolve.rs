//! A reference made absolute against a base URL (RFC 3986 §5.2), as far as `Location` needs it.

use crate::http::location::normalize;

/// The absolute URL of `reference` as Go prints it; nothing if the base or the reference is no URL.
pub fn resolve(base: &str, reference: &str) -> Option<String> {
    normalize(reference)?;
    normalize(&absolute(base, reference)?)
}

fn absolute(base: &str, reference: &str) -> Option<String> {
    if has_scheme(reference) {
        return Some(reference.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    if reference.starts_with("//") {
        return Some(format!("{scheme}:{reference}"));
    }
    let rest = rest.split('#').next().unwrap_or(rest);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let (wanted, tail) = reference.split_at(reference.find(['?', '#']).unwrap_or(reference.len()));
    let target = match wanted {
        "" if tail.starts_with('?') => format!("{path}{tail}"),
        "" => format!("{path}{query}{tail}"),
        _ => format!("{}{tail}", without_dots(&merged(path, wanted))),
    };
    Some(format!("{scheme}://{authority}{target}"))
}

/// Whether a reference begins with a scheme (RFC 3986 §3.1).
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn merged(base: &str, wanted: &str) -> String {
    if wanted.starts_with('/') {
        return wanted.to_owned();
    }
    let folder = base.rfind('/').map_or("/", |at| &base[..=at]);
    format!("{folder}{wanted}")
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut folder = false;
    for segment in path.split('/').skip(1) {
        folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let check = |base: &str, reference: &str, want: Option<&str>| {
            assert_eq!(resolve(base, reference).as_deref(), want, "{base} {reference}");
        };
        let base = "http://auth.test:9/a/b?x=1";
        check(base, "https://sso.test/?u=/x", Some("https://sso.test/?u=/x"));
        check(base, "mailto:a@b", Some("mailto:a@b"));
        check(base, "//sso.test/y", Some("http://sso.test/y"));
        check(base, "/login?u=1#f", Some("http://auth.test:9/login?u=1#f"));
        check(base, "login", Some("http://auth.test:9/a/login"));
        check(base, "./c/../d/.", Some("http://auth.test:9/a/d/"));
        check(base, "../../../c", Some("http://auth.test:9/c"));
        check(base, "?y=2", Some("http://auth.test:9/a/b?y=2"));
        check(base, "#f", Some("http://auth.test:9/a/b?x=1#f"));
        check("http://auth.test", "login", Some("http://auth.test/login"));
        check("http://auth.test", "/a:b", Some("http://auth.test/a:b"));
        check("no url", "/x", None);
        check(base, "/x\r\nY: 1", None);
        check(base, "/a b", Some("http://auth.test:9/a%20b"));
        check(base, "/ü?ü", Some("http://auth.test:9/%C3%BC?ü"));
        check(base, "HTTPS://sso.test", Some("https://sso.test"));
        check(base, "%zz", None);
        check(base, ":x", None);
    }
}
