//! What the path middlewares share: comparing a path with decoded text without leaving its escaped form, and the check that a
//! changed path cannot mean another one to whoever reads it next.
//!
//! Offsets never cross between the two forms: a decoded prefix is walked along the escaped path, byte by byte.

use trilithon_flow::{Known, Request, Response, Target};

/// The escaped path; empty when the whole path was taken away before.
pub(crate) fn of(target: &Target) -> &str {
    if target.is_bare() { "" } else { target.path() }
}

/// How many bytes of the escaped `path` its decoded beginning `prefix` takes up; `None` when it begins otherwise.
pub(crate) fn match_decoded(path: &str, prefix: &[u8]) -> Option<usize> {
    let bytes = path.as_bytes();
    let mut at = 0;
    for &want in prefix {
        let (byte, width) = first_decoded(&bytes[at..])?;
        if byte != want {
            return None;
        }
        at += width;
    }
    Some(at)
}

/// The first decoded byte, and how many escaped ones it takes.
fn first_decoded(bytes: &[u8]) -> Option<(u8, usize)> {
    let hex = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
    let first = *bytes.first()?;
    if first == b'%'
        && let (Some(high), Some(low)) = (hex(1), hex(2))
    {
        return Some(((high * 16 + low) as u8, 3));
    }
    Some((first, 1))
}

/// Takes the first `len` bytes off the escaped path and tells the server of it: they stand for `prefix`, decoded.
///
/// # Errors
/// 400 when the rest is not its own normal form: `/api../x` without `/api` would climb.
pub(crate) fn strip(req: &mut Request, len: usize, prefix: &[u8]) -> Result<(), Response> {
    req.headers.append(Known::XForwardedPrefix.name(), prefix);
    req.target.replace_prefix(len, "");
    check_clean(&req.target)
}

/// Refuses with 400 what [`is_clean`] does not like.
pub(crate) fn check_clean(target: &Target) -> Result<(), Response> {
    if is_clean(target.path()) {
        Ok(())
    } else {
        Err(Response::error(400, "Bad Request"))
    }
}

/// Whether a path is its own normal form: a leading slash, no empty segment but the last, no dot segment, escaped or not.
fn is_clean(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if (segment.is_empty() && !last) || is_dots(segment) {
            return false;
        }
    }
    true
}

/// One dot or two, each perhaps as `%2e`.
fn is_dots(mut segment: &str) -> bool {
    let mut dots = 0;
    while !segment.is_empty() && dots < 3 {
        let Some(rest) = [".", "%2e", "%2E"]
            .iter()
            .find_map(|dot| segment.strip_prefix(dot))
        else {
            return false;
        };
        segment = rest;
        dots += 1;
    }
    (1..=2).contains(&dots)
}

/// Escapes decoded text for a path as Go does when it has nothing but the decoded form: `!'()*[]` are escaped, too.
pub(crate) fn escape(decoded: &str) -> String {
    let mut out = String::with_capacity(decoded.len() + 8);
    for b in decoded.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// The first thing in a path that looks like an escape and is none (`%zz`); what Go says of it.
pub(crate) fn bad_escape(path: &str) -> Option<String> {
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let escape = &rest.as_bytes()[at..rest.len().min(at + 3)];
        if first_decoded(escape).is_none_or(|(_, width)| width != 3) {
            return Some(format!(
                "invalid URL escape \"{}\"",
                String::from_utf8_lossy(escape)
            ));
        }
        rest = &rest[at + 3..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_prefixes_of_escaped_paths() {
        let check = |path: &str, prefix: &str, want: Option<&str>| {
            assert_eq!(
                match_decoded(path, prefix.as_bytes()).map(|len| &path[len..]),
                want,
                "{path} {prefix}"
            );
        };
        check("/a/b", "/a", Some("/b"));
        check("/a%20b/x", "/a b", Some("/x"));
        check("/a%20b/x", "/a%20b", None);
        check("/a%2520b/x", "/a%20b", Some("/x"));
        check("/api%2Fv1/x", "/api/v1", Some("/x"));
        check("/%C3%A9/x", "/é", Some("/x"));
        check("/a", "/a/", None);
        check("/a", "", Some("/a"));
        check("/a%2", "/a%2", Some(""));
        check("", "/", None);
    }

    #[test]
    fn a_match_decodes_to_its_prefix_and_every_decoded_prefix_matches() {
        const PIECES: [&str; 10] = ["/", "a", "%2F", "%41", "%", "%2", "%zz", "é", "%C3", "."];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut text = |most: usize| {
                (0..random.usize(..=most))
                    .map(|_| PIECES[random.usize(..10)])
                    .collect::<String>()
            };
            let (path, other) = (text(8), text(3));
            let decoded = trilithon_flow::target::decode(&path);
            let guess = trilithon_flow::target::decode(&other);
            for prefix in [&decoded[..decoded.len() / 2], &guess] {
                let matched = match_decoded(&path, prefix);
                assert_eq!(
                    matched.is_some(),
                    decoded.starts_with(prefix),
                    "{path} {prefix:?}"
                );
                let Some(len) = matched else { continue };
                // A cut inside `é` is a cut of bytes, not of the text; such paths are escaped before they get here.
                if path.is_char_boundary(len) {
                    assert_eq!(&*trilithon_flow::target::decode(&path[..len]), prefix, "{path}");
                }
            }
        }
    }

    #[test]
    fn clean_paths() {
        for good in [
            "/",
            "/a",
            "/a/",
            "/a/b",
            "/...",
            "/a../b",
            "/.a",
            "/a%2F..%2Fb",
            "/%2e%2e%2e",
        ] {
            assert!(is_clean(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "//",
            "/a//b",
            "/.",
            "/..",
            "/./a",
            "/../a",
            "/a/..",
            "/a/./b",
            "/%2e%2E/a",
            "/.%2e",
            "/%2e",
        ] {
            assert!(!is_clean(bad), "{bad}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(escape("/a b%2F?é(!)"), "/a%20b%252F%3F%C3%A9%28%21%29");
        assert_eq!(bad_escape("/a%2Fb%20"), None);
        assert_eq!(bad_escape("/%zz"), Some(r#"invalid URL escape "%zz""#.into()));
        assert_eq!(bad_escape("/%41%4"), Some(r#"invalid URL escape "%4""#.into()));
    }
}
