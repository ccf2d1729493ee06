//! "May this happen?": identities verified, facts, claims expressions, CEL, decisions.
#![forbid(unsafe_code)]

pub mod cel;
pub mod claims;
pub mod decide;
mod expression;
pub mod fact;
pub mod matching;
#[cfg(test)]
mod testing;
pub mod token;
pub mod undo;
pub mod value;

pub use claims::Claims;
pub use matching::Match;
