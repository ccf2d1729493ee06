//! Requests that stand for the others of their bucket: the last sampled one of each.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use trilithon_flow::Record;
use trilithon_flow::trace::{SpanId, TraceId};

/// One request of a histogram's bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    pub trace: TraceId,
    pub span: SpanId,
    pub nanos: u64,
    pub at: SystemTime,
}

impl Exemplar {
    /// The exemplar that an exchange makes, if it is sampled.
    #[inline]
    pub fn of(record: &Record, nanos: u64) -> Option<Exemplar> {
        let trace = record.trace.as_ref().filter(|t| t.sampled)?;
        Some(Exemplar {
            trace: trace.id,
            span: trace.span,
            nanos,
            at: record.started_at? + record.duration,
        })
    }
}

/// The last exemplar of each bucket. Only sampled requests and the page take the lock.
#[derive(Debug, Default)]
pub struct Exemplars(Mutex<Vec<(usize, Exemplar)>>);

impl Exemplars {
    /// Puts one in the place of the last of its bucket.
    pub fn put(&self, bucket: usize, exemplar: Exemplar) {
        put(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
            bucket,
            exemplar,
        );
    }

    /// All, each with its bucket.
    pub fn all(&self) -> Vec<(usize, Exemplar)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Puts one into a list that has one for each bucket; the newest stays.
pub fn put(list: &mut Vec<(usize, Exemplar)>, bucket: usize, exemplar: Exemplar) {
    match list.iter_mut().find(|(at, _)| *at == bucket) {
        Some((_, last)) if last.at <= exemplar.at => *last = exemplar,
        Some(_) => {}
        None => list.push((bucket, exemplar)),
    }
}
