//! `url.Parse` and `URL.String`, as far as sprig's dicts show them.

use super::escape::{percent, unpercent};

/// The parts of a URL; path and fragment without escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    pub scheme: String,
    pub opaque: String,
    pub userinfo: Option<String>,
    pub host: String,
    pub path: String,
    pub query: String,
    pub fragment: String,
}

/// # Errors
/// What Go's parser refuses.
pub(crate) fn parse(text: &str) -> Result<Url, String> {
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err("invalid control character in URL".into());
    }
    let mut url = Url::default();
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    url.fragment = unpercent(fragment).ok_or("invalid URL escape")?;
    let rest = scheme(text, &mut url)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    url.query = query.into();
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque = rest.into();
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err("first path segment in URL cannot contain colon".into());
        }
    }
    let path = match rest.strip_prefix("//") {
        Some(authority) if !url.scheme.is_empty() || !rest.starts_with("///") => {
            let end = authority.find('/').unwrap_or(authority.len());
            let (authority, path) = authority.split_at(end);
            parse_authority(authority, &mut url)?;
            path
        }
        _ => rest,
    };
    url.path = unpercent(path).ok_or("invalid URL escape")?;
    Ok(url)
}

fn scheme<'a>(text: &'a str, url: &mut Url) -> Result<&'a str, String> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let end = text.find(|c| !is_scheme(c)).unwrap_or(text.len());
    if !text[end..].starts_with(':') {
        return Ok(text);
    }
    if end == 0 {
        return Err("missing protocol scheme".into());
    }
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(text);
    }
    url.scheme = text[..end].to_ascii_lowercase();
    Ok(&text[end + 1..])
}

fn parse_authority(authority: &str, url: &mut Url) -> Result<(), String> {
    let host = match authority.rsplit_once('@') {
        Some((userinfo, host)) => {
            url.userinfo = Some(parse_userinfo(userinfo)?);
            host
        }
        None => authority,
    };
    let port = match host.strip_prefix('[') {
        Some(inner) => {
            let (_, after) = inner.split_once(']').ok_or("missing ']' in host")?;
            after
        }
        None => host.rfind(':').map_or("", |at| &host[at..]),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || (!port.is_empty() && !port.starts_with(':')) {
        return Err(format!("invalid port \"{port}\" after host"));
    }
    if host.contains(' ') {
        return Err("invalid character \" \" in host name".into());
    }
    url.host = unpercent(host).ok_or("invalid URL escape")?;
    Ok(())
}

/// Name and password, escaped the one way that `Userinfo.String` has.
pub(crate) fn parse_userinfo(text: &str) -> Result<String, String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !text.chars().all(valid) {
        return Err("invalid userinfo".into());
    }
    let part = |text: &str| {
        let plain = unpercent(text).ok_or("invalid URL escape")?;
        Ok::<_, String>(percent(&plain, |b| b"$&+,;=".contains(&b)))
    };
    match text.split_once(':') {
        Some((user, password)) => Ok(format!("{}:{}", part(user)?, part(password)?)),
        None => part(text),
    }
}

impl Url {
    /// `URL.Hostname`: without port and brackets.
    pub fn hostname(&self) -> &str {
        let host = match self.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
            _ => &self.host,
        };
        host.strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// `URL.String`.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            let named = !self.host.is_empty() || self.userinfo.is_some();
            if named || !self.scheme.is_empty() && self.path.starts_with("//") {
                out.push_str("//");
            }
            if let Some(userinfo) = &self.userinfo {
                out.push_str(userinfo);
                out.push('@');
            }
            out.push_str(&percent(&self.host, |b| b"!$&'()*+,;=:[]<>\"".contains(&b)));
            if !self.path.is_empty() && !self.path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            let path = percent(&self.path, |b| b"$&+,/:;=@!'()*".contains(&b));
            if out.is_empty() && path.split('/').next().is_some_and(|s| s.contains(':')) {
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&percent(&self.fragment, |b| b"!$&'()*+,/:;=?@".contains(&b)));
        }
        out
    }
}
