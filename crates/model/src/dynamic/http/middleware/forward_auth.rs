//! `forwardAuth`

use trilithon_model_derive::Config;

use crate::file_or_content::FileOrContent;

/// Asks another server whether a request may pass; its 2xx lets it through, any other answer goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ForwardAuth {
    /// The server's URL. Required.
    pub address: String,
    /// TLS towards that server.
    pub tls: Option<ClientTls>,
    /// Believe the `X-Forwarded-*` headers of the request.
    #[config(deprecated = "set `forwardedHeaders` of the entry point instead")]
    pub trust_forward_header: Option<bool>,
    /// Headers of its answer put into the request.
    pub auth_response_headers: Vec<String>,
    /// The same, by a pattern over canonical header names.
    pub auth_response_headers_regex: String,
    /// Request headers passed to it; all when empty.
    pub auth_request_headers: Vec<String>,
    /// Cookies of its answer put into the answer to the client.
    pub add_auth_cookies_to_response: Vec<String>,
    /// Header that tells the access log the user's name.
    pub header_field: String,
    /// Send the request's body as well.
    pub forward_body: bool,
    /// Largest body, in bytes, that is sent; -1 means no limit.
    #[config(default = Some(-1))]
    pub max_body_size: Option<i64>,
    /// Largest answer, in bytes, that is read; -1 means no limit.
    pub max_response_body_size: Option<i64>,
    /// Pass its `Location` on as it is instead of making it absolute.
    pub preserve_location_header: bool,
    /// Ask with the request's method instead of `GET`.
    pub preserve_request_method: bool,
    /// Where clients that may not pass are redirected (302).
    #[config(rename = "authSigninURL")]
    pub auth_signin_url: String,
}

/// TLS towards an authorization server or a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct ClientTls {
    /// Authorities its certificate must descend from: a path, or PEM text; the system's when empty.
    pub ca: FileOrContent,
    /// Has no effect.
    #[config(deprecated = "remove it: it has no effect")]
    pub ca_optional: Option<bool>,
    /// Certificate shown to it: a path, or PEM text.
    pub cert: FileOrContent,
    /// Its private key: a path, or PEM text.
    pub key: FileOrContent,
    /// Accept any certificate. Unsafe outside tests.
    pub insecure_skip_verify: bool,
}
