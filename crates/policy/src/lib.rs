//! "May this happen?": identities verified, facts, claims expressions, CEL, decisions.
#![forbid(unsafe_code)]

pub mod claims;
pub mod token;

pub use claims::Claims;
