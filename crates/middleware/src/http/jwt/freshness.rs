//! How long a fetched set of keys may be used before it is fetched again (RFC 9111 §4.2).

use std::time::Duration;
use trilithon_flow::Headers;
use trilithon_flow::limits::{JWKS_DEFAULT_SECONDS, JWKS_FRESH_SECONDS};
use trilithon_wire::date;

/// What the answer's headers say, within bounds. `now` is in Unix seconds.
pub fn lifetime(headers: &Headers, now: u64) -> Duration {
    let said = cache_control(headers).or_else(|| expires(headers, now));
    let seconds = said.unwrap_or(JWKS_DEFAULT_SECONDS);
    Duration::from_secs(seconds.clamp(*JWKS_FRESH_SECONDS.start(), *JWKS_FRESH_SECONDS.end()))
}

fn cache_control(headers: &Headers) -> Option<u64> {
    let mut found = None;
    for line in headers.get_all(b"Cache-Control") {
        let line = std::str::from_utf8(line).ok()?.to_ascii_lowercase();
        for directive in line.split(',').map(str::trim) {
            match directive.split_once('=') {
                None if matches!(directive, "no-store" | "no-cache") => return Some(0),
                Some(("max-age", age)) => found = Some(age.trim_matches('"').parse().unwrap_or(0)),
                _ => {}
            }
        }
    }
    let age = headers
        .get_str("Age")
        .and_then(|age| age.trim().parse().ok())
        .unwrap_or(0);
    found.map(|max: u64| max.saturating_sub(age))
}

/// What is no date is over already (RFC 9111 §5.3).
fn expires(headers: &Headers, now: u64) -> Option<u64> {
    let text = headers.get_str("Expires")?;
    Some(date::parse(text).unwrap_or(0).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_headers_say() {
        let check = |sent: &[(&str, &str)], want: u64| {
            let headers: Headers = sent.iter().copied().collect();
            assert_eq!(
                lifetime(&headers, 784_111_777),
                Duration::from_secs(want),
                "{sent:?}"
            );
        };
        check(&[], 600);
        check(&[("Cache-Control", "public, max-age=300")], 300);
        check(&[("Cache-Control", "Max-Age=\"300\""), ("Age", "100")], 200);
        check(&[("Cache-Control", "max-age=300, no-cache")], 10);
        check(&[("Cache-Control", "no-store")], 10);
        check(&[("Cache-Control", "max-age=1")], 10);
        check(&[("Cache-Control", "max-age=99999999999999999999999")], 10);
        check(&[("Cache-Control", "max-age=31536000")], 86_400);
        check(&[("Cache-Control", "private")], 600);
        check(&[("Expires", "Sun, 06 Nov 1994 08:59:37 GMT")], 600);
        check(&[("Expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60);
        check(&[("Expires", "Sun, 06 Nov 1994 07:00:00 GMT")], 10);
        check(&[("Expires", "0")], 10);
        check(
            &[
                ("Expires", "Sun, 06 Nov 1994 08:59:37 GMT"),
                ("Cache-Control", "max-age=20"),
            ],
            20,
        );
    }
}
