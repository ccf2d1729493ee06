//! `compress`

use trilithon_model_derive::Config;

/// Compresses answers when the client accepts it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Compress {
    /// Media types that are left alone. Excludes `includedContentTypes`.
    pub excluded_content_types: Vec<String>,
    /// The only media types compressed. Excludes `excludedContentTypes`.
    pub included_content_types: Vec<String>,
    /// Smallest body compressed, in bytes; 0 means 1024.
    pub min_response_body_bytes: i64,
    /// Codings offered, in order of preference: `gzip`, `br`, `zstd`.
    #[config(default = ["gzip", "br", "zstd"].map(str::to_owned).to_vec())]
    pub encodings: Vec<String>,
    /// Coding for clients that send no `Accept-Encoding`; empty means none.
    pub default_encoding: String,
}
