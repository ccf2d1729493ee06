//! Where routing configuration comes from: files, and the gateway's own install configuration.
//!
//! A provider turns a source into [`Configuration`](trilithon_model::dynamic::Configuration) and says when it changed. It
//! knows no route and no engine.
#![forbid(unsafe_code)]

pub mod file;
pub mod internal;
mod template;
pub mod watch;
