//! Bodies of short answers that nobody wants.

use std::task::{Context, Poll};
use trilithon_flow::Body;

/// Throws away what a body has at hand, without waiting for more: the connection behind a short answer can then be used
/// again, and a long one is cut.
pub fn discard(mut body: Body) {
    let mut left = trilithon_flow::limits::DRAIN_BYTES as usize;
    let mut cx = Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Ok(bytes)) = body.poll_fill(&mut cx) {
        let n = bytes.len();
        if n == 0 || n > left {
            return;
        }
        left -= n;
        body.consume(n);
    }
}
