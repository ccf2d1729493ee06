//! What a member is doing: requests under way, and the times that it took.

use crate::balancer::Samples;
use crate::tail::Attached;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests under way and times of one member.
#[derive(Default)]
pub struct Load {
    pub under_way: AtomicU64,
    pub samples: Samples,
}

/// A request under way.
pub struct UnderWay(Arc<Load>);

impl UnderWay {
    pub fn new(load: &Arc<Load>) -> UnderWay {
        load.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(load.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Attached for UnderWay {}
