//! Cookies of the authorization server for the client.

use trilithon_flow::{Headers, Known};

/// Puts the cookies named in `names` that `said` sets into the answer, in the place of the service's own of that name.
/// Nothing changes when the authorization server set no cookie at all.
pub fn add(answer: &mut Headers, said: &Headers, names: &[String]) {
    if !said.has(Known::SetCookie) {
        return;
    }
    let chosen = |cookie: &[u8]| names.iter().any(|n| n.as_bytes() == name(cookie));
    answer.retain(|known, _, value| known != Known::SetCookie || !chosen(value));
    for cookie in said.get_all(b"Set-Cookie").filter(|c| chosen(c)) {
        answer.append(Known::SetCookie.name(), cookie);
    }
}

/// The name in a `Set-Cookie` line.
fn name(cookie: &[u8]) -> &[u8] {
    cookie
        .split(|b| *b == b'=')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::lines;
    use super::*;

    #[test]
    fn cookies() {
        let check = |said: &[(&str, &str)], names: &[&str], want: &[&str]| {
            let mut answer: Headers = [("Set-Cookie", "a=1"), ("X", "y"), ("Set-Cookie", "b=1")]
                .into_iter()
                .collect();
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            add(&mut answer, &said.iter().copied().collect(), &names);
            assert_eq!(lines(&answer), want);
        };
        let own = ["Set-Cookie: a=1", "X: y", "Set-Cookie: b=1"];
        check(&[], &["a"], &own);
        check(&[("Set-Cookie", "c=2")], &["d"], &own);
        check(&[("Set-Cookie", "c=2")], &["a"], &["X: y", "Set-Cookie: b=1"]);
        check(
            &[("Set-Cookie", "a =2; Path=/")],
            &["a"],
            &["X: y", "Set-Cookie: b=1", "Set-Cookie: a =2; Path=/"],
        );
    }
}
