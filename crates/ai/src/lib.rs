//! Calls of language models as data: what their bodies say, who may say it, what it weighs.
//!
//! Pure: bytes in, facts and bytes out. Nothing here awaits, reads a clock or knows a socket.
#![forbid(unsafe_code)]

pub mod dialect;
pub mod guard;
pub mod price;
pub mod query;
pub mod tokens;
pub mod translate;

pub use query::{Query, QueryError};
