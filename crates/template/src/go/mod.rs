//! What Go's standard library does with numbers, text, times and the like, where Rust's does otherwise.

pub(crate) mod case;
pub(crate) mod duration;
pub(crate) mod escape;
pub(crate) mod json;
pub(crate) mod layout;
pub(crate) mod number;
pub(crate) mod path;
pub(crate) mod quote;
pub(crate) mod time_parse;
pub(crate) mod url;
