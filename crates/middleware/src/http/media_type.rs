//! The type and subtype of a `Content-Type`, read as strictly as Go's `mime.ParseMediaType` does.

use trilithon_wire::headers::is_token;

/// The media type in lower case without parameters; nothing if the value is not well formed (RFC 9110 §8.3.1).
pub fn media_type(value: &str) -> Option<String> {
    let (name, mut rest) = value.split_at(value.find(';').unwrap_or(value.len()));
    let name = name.trim();
    let mut parts = name.split('/');
    let token = |t: &str| !t.is_empty() && t.bytes().all(is_token);
    if !parts.next().is_some_and(token) || parts.next().is_some_and(|t| !token(t)) || parts.next().is_some() {
        return None;
    }
    while !rest.is_empty() {
        rest = parameter(rest)?;
    }
    Some(name.to_ascii_lowercase())
}

/// Skips `; name=value`; a semicolon at the end is no error.
fn parameter(text: &str) -> Option<&str> {
    let text = text.strip_prefix(';')?.trim_start();
    if text.is_empty() {
        return Some(text);
    }
    let (name, value) = text.split_once('=')?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let rest = match value.strip_prefix('"') {
        Some(quoted) => after_quote(quoted)?,
        None => {
            let end = value.bytes().position(|b| !is_token(b)).unwrap_or(value.len());
            (end > 0).then(|| &value[end..])?
        }
    };
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with(';')).then_some(rest)
}

fn after_quote(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(&text[at + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let check =
            |value: &str, want: Option<&str>| assert_eq!(media_type(value).as_deref(), want, "{value}");
        check("text/html", Some("text/html"));
        check(" Text/HTML ; charset=utf-8", Some("text/html"));
        check("text/html;", Some("text/html"));
        check("a; b=\"x; y\\\"\" ; c=d;", Some("a"));
        for bad in [
            "",
            ";",
            "/",
            "a/",
            "a/b/c",
            "text html",
            "a/b; c",
            "a/b; =d",
            "a/b; c=",
            "a/b; c=\"",
            "a/b; c=d e",
            "a/b,c/d",
        ] {
            check(bad, None);
        }
    }
}
