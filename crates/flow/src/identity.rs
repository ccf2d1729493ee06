//! Who is asking: the one answer that every kind of authentication gives, and that everything behind it reads.

use serde_json::{Map, Value};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What somebody proved who they are with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    ApiKey,
    Jwt,
    ClientCertificate,
    Basic,
    Digest,
    /// Another server vouched for the caller (`forwardAuth`).
    Forward,
}

impl Credential {
    /// As logs, facts and policies name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Credential::ApiKey => "apiKey",
            Credential::Jwt => "jwt",
            Credential::ClientCertificate => "clientCertificate",
            Credential::Basic => "basic",
            Credential::Digest => "digest",
            Credential::Forward => "forward",
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who is asking. Made once by an authentication, never changed after, shared by everybody who needs it; a warm
/// credential yields the same `Arc` again.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub credential: Credential,
    /// The caller: a token's `sub`, a user's name, a certificate's subject.
    pub subject: Arc<str>,
    /// Who says so: a token's `iss`, a certificate's issuer; empty for the gateway's own lists.
    pub issuer: Arc<str>,
    /// The application on whose behalf (`azp`, `client_id`); empty when the credential names none.
    pub application: Arc<str>,
    /// Groups and roles, in the order of the credential.
    pub groups: Vec<Arc<str>>,
    /// Tells credentials of one subject apart without being one: the first 16 hexadecimal digits of the SHA-256 of a key,
    /// token or certificate, or a token's `jti`. Fit for logs and as a limit's key.
    pub credential_id: Arc<str>,
    /// Everything the credential claims; empty for keys and passwords.
    pub claims: Map<String, Value>,
    /// Where the hash of who this is stays, once somebody has asked for it.
    pub principal: Principal,
}

/// A hash of who somebody is, by which what clients keep for the gateway is theirs: made when it is first asked for.
#[derive(Debug, Default)]
pub struct Principal(OnceLock<[u8; 16]>);

impl Principal {
    /// The hash that was made, or is made now.
    pub fn get_or_make(&self, make: impl FnOnce() -> [u8; 16]) -> [u8; 16] {
        *self.0.get_or_init(make)
    }
}

/// A copy may become somebody else.
impl Clone for Principal {
    fn clone(&self) -> Principal {
        Principal::default()
    }
}

/// It says nothing that the rest does not.
impl PartialEq for Principal {
    fn eq(&self, _: &Principal) -> bool {
        true
    }
}

impl Identity {
    /// One with nothing but its subject.
    pub fn new(credential: Credential, subject: impl Into<Arc<str>>) -> Identity {
        Identity {
            credential,
            subject: subject.into(),
            issuer: "".into(),
            application: "".into(),
            groups: Vec::new(),
            credential_id: "".into(),
            claims: Map::new(),
            principal: Principal::default(),
        }
    }
}
