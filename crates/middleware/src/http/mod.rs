//! Middlewares for HTTP, one file per kind, in the order of the reference.

// Paths and redirections.
pub mod add_prefix;
pub mod redirect_regex;
pub mod redirect_scheme;
pub mod replace_path;
pub mod replace_path_regex;
pub mod strip_prefix;
pub mod strip_prefix_regex;

// Heads.

// Who may come in, and how often.

// Identity.

// Bodies, failures and repetition.
pub mod circuit_breaker;
pub mod retry;

// What several of them share.
#[cfg(test)]
mod kit;
mod predicate;
mod prefixed;
mod status_ranges;
mod idle;
mod location;
mod path;
mod redirect;
pub(crate) mod regex_template;
#[cfg(test)]
pub(crate) mod testing;
