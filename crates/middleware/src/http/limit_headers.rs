//! What clients are told of a limit: the IETF's `RateLimit` fields, Traefik Hub's, or the old `X-RateLimit-*`.

use trilithon_flow::Headers;
use trilithon_limit::Nanos;

const SECOND: Nanos = 1_000_000_000;

/// Which headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    None,
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    Ietf,
    /// `X-Ratelimit-Remaining` of rates and `X-Quota-Remaining` of windows, as Traefik Hub's API plans.
    Hub,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (in seconds), of the limit that is nearest to its end.
    XRateLimit,
}

impl Format {
    /// The one that is called so.
    pub(crate) fn of(word: &str) -> Format {
        match word {
            "ietf" => Format::Ietf,
            "hub" => Format::Hub,
            "x-ratelimit" => Format::XRateLimit,
            _ => Format::None,
        }
    }
}

/// What is counted (`qu`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Bytes,
    InFlight,
    /// What the answers say.
    Other,
}

/// How one limit stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    pub name: &'a str,
    pub limit: u64,
    pub remaining: u64,
    /// Until there is more; `None` where nobody can say.
    pub reset: Option<Nanos>,
    /// It counts in windows.
    pub is_quota: bool,
}

/// One item of `RateLimit-Policy`. A window is told when it is of whole seconds.
pub(crate) fn policy(name: &str, limit: u64, period: Option<Nanos>, unit: Unit) -> String {
    let mut item = format!("{};q={}", quoted(name), integer(limit));
    if let Some(period) = period.filter(|p| p.is_multiple_of(SECOND)) {
        item += &format!(";w={}", period / SECOND);
    }
    match unit {
        Unit::Requests => {}
        Unit::Bytes => item += ";qu=\"content-bytes\"",
        Unit::InFlight => item += ";qu=\"concurrent-requests\"",
        Unit::Other => item += ";qu=\"units\"",
    }
    item
}

/// Writes the headers in place of what the server may have said of its own limits. `policies` is the value of
/// `RateLimit-Policy`.
pub(crate) fn write(format: Format, policies: &str, standings: &[Standing<'_>], headers: &mut Headers) {
    let Some(nearest) = standings.iter().min_by_key(|s| s.remaining) else {
        return;
    };
    let mut number = itoa::Buffer::new();
    match format {
        Format::None => {}
        Format::Ietf => {
            set(headers, "RateLimit-Policy", policies);
            let items: Vec<_> = standings.iter().map(item).collect();
            set(headers, "RateLimit", &items.join(", "));
        }
        Format::Hub => {
            let of = |quota: bool| {
                let some = standings.iter().filter(|s| s.is_quota == quota);
                some.map(|s| s.remaining).min()
            };
            for (name, remaining) in [
                ("X-Ratelimit-Remaining", of(false)),
                ("X-Quota-Remaining", of(true)),
            ] {
                if let Some(remaining) = remaining {
                    set(headers, name, number.format(remaining));
                }
            }
        }
        Format::XRateLimit => {
            set(headers, "X-RateLimit-Limit", number.format(nearest.limit));
            set(headers, "X-RateLimit-Remaining", number.format(nearest.remaining));
            set(
                headers,
                "X-RateLimit-Reset",
                number.format(seconds(nearest.reset.unwrap_or(0))),
            );
        }
    }
}

/// One field of that name, in the spelling of its specification.
fn set(headers: &mut Headers, name: &str, value: &str) {
    headers.remove(name);
    headers.append_verbatim(name, value);
}

fn item(standing: &Standing<'_>) -> String {
    let mut item = format!("{};r={}", quoted(standing.name), integer(standing.remaining));
    if let Some(reset) = standing.reset {
        item += &format!(";t={}", seconds(reset));
    }
    item
}

/// Whole seconds, rounded up: nobody is told to come back too early.
pub(crate) fn seconds(nanos: Nanos) -> u64 {
    nanos.div_ceil(SECOND)
}

/// A number that fits into a structured field (RFC 9651 §3.3.1).
fn integer(n: u64) -> u64 {
    n.min(999_999_999_999_999)
}

/// A string of a structured field (RFC 9651 §3.3.3): what it cannot hold becomes `_`.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push('_'),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::lines;

    fn check(format: Format, standings: &[Standing<'_>], want: &[&str]) {
        let mut headers = Headers::new();
        headers.append("x-ratelimit-remaining", "the server's");
        headers.append("ratelimit", "the server's");
        let policies = policy("a", 10, Some(SECOND), Unit::Requests);
        write(format, &policies, standings, &mut headers);
        let mut lines = lines(&headers);
        lines.retain(|line| !line.contains("the server's"));
        assert_eq!(lines, want);
    }

    #[test]
    fn formats() {
        let standing = |name, remaining, is_quota| Standing {
            name,
            limit: 10,
            remaining,
            reset: Some(SECOND + 1),
            is_quota,
        };
        let two = [standing("burst", 7, false), standing("daily", 3, true)];
        check(Format::None, &two, &[]);
        let want = [
            "RateLimit-Policy: \"a\";q=10;w=1",
            "RateLimit: \"burst\";r=7;t=2, \"daily\";r=3;t=2",
        ];
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let mut headers = Headers::new();
        write(Format::Ietf, "\"a\";q=10;w=1", &two, &mut headers);
        assert_eq!(sorted(lines(&headers)), sorted(want.map(str::to_owned).to_vec()));
        check(
            Format::Hub,
            &two,
            &["X-Ratelimit-Remaining: 7", "X-Quota-Remaining: 3"],
        );
        check(
            Format::XRateLimit,
            &two,
            &[
                "X-RateLimit-Limit: 10",
                "X-RateLimit-Remaining: 3",
                "X-RateLimit-Reset: 2",
            ],
        );
        check(Format::Ietf, &[], &[]);
    }

    #[test]
    fn policies() {
        let check = |item: String, want: &str| assert_eq!(item, want);
        check(
            policy("day", 5, Some(86_400 * SECOND), Unit::Requests),
            "\"day\";q=5;w=86400",
        );
        check(
            policy("a", 5, Some(SECOND / 2), Unit::Bytes),
            "\"a\";q=5;qu=\"content-bytes\"",
        );
        check(
            policy("a", 5, None, Unit::InFlight),
            "\"a\";q=5;qu=\"concurrent-requests\"",
        );
        check(
            policy("a\"\\ü\r\n", u64::MAX, None, Unit::Other),
            "\"a\\\"\\\\___\";q=999999999999999;qu=\"units\"",
        );
    }
}
