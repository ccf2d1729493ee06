//! "May this happen?": identities verified, facts, claims expressions, CEL, decisions.
#![forbid(unsafe_code)]
