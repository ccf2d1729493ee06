//! What becomes of a verified token's claims: an identity, a user's name, headers for the server.

use super::super::identity;
use super::remote::Version;
use serde_json::Value;
use std::sync::Arc;
use trilithon_flow::{BuildError, Credential, Exchange, Headers, Identity};
use trilithon_model::dynamic::http::Jwt as Config;
use trilithon_policy::claims::Path;
use trilithon_policy::token::TokenClaims;

/// Which claims name what.
pub struct Naming {
    subject: Option<Path>,
    user: Option<Path>,
    /// Headers for the server, each with its claim.
    headers: Vec<(Box<str>, Path)>,
}

impl Naming {
    /// # Errors
    /// A claim without a name.
    pub fn build(config: &Config) -> Result<Naming, BuildError> {
        let path = |option: &str, text: &str| {
            Path::parse(text).map_err(|(at, why)| BuildError::new(format!("`{option}`: {why}")).at(text, at))
        };
        let named = |option, text: &String| (!text.is_empty()).then(|| path(option, text)).transpose();
        let headers = config.forward_headers.iter();
        Ok(Naming {
            subject: named("identity", &config.identity)?,
            user: named("usernameClaim", &config.username_claim)?,
            headers: headers
                .map(|(name, claim)| Ok((name.as_str().into(), path("forwardHeaders", claim)?)))
                .collect::<Result<_, BuildError>>()?,
        })
    }

    /// Takes away what the client says of itself in these headers, in every spelling.
    pub fn strip(&self, headers: &mut Headers) {
        for (name, _) in &self.headers {
            identity::strip(headers, name);
        }
    }

    /// The caller that `token` speaks of, with what its verified claims name.
    pub fn caller(
        &self,
        claims: TokenClaims,
        token: &[u8],
        allowed: bool,
        version: Option<Version>,
    ) -> Caller {
        let headers = self.headers.iter().map(|(name, claim)| {
            let value = claim.find(&claims).map(text).unwrap_or_default();
            (name.clone(), header_value(value))
        });
        let user = self
            .user
            .as_ref()
            .map(|claim| claim.find(&claims).map(text).unwrap_or_default());
        Caller {
            headers: headers.collect(),
            user: user.map(String::into_boxed_str),
            identity: Arc::new(self.identity(claims, token)),
            allowed,
            version,
        }
    }

    fn identity(&self, claims: TokenClaims, token: &[u8]) -> Identity {
        let word = |name: &str| claims.get(name).and_then(Value::as_str).filter(|w| !w.is_empty());
        let subject = self
            .subject
            .as_ref()
            .and_then(|claim| claim.find(&claims))
            .map(text);
        let subject = subject
            .filter(|s| !s.is_empty())
            .unwrap_or_else(|| word("sub").unwrap_or_default().to_owned());
        Identity {
            issuer: word("iss").unwrap_or_default().into(),
            application: word("azp")
                .or_else(|| word("client_id"))
                .unwrap_or_default()
                .into(),
            groups: groups(&claims),
            credential_id: word("jti").map_or_else(|| identity::credential_id(token), Into::into),
            claims,
            ..Identity::new(Credential::Jwt, subject)
        }
    }
}

/// `groups`, then `roles`, then Keycloak's `realm_access.roles`.
fn groups(claims: &TokenClaims) -> Vec<Arc<str>> {
    let realm = claims.get("realm_access").and_then(|realm| realm.get("roles"));
    let all = [claims.get("groups"), claims.get("roles"), realm];
    let lists = all.into_iter().flatten().filter_map(Value::as_array);
    lists.flatten().filter_map(Value::as_str).map(Arc::from).collect()
}

/// A claim as text: lists and objects as JSON.
fn text(claim: &Value) -> String {
    match claim {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Empty if it holds what a header cannot (RFC 9110 §5.5): cut or escaped it would be another value.
fn header_value(text: String) -> Box<str> {
    let fits = text.bytes().all(|b| b == b'\t' || !b.is_ascii_control());
    if fits { text.trim().into() } else { "".into() }
}

/// A caller whose token was verified; shared by all its requests.
pub struct Caller {
    identity: Arc<Identity>,
    /// For the access log: empty when the token does not name one.
    user: Option<Box<str>>,
    headers: Box<[(Box<str>, Box<str>)]>,
    /// `claims` holds.
    allowed: bool,
    /// The keys that the token was verified with, if they can change.
    version: Option<Version>,
}

impl Caller {
    /// Whether the keys are still those that the token was verified with.
    pub fn is_current(&self) -> bool {
        self.version.as_ref().is_none_or(Version::is_current)
    }

    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Says who is asking.
    pub fn introduce(&self, cx: &mut Exchange) {
        cx.identify(self.identity.clone());
        if let Some(user) = &self.user {
            cx.record.user = Some(user.to_string());
        }
    }

    /// Tells the server. The headers were stripped before.
    pub fn describe(&self, headers: &mut Headers) {
        for (name, value) in &self.headers {
            headers.append_verbatim(&**name, &**value);
        }
    }
}
