//! The limit book: buckets, windows and concurrency, with charges that are reserved and settled.
//!
//! A [`Limit`] is one rule: an [`Algorithm`] over the partitions (callers) it tells apart. Asking it gives an
//! [`Outcome`], which headers, log and shadow mode all read, and a [`Charge`] for what cannot be known before the end.
//! Nothing here reads a clock but [`clock`], and nothing here knows HTTP.
#![forbid(unsafe_code)]

mod book;
mod charge;
pub mod clock;
mod gcra;
mod in_flight;
mod lease;
mod limit;
mod outcome;
mod partition;
mod partitions;
mod store;
mod token_bucket;
mod window;

pub use book::Book;
pub use charge::{Charge, Charges, Outcomes, Refused};
pub use clock::Nanos;
pub use gcra::Gcra;
pub use in_flight::{InFlight, Slot};
pub use limit::{Algorithm, Caller, Limit};
pub use outcome::{Outcome, Policy};
pub use partition::Partition;
pub use store::{Store, StoreError};
pub use token_bucket::{Level, TokenBuckets, Verdict};
pub use window::{Span, Window};
