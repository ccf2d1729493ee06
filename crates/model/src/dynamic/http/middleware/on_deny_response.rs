//! `onDenyResponse`, which guards and token limits have.

use trilithon_model_derive::Config;

/// What a client is told in place of what was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct OnDenyResponse {
    /// The status; 403 of a guard, 429 of a limit when absent. With 200 the answer looks like one of the model, in the
    /// client's own format, so that agents go on.
    pub status_code: Option<i64>,
    /// The text of the answer.
    pub message: String,
    /// Its content type. When empty, the format of the request decides; with status 200, a stream is answered with one.
    pub content_type: String,
}
