//! What was done, kept: the audit log and the history of configurations.
#![forbid(unsafe_code)]
