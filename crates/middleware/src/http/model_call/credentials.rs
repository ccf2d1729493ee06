//! The upstream's key in place of the client's credentials.

use super::super::identity;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{BuildError, Headers, Known};
use trilithon_model::Secret;

/// Headers in which clients of any vendor send keys.
const PLACES: [&str; 3] = ["Authorization", "X-Api-Key", "Api-Key"];
const VERSION: &str = "Anthropic-Version";
/// The version of Messages that is spoken where clients do not say one.
const SPOKEN: &str = "2023-06-01";

/// What is sent to the upstream to be let in.
pub struct Credentials {
    /// Header and value; the client's own pass when there is none.
    key: Option<(&'static str, Box<str>)>,
    version: Option<Box<str>>,
    /// The client speaks another dialect than the upstream, which is this one.
    recast: Option<Dialect>,
}

impl Credentials {
    /// For clients that speak like the upstream.
    ///
    /// # Errors
    /// A token from a secret store, or with characters that no header holds.
    pub fn build(dialect: Dialect, token: &Secret, version: &str) -> Result<Credentials, BuildError> {
        let text = token.expose();
        if text.starts_with("urn:") {
            return Err(
                BuildError::new("`token` names a secret store, and none is built yet")
                    .help("write the key itself, or `{{ env \"NAME\" }}` in a file"),
            );
        }
        for (name, value) in [("token", text), ("anthropicVersion", version)] {
            if !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
                // The text is a key: it is not shown.
                return Err(
                    BuildError::new(format!("`{name}` has characters that a header cannot hold"))
                        .help("remove line ends and whatever is not ASCII"),
                );
            }
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.into());
        Ok(Credentials {
            key: (!text.is_empty()).then(|| form(dialect, text)),
            version: given(version),
            recast: None,
        })
    }

    /// For clients of another dialect: their own keys pass in the upstream's form, and nothing else of their vendor's does.
    ///
    /// # Errors
    /// As [`Credentials::build`].
    pub fn recast(upstream: Dialect, token: &Secret) -> Result<Credentials, BuildError> {
        let version = if upstream == Dialect::Messages { SPOKEN } else { "" };
        Ok(Credentials {
            recast: Some(upstream),
            ..Credentials::build(upstream, token, version)?
        })
    }

    /// Makes the head of a request one that the upstream lets in.
    pub fn apply(&self, headers: &mut Headers) {
        if let Some(upstream) = self.recast {
            let foreign: &[u8] = match upstream {
                Dialect::Messages => b"openai-",
                _ => b"anthropic-",
            };
            headers.retain(|_, name, _| !begins(name, foreign));
        }
        match (&self.key, self.recast) {
            (Some((name, value)), _) => replace(headers, name, value),
            (None, Some(upstream)) => {
                let own = PLACES.iter().find_map(|place| bare(headers.get_str(place)?));
                if let Some((name, value)) = own.map(|own| form(upstream, own)) {
                    replace(headers, name, &value);
                }
            }
            (None, None) => {}
        }
        if let Some(version) = &self.version {
            identity::set(headers, VERSION, version.as_bytes());
        }
    }
}

/// A key as servers of a dialect expect it; those of Messages take a bearer token too when it is written as one.
fn form(dialect: Dialect, key: &str) -> (&'static str, Box<str>) {
    match dialect {
        Dialect::Messages if !key.starts_with("Bearer ") => ("X-Api-Key", key.into()),
        _ => {
            let token = key.strip_prefix("Bearer ").unwrap_or(key);
            (Known::Authorization.name(), format!("Bearer {token}").into())
        }
    }
}

/// The key that a client sends; credentials of another scheme than `Bearer` are none.
fn bare(value: &str) -> Option<&str> {
    let scheme = value.get(..7).filter(|s| s.eq_ignore_ascii_case("bearer "));
    let key = scheme.map_or(value, |scheme| &value[scheme.len()..]);
    (!key.contains(' ')).then_some(key)
}

fn replace(headers: &mut Headers, name: &str, value: &str) {
    PLACES.iter().for_each(|place| identity::strip(headers, place));
    headers.set(name, value.as_bytes());
}

/// Whether a header's name begins so, in any case and to servers that fold `_` and `.` into `-`.
fn begins(name: &[u8], with: &[u8]) -> bool {
    let start = name.get(..with.len());
    start.is_some_and(|start| start.iter().map(|b| identity::fold(*b)).eq(with.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::lines;
    use super::*;

    #[test]
    fn the_clients_key_goes_when_there_is_another() {
        let check = |dialect, token: &str, want: &[&str]| {
            let mut headers: Headers = [("Authorization", "Bearer client"), ("X_Api_Key", "client")]
                .into_iter()
                .collect();
            Credentials::build(dialect, &token.into(), "")
                .unwrap()
                .apply(&mut headers);
            assert_eq!(lines(&headers), want);
        };
        check(Dialect::Chat, "sk", &["Authorization: Bearer sk"]);
        check(Dialect::Responses, "Bearer sk", &["Authorization: Bearer sk"]);
        check(Dialect::Messages, "sk", &["X-Api-Key: sk"]);
        check(Dialect::Messages, "Bearer sk", &["Authorization: Bearer sk"]);
        check(
            Dialect::Messages,
            "",
            &["Authorization: Bearer client", "X_api_key: client"],
        );
    }

    #[test]
    fn keys_take_the_form_of_the_upstream() {
        let check = |upstream, token: &str, own: &[(&str, &str)], want: &[&str]| {
            let mut headers: Headers = own.iter().copied().collect();
            Credentials::recast(upstream, &token.into())
                .unwrap()
                .apply(&mut headers);
            assert_eq!(lines(&headers), want, "{own:?}");
        };
        let version = "Anthropic-Version: 2023-06-01";
        let chat = [
            ("Authorization", "Bearer own"),
            ("OpenAI-Organization", "o"),
            ("X-Other", "1"),
        ];
        let messages = [
            ("X-Api-Key", "own"),
            ("Anthropic-Version", "2023-01-01"),
            ("anthropic_beta", "b"),
        ];
        check(
            Dialect::Messages,
            "sk",
            &chat,
            &["X-Other: 1", "X-Api-Key: sk", version],
        );
        check(
            Dialect::Messages,
            "",
            &chat,
            &["X-Other: 1", "X-Api-Key: own", version],
        );
        let basic = [("Authorization", "Basic YTpi")];
        check(
            Dialect::Messages,
            "",
            &basic,
            &["Authorization: Basic YTpi", version],
        );
        check(
            Dialect::Messages,
            "",
            &[("Api-Key", "own")],
            &["X-Api-Key: own", version],
        );
        check(Dialect::Messages, "", &[], &[version]);
        check(Dialect::Chat, "sk", &messages, &["Authorization: Bearer sk"]);
        check(Dialect::Chat, "", &messages, &["Authorization: Bearer own"]);
    }

    #[test]
    fn the_version_is_set() {
        let mut headers: Headers = [("anthropic-version", "old")].into_iter().collect();
        Credentials::build(Dialect::Messages, &"".into(), "2023-06-01")
            .unwrap()
            .apply(&mut headers);
        assert_eq!(lines(&headers), ["Anthropic-Version: 2023-06-01"]);
    }

    #[test]
    fn bad_tokens_are_refused_and_not_shown() {
        for bad in ["urn:k8s:secret:a:b", "se\ncret", "secrét"] {
            let error = Credentials::build(Dialect::Chat, &bad.into(), "").err().unwrap();
            assert!(
                !error.message.contains("cret\n") && !error.message.contains("secr\u{e9}"),
                "{error}"
            );
        }
    }
}
