//! `buffering`

use trilithon_model_derive::Config;

/// Reads whole requests and answers before passing them on, and refuses those that are too large.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Buffering {
    /// Largest request body in bytes, larger ones get 413; 0 means no limit.
    pub max_request_body_bytes: i64,
    /// Bytes of a request body kept in memory, the rest goes to a file; 0 means 1048576.
    pub mem_request_body_bytes: i64,
    /// Largest answer body in bytes, larger ones become 500; 0 means no limit.
    pub max_response_body_bytes: i64,
    /// Bytes of an answer body kept in memory, the rest goes to a file; 0 means 1048576.
    pub mem_response_body_bytes: i64,
    /// When to ask again, such as `IsNetworkError() && Attempts() < 2`; empty means never.
    pub retry_expression: String,
}
