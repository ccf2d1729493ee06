//! Where a key or token is in a request.
//!
//! Twice the same header is no credential: another reader could take the other one.

use std::borrow::Cow;
use trilithon_flow::{Headers, Known, Request};

/// The value of the only header called `name`, behind `scheme` (RFC 9110 §11.4) unless that is empty.
pub fn in_header<'a>(headers: &'a Headers, name: &'a str, scheme: &str) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name.as_bytes());
    let (Some(value), None) = (all.next(), all.next()) else {
        return None;
    };
    let value = if scheme.is_empty() {
        value
    } else {
        behind(value, scheme)?
    };
    Some(value.trim_ascii()).filter(|v| !v.is_empty())
}

/// What follows a scheme, in any case, and a space.
pub fn behind<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    let fits = start.eq_ignore_ascii_case(scheme.as_bytes()) && rest.first() == Some(&b' ');
    fits.then_some(rest)
}

/// The first parameter called `name` of the query.
pub fn in_query(req: &Request, name: &str) -> Option<Vec<u8>> {
    in_form(req.target.query()?.as_bytes(), name)
}

/// The first field called `name` of a form (`application/x-www-form-urlencoded`) that holds something.
pub fn in_form(form: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut fields = form.split(|b| *b == b'&').map(|field| {
        let cut = field.iter().position(|b| *b == b'=').unwrap_or(field.len());
        (&field[..cut], field.get(cut + 1..).unwrap_or_default())
    });
    let (_, value) = fields.find(|(n, _)| *unescaped(n) == *name.as_bytes())?;
    Some(unescaped(value).into_owned()).filter(|v| !v.is_empty())
}

fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'+' | b'%')) {
        return text.into();
    }
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_encoding::percent_decode(&spaced)
        .collect::<Vec<u8>>()
        .into()
}

/// The first cookie called `name` (RFC 6265 §5.4), without quotes.
pub fn in_cookie<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    let pairs = headers
        .get_all(Known::Cookie.name().as_bytes())
        .flat_map(|line| line.split(|b| *b == b';'));
    let value = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let cut = pair.iter().position(|b| *b == b'=')?;
        (pair[..cut] == *name.as_bytes()).then_some(&pair[cut + 1..])
    });
    let value = value.into_iter().next()?;
    let bare = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
    Some(bare.unwrap_or(value)).filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::get;
    use super::*;

    #[test]
    fn headers() {
        let check = |sent: &[(&str, &str)], scheme: &str, want: Option<&str>| {
            let headers: Headers = sent.iter().copied().collect();
            assert_eq!(
                in_header(&headers, "x-key", scheme),
                want.map(str::as_bytes),
                "{sent:?}"
            );
        };
        check(&[("X-Key", "a")], "", Some("a"));
        check(&[("X-Key", "")], "", None);
        check(&[("X-Key", "a"), ("x-key", "b")], "", None);
        check(&[("X_Key", "a")], "", None);
        check(&[("X-Key", "bearer  a ")], "Bearer", Some("a"));
        check(&[("X-Key", "Bearera")], "Bearer", None);
        check(&[("X-Key", "Bearer")], "Bearer", None);
        check(&[("X-Key", "Bearer ")], "Bearer", None);
        check(&[("X-Key", "Basic a")], "Bearer", None);
    }

    #[test]
    fn queries_and_cookies() {
        let query = |target: &str, want: Option<&str>| {
            let found = in_query(&get(target, &[]), "k e");
            assert_eq!(found.as_deref(), want.map(str::as_bytes), "{target}");
        };
        query("/?k+e=a%2Bb+c&k%20e=d", Some("a+b c"));
        query("/?x=1&k%20e=", None);
        query("/?k%20e", None);
        query("/", None);
        let cookie = |line: &str, want: Option<&str>| {
            let headers: Headers = [("Cookie", line)].into_iter().collect();
            assert_eq!(in_cookie(&headers, "k"), want.map(str::as_bytes), "{line}");
        };
        cookie("a=1; k=v; k=w", Some("v"));
        cookie("K=1;k=\"v=\"", Some("v="));
        cookie("kk=1; k", None);
        cookie("k=", None);
    }
}
