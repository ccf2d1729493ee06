//! Translation between Chat Completions and Messages: requests, whole answers, streams and errors, both ways.
//!
//! The only place where bodies are written anew. What becomes of each parameter stands in one table ([`parameter`]). What
//! has no place in the other dialect is left out and told, or refused; it is never lost silently.

mod answer;
mod error;
pub mod parameter;
mod request;
mod stream;
mod to_chat;
mod to_messages;

pub use answer::{Malformed, answer};
pub use error::error;
pub use request::{Translated, request};
pub use stream::Stream;

use crate::dialect::Dialect;

/// The path of a dialect's endpoint, behind whatever the server puts before it: mostly `/v1`.
pub fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "/chat/completions",
        Dialect::Responses => "/responses",
        Dialect::Messages => "/messages",
    }
}

#[cfg(test)]
mod tests;
