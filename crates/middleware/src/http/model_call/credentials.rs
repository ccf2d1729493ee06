//! The upstream's key in place of the client's credentials.

use super::super::identity;
use trilithon_ai::dialect::Dialect;
use trilithon_flow::{BuildError, Headers, Known};
use trilithon_model::Secret;

/// Headers in which clients of any vendor send keys.
const PLACES: [&str; 3] = ["Authorization", "X-Api-Key", "Api-Key"];
const VERSION: &str = "Anthropic-Version";

/// What is sent to the upstream to be let in.
pub struct Credentials {
    /// Header and value; the client's own pass when there is none.
    key: Option<(&'static str, Box<str>)>,
    version: Option<Box<str>>,
}

impl Credentials {
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
        let key = match (dialect, text) {
            (_, "") => None,
            (Dialect::Messages, text) if !text.starts_with("Bearer ") => Some(("X-Api-Key", text.into())),
            (_, text) => {
                let token = text.strip_prefix("Bearer ").unwrap_or(text);
                Some((Known::Authorization.name(), format!("Bearer {token}").into()))
            }
        };
        Ok(Credentials {
            key,
            version: given(version),
        })
    }

    /// Makes the head of a request one that the upstream lets in.
    pub fn apply(&self, headers: &mut Headers) {
        if let Some((name, value)) = &self.key {
            PLACES.iter().for_each(|place| identity::strip(headers, place));
            headers.set(name, value.as_bytes());
        }
        if let Some(version) = &self.version {
            identity::set(headers, VERSION, version.as_bytes());
        }
    }
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
