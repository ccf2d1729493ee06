//! The limit book: buckets, windows and concurrency, with charges that are reserved and settled.
#![forbid(unsafe_code)]
