//! Headers that tell a server who somebody is, and the answer to somebody who did not say.
//!
//! A client must never be able to write such a header itself, in no spelling: many servers fold `_` and `.` into `-`, so
//! `X_Auth_User` goes away together with `X-Auth-User`.

use aws_lc_rs::digest;
use std::sync::Arc;
use trilithon_flow::{Headers, Known, Response};

/// Takes away every header that a server could take for `name`.
pub fn strip(headers: &mut Headers, name: &str) {
    let is = |other: &[u8]| same(other, name.as_bytes());
    if headers.iter().any(|(n, _)| is(n)) {
        headers.retain(|_, n, _| !is(n));
    }
}

/// Makes `value` the only one of `name`, spelt as given.
pub fn set(headers: &mut Headers, name: &str, value: impl AsRef<[u8]>) {
    strip(headers, name);
    headers.append_verbatim(name, value);
}

/// Whether two names are one to a server that folds `_` and `.` into `-`.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fold(*a) == fold(*b))
}

/// One byte of a name as such a server sees it.
pub fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        b => b.to_ascii_lowercase(),
    }
}

/// Tells one credential from others without being one: the first 16 hexadecimal digits of its SHA-256.
pub fn credential_id(credential: &[u8]) -> Arc<str> {
    let hash = digest::digest(&digest::SHA256, credential);
    let digits = hash.as_ref()[..8].iter().flat_map(|b| [b >> 4, b & 15]);
    digits
        .filter_map(|d| char::from_digit(u32::from(d), 16))
        .collect::<String>()
        .into()
}

/// The 401 that asks for credentials.
pub fn unauthorized(challenge: &str) -> Response {
    let mut res = Response {
        is_plain: true,
        ..Response::bare(401, "401 Unauthorized\n")
    };
    res.headers.append(Known::ContentType.name(), "text/plain");
    res.headers.append(Known::WwwAuthenticate.name(), challenge);
    res
}

#[cfg(test)]
mod tests {
    use super::super::testing::lines;
    use super::*;

    #[test]
    fn no_spelling_survives() {
        let check = |sent: &[(&str, &str)], want: &[&str]| {
            let mut headers: Headers = sent.iter().copied().collect();
            set(&mut headers, "X-Auth-user", "me");
            assert_eq!(lines(&headers), want);
        };
        check(&[], &["X-Auth-user: me"]);
        check(
            &[("A", "1"), ("x-auth-user", "root"), ("X-Auth-User", "root")],
            &["A: 1", "X-Auth-user: me"],
        );
        check(
            &[("X_Auth_User", "root"), ("X.auth-USER", "root")],
            &["X-Auth-user: me"],
        );
        check(
            &[("X-Auth-User2", "2"), ("XAuthUser", "3")],
            &["X-Auth-User2: 2", "Xauthuser: 3", "X-Auth-user: me"],
        );
    }
}
