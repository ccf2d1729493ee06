//! TCP routing: which connections of an entry point leave the HTTP path, where they go, and how their bytes are moved.
//!
//! An entry point without TCP routers has no [`Table`], and its connections never come here.

mod enter;
mod https;
mod postgres;
mod relay;
mod route;
mod table;

pub use enter::enter;
pub use https::Https;
pub use route::{Mode, Route};
pub use table::{Candidate, Table};
