//! The values that templates name, taken from a request and the head of its answer.

use serde_json::Value;
use trilithon_flow::{Headers, Known, Request, Response};
use trilithon_policy::undo::{Reference, Root};

/// What a request says; `target` is path and query as the router saw them, `body` its JSON.
pub fn of_request(name: &Reference, req: &Request, target: &str, body: Option<&Value>) -> Option<Value> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match name.root() {
        Root::Path => Some(path.into()),
        Root::Query => parameter(query, name.key()?).map(Value::from),
        Root::RequestHeader => header(&req.headers, name.key()?),
        Root::RequestBody => name.find(body?).cloned(),
        _ => None,
    }
}

/// What the head of an answer says.
pub fn of_answer(name: &Reference, res: &Response, host: &str) -> Option<Value> {
    match name.root() {
        Root::Status => Some(res.status.into()),
        Root::ResponseHeader => header(&res.headers, name.key()?),
        Root::Location => location(res.headers.known(Known::Location)?, host).map(Value::from),
        _ => None,
    }
}

/// A header that comes once and is text.
fn header(headers: &Headers, name: &str) -> Option<Value> {
    let mut lines = headers.get_all(name.as_bytes());
    let line = std::str::from_utf8(lines.next()?).ok()?;
    lines.next().is_none().then(|| line.into())
}

/// A query parameter that comes once, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().ok()?;
        Some(decoded.into_owned())
    };
    let mut found = query
        .split('&')
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .filter(|(n, _)| decode(n).as_deref() == Some(name));
    let (_, value) = found.next()?;
    found.next().is_none().then(|| decode(value))?
}

/// The path and query that `Location` names, where that is on `host` or names no host.
fn location(value: &[u8], host: &str) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let path = match text.split_once("://") {
        Some((_, rest)) => {
            let at = rest.find('/')?;
            rest[..at].eq_ignore_ascii_case(host).then(|| &rest[at..])?
        }
        None => text,
    };
    let path = path.split('#').next()?;
    let plain = path.bytes().all(|b| b.is_ascii_graphic());
    (path.starts_with('/') && !path.starts_with("//") && plain).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let check = |value: &str, want: Option<&str>| {
            assert_eq!(location(value.as_bytes(), "a.test").as_deref(), want, "{value}");
        };
        check("/orders/7", Some("/orders/7"));
        check("http://A.test/orders/7?x=1#top", Some("/orders/7?x=1"));
        check("http://b.test/orders/7", None);
        check("//b.test/orders/7", None);
        check("orders/7", None);
        check("/a b", None);
        check("http://a.test", None);
    }

    #[test]
    fn parameters() {
        let check = |query: &str, want: Option<&str>| {
            assert_eq!(parameter(query, "id").as_deref(), want, "{query}");
        };
        check("a=1&id=x%2Fy+z", Some("x/y z"));
        check("id", Some(""));
        check("id=1&id=2", None);
        check("id=1&%69d=2", None);
        check("", None);
    }
}
