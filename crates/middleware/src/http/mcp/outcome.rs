//! Looking at an answer that goes by, for how the call went. No byte waits for it.

use super::super::model_call::meter::{is_readable, is_stream};
use super::super::model_call::watch::{self, Look};
use trilithon_flow::model_call::name;
use trilithon_flow::{Response, SharedMcpCall};
use trilithon_mcp::answer::failure;

/// Tells the call of failures that the answer names.
pub fn watch(call: SharedMcpCall, mut res: Response) -> Response {
    if is_readable(&res) && !res.body.is_empty() {
        let is_stream = is_stream(&res);
        res.body = watch::body(res.body.take(), is_stream, Outcome(call));
    }
    res
}

struct Outcome(SharedMcpCall);

impl Look for Outcome {
    fn event(&mut self, data: &[u8]) {
        self.whole(data);
    }

    fn whole(&mut self, body: &[u8]) {
        if let Some(error) = failure(body) {
            self.0.borrow_mut().error = Some(name(&error));
        }
    }
}
