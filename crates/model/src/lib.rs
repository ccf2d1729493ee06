//! Configuration as data: nodes and spans, install and routing configuration, problems.
//!
//! Every dialect (YAML, TOML, flags, environment; later labels and key-value stores) becomes one [`node::Node`] tree
//! that knows where each value was written; one decoder turns a tree into [`install::Static`] or
//! [`dynamic::Configuration`] and reports every [`problem::Problem`] at once.
//!
//! Not here: reading files, sockets, clocks. Sources are passed as text.
#![forbid(unsafe_code)]

pub mod decode;
pub mod dialect;
pub mod duration;
pub mod dynamic;
pub mod encode;
pub mod file_or_content;
pub mod install;
pub mod load;
pub mod node;
pub mod number;
pub mod problem;
pub mod reference;
pub mod rendered;
pub mod rollout;
mod scalar;
pub mod schema;
pub mod secret;
pub mod shape;
pub mod source;
pub mod spanned;
pub mod support;
mod word;

pub use duration::Duration;
pub use encode::{Encode, Secrets};
pub use file_or_content::FileOrContent;
pub use load::{decode_dynamic, decode_labels, decode_static, routing_file};
pub use node::{Node, Source, Span};
pub use problem::{Problem, Problems, Severity};
pub use rollout::{Mode, Percent};
pub use secret::Secret;
pub use spanned::{Map, Spanned};
