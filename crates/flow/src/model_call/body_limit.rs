//! How large a request to a language model or a server of tools may be, where a middleware does not say it.

use crate::Keep;
use crate::limits::{MAX_MCP_BODY, MAX_MODEL_BODY};
use std::sync::Arc;

/// Bytes of the largest request that is read whole, for everything of one process.
#[derive(Debug)]
pub struct BodyLimit {
    /// Of a call of a model (`hub.aigateway.maxRequestBodySize`).
    pub models: u64,
    /// Of a message to a server of tools (`hub.mcpgateway.maxRequestBodySize`).
    pub tools: u64,
}

impl Default for BodyLimit {
    fn default() -> BodyLimit {
        BodyLimit {
            models: MAX_MODEL_BODY,
            tools: MAX_MCP_BODY,
        }
    }
}

impl BodyLimit {
    /// The name under which the process keeps it.
    const NAME: &str = "body limit of calls";

    /// Makes it that of the process. Whoever holds it keeps it.
    pub fn start(self, keep: &Keep) -> Arc<BodyLimit> {
        keep.get(BodyLimit::NAME, &(), || self)
    }

    /// That of the process; the default where none was started.
    pub fn of(keep: &Keep) -> Arc<BodyLimit> {
        keep.get(BodyLimit::NAME, &(), BodyLimit::default)
    }
}
