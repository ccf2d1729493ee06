//! How what a server has is called outside, where several are one.

use std::borrow::Cow;

/// Longest name of a tool that clients take (revision 2025-11-25, "Tool Names").
const MAX_NAME: usize = 128;

/// What stands before the names and addresses of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// `files_`; empty for names that stay as they are.
    before_name: Box<str>,
    /// `files+`: with it the scheme of an address is still one (RFC 3986 §3.1).
    before_uri: Box<str>,
}

impl Naming {
    /// With this prefix; names stay as they are when it is empty.
    pub fn new(prefix: &str, separator: &str) -> Naming {
        match prefix {
            "" => Naming::default(),
            prefix => Naming {
                before_name: format!("{prefix}{separator}").into(),
                before_uri: format!("{prefix}+").into(),
            },
        }
    }

    /// Whether names stay as they are.
    pub fn is_plain(&self) -> bool {
        self.before_name.is_empty()
    }

    /// What stands before names.
    pub fn before_name(&self) -> &str {
        &self.before_name
    }

    /// A name as clients see it; `None` when it would be too long for them.
    pub fn name_out<'n>(&self, name: &'n str) -> Option<Cow<'n, str>> {
        if self.is_plain() {
            return Some(Cow::Borrowed(name));
        }
        let whole = format!("{}{name}", self.before_name);
        (whole.len() <= MAX_NAME).then_some(Cow::Owned(whole))
    }

    /// A client's name as the server knows it; `None` when it is not this server's.
    pub fn name_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&*self.before_name)
    }

    /// An address as clients see it.
    pub fn uri_out(&self, uri: &str) -> String {
        format!("{}{uri}", self.before_uri)
    }

    /// A client's address as the server knows it. Schemes are the same in any case, and some clients write them small.
    pub fn uri_in<'u>(&self, uri: &'u str) -> Option<&'u str> {
        let (scheme, rest) = uri.split_at_checked(self.before_uri.len())?;
        scheme.eq_ignore_ascii_case(&self.before_uri).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let files = Naming::new("files", "_");
        assert_eq!(files.name_out("read").as_deref(), Some("files_read"));
        assert_eq!(files.name_in("files_read"), Some("read"));
        assert_eq!(files.name_in("read"), None);
        assert_eq!(files.name_in("Files_read"), None);
        assert_eq!(files.uri_out("file:///a"), "files+file:///a");
        assert_eq!(files.uri_in("Files+file:///a"), Some("file:///a"));
        assert_eq!(files.uri_in("file:///a"), None);
        assert_eq!(files.uri_in("é"), None);
        assert!(files.name_out(&"x".repeat(122)).is_some());
        assert_eq!(files.name_out(&"x".repeat(123)), None);

        let plain = Naming::new("", "_");
        assert!(plain.is_plain() && !files.is_plain());
        assert_eq!(plain.name_out("read").as_deref(), Some("read"));
        assert_eq!(
            (plain.name_in("read"), plain.uri_in("a:b")),
            (Some("read"), Some("a:b"))
        );
        assert_eq!(plain.uri_out("a:b"), "a:b");
    }
}
