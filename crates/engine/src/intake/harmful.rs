//! What harms servers behind and serves nobody: taken off before anybody looks at the request.
//!
//! `Proxy` becomes the variable `HTTP_PROXY` in servers that hand headers on as variables (CGI), and their clients then believe
//! it. A `Range` of very many parts makes a server answer with as many; without it the server answers with the whole.

use trilithon_flow::limits::MAX_RANGES;
use trilithon_flow::{Headers, Known};

/// Takes off `Proxy`, and `Range` when it asks for more than [`MAX_RANGES`] parts.
#[inline]
pub fn drop(headers: &mut Headers) {
    if headers.has(Known::Proxy) {
        headers.remove_known(Known::Proxy);
    }
    if headers.has(Known::Range) && ranges(headers) > MAX_RANGES {
        headers.remove_known(Known::Range);
    }
}

/// The parts asked for, over all lines.
fn ranges(headers: &Headers) -> usize {
    let lines = headers.get_all(b"Range");
    lines
        .map(|line| 1 + line.iter().filter(|b| **b == b',').count())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays() {
        let check = |lines: &[(&str, String)], want: &[&str]| {
            let mut headers = Headers::new();
            for (name, value) in lines {
                headers.append(name, value);
            }
            drop(&mut headers);
            let names: Vec<_> = headers
                .iter()
                .map(|(n, _)| String::from_utf8_lossy(n).into_owned())
                .collect();
            assert_eq!(names, want, "{lines:?}");
        };
        let of = |parts: usize| format!("bytes=0-0{}", ",2-2".repeat(parts - 1));
        check(&[("Range", of(1)), ("Accept", "x".into())], &["Range", "Accept"]);
        check(&[("Range", of(MAX_RANGES))], &["Range"]);
        check(
            &[("Range", of(MAX_RANGES + 1)), ("If-Range", "x".into())],
            &["If-Range"],
        );
        check(&[("range", of(MAX_RANGES / 2)), ("RANGE", of(MAX_RANGES))], &[]);
        check(
            &[("pROXY", "http://evil.test".into()), ("X-Proxy", "x".into())],
            &["X-Proxy"],
        );
    }
}
