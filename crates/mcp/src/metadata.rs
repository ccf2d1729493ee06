//! What a client finds out about a protected server before it has a token: OAuth 2.0 Protected Resource Metadata (RFC 9728).

use serde_json::{Value, json};
use std::fmt;

/// Where the metadata of resources lie, before the path of the resource (RFC 9728 §3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The address of a resource, and where its metadata are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Host and port, as they are written.
    pub authority: String,
    /// The path of the metadata.
    pub path: String,
}

/// Why an address names no resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAddress {
    NotHttps,
    NoHost,
    /// With a query, a fragment, or what no URL holds.
    NotPlain,
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadAddress::NotHttps => "it does not begin with `https://`",
            BadAddress::NoHost => "it has no host",
            BadAddress::NotPlain => "it has a query, a fragment, or characters that no URL has",
        })
    }
}

/// Looks whether an address is one that metadata may name.
///
/// # Errors
/// What is wrong with it.
pub fn check(address: &str) -> Result<(), BadAddress> {
    let rest = address.strip_prefix("https://").ok_or(BadAddress::NotHttps)?;
    let is_plain =
        |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'"' | b'`' | b'\\' | b'<' | b'>');
    if !rest.bytes().all(is_plain) {
        return Err(BadAddress::NotPlain);
    }
    match rest.split('/').next() {
        None | Some("") => Err(BadAddress::NoHost),
        Some(host) if host.contains('@') => Err(BadAddress::NotPlain),
        Some(_) => Ok(()),
    }
}

impl Resource {
    /// Reads the identifier of a resource.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(resource: &str) -> Result<Resource, BadAddress> {
        check(resource)?;
        let rest = resource.strip_prefix("https://").unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        Ok(Resource {
            authority: authority.to_ascii_lowercase(),
            path: match path {
                "" => WELL_KNOWN.to_owned(),
                path => format!("{WELL_KNOWN}/{path}"),
            },
        })
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        let end = match self.authority.strip_prefix('[') {
            Some(v6) => v6.find(']').map(|at| at + 2),
            None => self.authority.find(':'),
        };
        self.authority
            .get(..end.unwrap_or(self.authority.len()))
            .unwrap_or_default()
    }

    /// Where clients find the metadata.
    pub fn url(&self) -> String {
        format!("https://{}{}", self.authority, self.path)
    }

    /// Whether a path of its host is that of the resource, or lies below it.
    pub fn covers(&self, path: &str) -> bool {
        let own = self.path.strip_prefix(WELL_KNOWN).unwrap_or_default();
        let below = path.strip_prefix(own);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// The metadata, as they are served.
pub fn document(resource: &str, servers: &[String], scopes: &[String], documentation: &str) -> Vec<u8> {
    let mut all = json!({ "resource": resource });
    if let Value::Object(members) = &mut all {
        members.insert("authorization_servers".to_owned(), json!(servers));
        members.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        if !scopes.is_empty() {
            members.insert("scopes_supported".to_owned(), json!(scopes));
        }
        if !documentation.is_empty() {
            members.insert("resource_documentation".to_owned(), json!(documentation));
        }
    }
    all.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources() {
        let check = |resource: &str, host: &str, url: &str| {
            let parsed = Resource::parse(resource).unwrap_or_else(|e| panic!("{resource}: {e}"));
            assert_eq!((parsed.host(), parsed.url().as_str()), (host, url), "{resource}");
        };
        let at = "https://mcp.test/.well-known/oauth-protected-resource";
        check("https://mcp.test", "mcp.test", at);
        check("https://mcp.test/", "mcp.test", at);
        check("https://MCP.test/a/b/", "mcp.test", &format!("{at}/a/b"));
        check(
            "https://mcp.test:8443/mcp",
            "mcp.test",
            "https://mcp.test:8443/.well-known/oauth-protected-resource/mcp",
        );
        check(
            "https://[::1]:8443/mcp",
            "[::1]",
            "https://[::1]:8443/.well-known/oauth-protected-resource/mcp",
        );
    }

    #[test]
    fn what_lies_below() {
        let check = |resource: &str, path: &str, want: bool| {
            let resource = Resource::parse(resource).unwrap_or_else(|e| panic!("{resource}: {e}"));
            assert_eq!(resource.covers(path), want, "{path}");
        };
        check("https://mcp.test", "/", true);
        check("https://mcp.test", "/a", true);
        check("https://mcp.test/mcp", "/mcp", true);
        check("https://mcp.test/mcp", "/mcp/a", true);
        check("https://mcp.test/mcp", "/mcpa", false);
        check("https://mcp.test/mcp", "/", false);
    }

    #[test]
    fn bad_resources() {
        let check = |resource: &str, want: BadAddress| {
            assert_eq!(Resource::parse(resource), Err(want), "{resource}");
        };
        check("http://mcp.test/", BadAddress::NotHttps);
        check("mcp.test", BadAddress::NotHttps);
        check("", BadAddress::NotHttps);
        check("https://", BadAddress::NoHost);
        check("https:///mcp", BadAddress::NoHost);
        check("https://mcp.test/?a", BadAddress::NotPlain);
        check("https://mcp.test/#a", BadAddress::NotPlain);
        check("https://mcp.test/a b", BadAddress::NotPlain);
        check("https://mcp.test/`", BadAddress::NotPlain);
        check("https://a@mcp.test/", BadAddress::NotPlain);
    }

    #[test]
    fn documents() {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let servers = ["https://auth.test".to_owned()];
        let scopes = ["a".to_owned()];
        assert_eq!(
            text(document(
                "https://mcp.test",
                &servers,
                &scopes,
                "https://docs.test"
            )),
            r#"{"resource":"https://mcp.test","authorization_servers":["https://auth.test"],"bearer_methods_supported":["header"],"scopes_supported":["a"],"resource_documentation":"https://docs.test"}"#
        );
        assert!(!text(document("https://mcp.test", &servers, &[], "")).contains("scopes"));
    }
}
