//! The rule language: which router gets a request or a connection.
//!
//! A rule is text such as ``Host(`a.test`) && PathPrefix(`/api`)``. It is parsed ([`Expr`]), compiled ([`Rule`]) and
//! put into a [`RouteIndex`], which answers "first match by priority" without trying every rule. What a request looks
//! like is read through [`Facts`]; this crate knows no socket, no clock and no other room of the project.
#![forbid(unsafe_code)]

mod ast;
mod compile;
pub mod condition;
mod cursor;
mod error;
mod facts;
mod host;
mod index;
mod lexer;
mod matcher;
mod name;
mod net;
mod parser;
mod path;
mod priority;
mod query;
mod regexp;
mod rule;
mod tree;
mod v2;

pub use ast::{Arg, Call, Expr};
pub use cursor::{Cursor, SyntaxError};
pub use error::{Error, Kind, MAX_DEPTH, MAX_LENGTH, Stage};
pub use facts::{Conn, Facts, Sample};
pub use host::canonical_host;
pub use index::{Explained, Route, RouteIndex};
pub use name::{Name, Protocol, Syntax};
pub use net::IpRange;
pub use parser::parse;
pub use path::{BadPath, routing_path};
pub use priority::{MAX_USER_PRIORITY, default_priority, tcp_default_priority};
pub use regexp::{BadRegexp, Regexp, translate};
pub use rule::Rule;
pub use tree::Miss;
