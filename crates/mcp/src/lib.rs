//! The Model Context Protocol as data. Its revisions fall into two [eras](Era): up to 2025-11-25 a client opens a session, from
//! 2026-07-28 on each request says all of itself. What can be thought about without a socket is here; who reads and answers is
//! the middleware.
#![forbid(unsafe_code)]

pub mod answer;
pub mod challenge;
mod era;
pub mod error;
pub mod header;
pub mod list;
pub mod message;
pub mod metadata;

pub use era::Era;
pub use list::List;
pub use message::{Invalid, Message};
