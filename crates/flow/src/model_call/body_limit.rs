//! How large a request to a language model may be, where a middleware does not say it.

use crate::Keep;
use crate::limits::MAX_MODEL_BODY;
use std::sync::Arc;

/// Bytes of the largest request that is read whole, for everything of one process (`hub.aigateway.maxRequestBodySize`).
#[derive(Debug)]
pub struct BodyLimit(u64);

impl BodyLimit {
    /// The name under which the process keeps it.
    const NAME: &str = "body limit of model calls";

    /// Makes `bytes` the limit of the process. Whoever holds it keeps it.
    pub fn start(keep: &Keep, bytes: u64) -> Arc<BodyLimit> {
        keep.get(BodyLimit::NAME, &(), || BodyLimit(bytes))
    }

    /// The limit of the process; [`MAX_MODEL_BODY`] where none was started.
    pub fn of(keep: &Keep) -> u64 {
        keep.get(BodyLimit::NAME, &(), || BodyLimit(MAX_MODEL_BODY)).0
    }
}
