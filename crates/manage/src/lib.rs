//! What people and programs see of the gateway: the read API, metrics, the access log, the process log, the status page.
//!
//! Nothing here decides about a request. Observers are told of each exchange when it is over; services answer questions
//! about the live snapshot.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod activity;
mod answer;
pub mod api;
mod dashboard;
mod internal;
pub mod log;
pub mod metrics;
mod origin;

pub use access_log::AccessLog;
pub use internal::{Context, internals};
pub use metrics::Metrics;
