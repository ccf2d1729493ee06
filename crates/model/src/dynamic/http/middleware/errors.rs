//! `errors`

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

/// Replaces answers of certain statuses by a page of another service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Errors {
    /// Statuses and ranges replaced, such as `500-599`.
    pub status: Vec<String>,
    /// New statuses: a status or range to the status sent instead.
    pub status_rewrites: BTreeMap<String, i64>,
    /// The service that has the pages.
    pub service: String,
    /// Path asked of it; `{status}`, `{originalStatus}` and `{url}` are filled in.
    pub query: String,
    /// Request headers passed to it; all when empty.
    pub error_request_headers: Vec<String>,
}
