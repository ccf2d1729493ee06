//! Telling a client that has no token where to ask for one: the parameter `resource_metadata` of a `WWW-Authenticate` challenge
//! (RFC 9728 §5.1).

/// A challenge of the scheme `Bearer` with the address of the metadata; `None` where it has one already, or is of another scheme.
pub fn with_metadata(challenge: &str, url: &str) -> Option<String> {
    let (scheme, rest) = challenge.trim().split_once(' ').unwrap_or((challenge.trim(), ""));
    if !scheme.eq_ignore_ascii_case("Bearer") || rest.to_ascii_lowercase().contains("resource_metadata=") {
        return None;
    }
    let rest = rest.trim();
    let comma = if rest.is_empty() { "" } else { ", " };
    Some(format!("Bearer {rest}{comma}resource_metadata=\"{url}\""))
}

/// A challenge that says nothing else.
pub fn bare(url: &str) -> String {
    format!("Bearer resource_metadata=\"{url}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let check = |challenge: &str, want: Option<&str>| {
            assert_eq!(
                with_metadata(challenge, "https://a/b").as_deref(),
                want,
                "{challenge}"
            );
        };
        check("Bearer", Some("Bearer resource_metadata=\"https://a/b\""));
        check(
            "bearer realm=\"x\", error=\"invalid_token\"",
            Some("Bearer realm=\"x\", error=\"invalid_token\", resource_metadata=\"https://a/b\""),
        );
        check("Bearer Resource_Metadata=\"https://other\"", None);
        check("Basic realm=\"x\"", None);
        check("", None);
    }
}
