//! The path, made canonical once: what is matched, authorised, logged and forwarded is the result.

use std::borrow::Cow;

/// The path holds an escape that is not one.
#[derive(Debug, PartialEq, Eq)]
pub struct BadEscape;

/// Decodes escapes of unreserved characters and writes the others in upper case (RFC 3986 §6.2.2).
pub fn normalize(path: &str) -> Result<Cow<'_, str>, BadEscape> {
    let Some(first) = path.find('%') else {
        return Ok(Cow::Borrowed(path));
    };
    let mut out = String::with_capacity(path.len());
    out.push_str(&path[..first]);
    let mut rest = &path[first..];
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1..at + 3).ok_or(BadEscape)?;
        let byte = hex(escape[0])? * 16 + hex(escape[1])?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push('%');
            out.extend(escape.iter().map(|b| b.to_ascii_uppercase() as char));
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Ok(if out == path {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(out)
    })
}

fn hex(b: u8) -> Result<u8, BadEscape> {
    (b as char).to_digit(16).map(|d| d as u8).ok_or(BadEscape)
}

/// Removes empty, `.` and `..` segments; a slash at the end stays (Go's `URL.JoinPath`).
pub fn sanitize(path: &str) -> Cow<'_, str> {
    if !needs_cleaning(path) {
        return Cow::Borrowed(path);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            s => segments.push(s),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if segments.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    Cow::Owned(out)
}

fn needs_cleaning(path: &str) -> bool {
    let mut previous = 0;
    for b in path.bytes() {
        // A segment that starts with a dot may be `.` or `..`; the slow way finds out.
        if previous == b'/' && (b == b'/' || b == b'.') {
            return true;
        }
        previous = b;
    }
    !path.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized() {
        let check = |path: &str, want: &str| assert_eq!(normalize(path).as_deref(), Ok(want), "{path}");
        check("/a/b", "/a/b");
        check("/%61%2e%2E%7e", "/a..~");
        check("/a%2fb%3A%c3%a9", "/a%2Fb%3A%C3%A9");
        check("/%252e", "/%252e");
        for bad in ["/%", "/%2", "/%zz", "/a%2Fb%g1"] {
            assert_eq!(normalize(bad), Err(BadEscape), "{bad}");
        }
    }

    #[test]
    fn sanitized() {
        let check = |path: &str, want: &str| assert_eq!(sanitize(path), want, "{path}");
        check("/", "/");
        check("/a/b/", "/a/b/");
        check("//a///b", "/a/b");
        check("/a/./b/../c", "/a/c");
        check("/a/..", "/");
        check("/../../x", "/x");
        check("/a/.", "/a");
        check("/a/./", "/a/");
        check("/.well-known/x", "/.well-known/x");
        check("/a/..b/...", "/a/..b/...");
        check("", "/");
    }
}
