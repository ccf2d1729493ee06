//! The commands, one file each.

pub mod check;
pub mod completion;
pub mod explain;
pub mod healthcheck;
pub mod help;
pub mod quickstart;
pub mod run;
pub mod schema;
pub mod version;

mod sample;
mod state;
