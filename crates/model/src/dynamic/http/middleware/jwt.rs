//! `jwt`

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

use super::ClientConfig;
use crate::duration::Duration;
use crate::file_or_content::FileOrContent;
use crate::secret::Secret;

/// Asks for a JSON Web Token (RFC 7519), signed with one of the given keys; requests without one get 401. At least one of
/// `signingSecret`, `publicKey`, `jwksFile`, `jwksUrl` and `trustedIssuers` is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Jwt {
    /// Secret for tokens signed with HMAC (HS256, HS384, HS512).
    pub signing_secret: Secret,
    /// `signingSecret` is written in Base64.
    pub signing_secret_base64_encoded: bool,
    /// Public key or certificate for signed tokens: PEM text, or a path.
    pub public_key: FileOrContent,
    /// Public keys as a JSON Web Key Set (RFC 7517): JSON text, or a path.
    pub jwks_file: FileOrContent,
    /// Where such a set is fetched from: a URL, or a path that is joined to the token's `iss`. A path trusts whoever has
    /// a host with `https`; prefer `trustedIssuers`.
    pub jwks_url: String,
    /// Issuers with a set of keys each.
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Pass the token on in its header.
    pub forward_authorization: bool,
    /// Name of a query parameter or form field that may hold the token when the header does not.
    pub token_key: String,
    /// Header that holds the token, after `Bearer`.
    #[config(default = "Authorization".to_owned())]
    pub header_name: String,
    /// What the token must claim, such as ``Equals(`grp`, `admin`)``; otherwise the answer is 403.
    pub claims: String,
    /// Claim that is the user's name in the access log.
    pub username_claim: String,
    /// Headers that are set for the server, each to a claim of the token; empty when the token has none.
    pub forward_headers: BTreeMap<String, String>,
    /// Claim that names the caller for limits and caches; `sub` when empty.
    pub identity: String,
    /// Accepted audiences: the token's `aud` must hold one; any when empty. Not in Traefik Hub.
    pub audience: Vec<String>,
    /// Claims that a token must have, such as `exp`. Not in Traefik Hub.
    pub required_claims: Vec<String>,
    /// By how much clocks may differ when `exp`, `nbf` and `iat` are looked at. Not in Traefik Hub.
    #[config(default = Duration::from_secs(30))]
    pub clock_skew: Duration,
    /// How sets of keys are fetched.
    pub client_config: Option<ClientConfig>,
}

/// An issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct TrustedIssuer {
    /// Where its set of keys is fetched from: a URL. Required.
    pub jwks_url: String,
    /// Its name, as in the `iss` of its tokens. One entry may have none: it is for all other tokens.
    pub issuer: String,
}
