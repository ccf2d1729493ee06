//! `apiKey`

use trilithon_model_derive::Config;

use crate::secret::Secret;

/// Asks for an API key, which must fit one of the given hashes; requests without one get 401.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ApiKey {
    /// Where the key is in a request. Required.
    pub key_source: Option<KeySource>,
    /// Clients send the key as it is; otherwise they send it in Base64.
    pub secret_non_base64_encoded: bool,
    /// Who may pass: a hash each, made with bcrypt, MD5 (`$apr1$`) or SHA-1; `name:hash` says whose key it is. Required.
    pub secret_values: Vec<Secret>,
}

/// Where a key is in a request. The first place that holds one counts: the header, then the query, then the cookie.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct KeySource {
    /// Name of a header.
    pub header: String,
    /// Scheme before the key in that header, such as `Bearer`; in any case.
    pub header_auth_scheme: String,
    /// Name of a query parameter.
    pub query: String,
    /// Name of a cookie.
    pub cookie: String,
}
