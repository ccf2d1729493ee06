//! The words that every room of the gateway speaks.
//!
//! A [`Request`] enters a [`Chain`] of [`Step`]s, reaches a [`Service`], and comes back as a [`Response`]; the
//! [`Exchange`] goes with it and holds what is known of the two; the [`Record`] inside says at the end what happened.
//! None of these types knows which HTTP version carries the message, and none of them knows a socket.
#![forbid(unsafe_code)]

pub mod background;
pub mod body;
pub mod build;
pub mod chain;
pub mod decision;
pub mod exchange;
pub mod fault;
pub mod hold;
pub mod identity;
pub mod keep;
pub mod limits;
pub mod mcp_call;
pub mod method;
pub mod metrics;
pub mod model_call;
pub mod niceness;
mod prefixed;
pub mod record;
pub mod request;
pub mod response;
pub mod status;
pub mod target;
pub mod trace;
pub mod undo;

pub use background::Task;
pub use body::{Body, Source};
pub use build::{Build, BuildError, Services};
pub use chain::{Chain, Edit, Next, Reply, Service, Step, Wrap};
pub use decision::{Decision, Mode, Rollout};
pub use exchange::{Connection, Exchange, Interim, TlsInfo};
pub use fault::{Fault, FaultKind, Side};
pub use hold::{Held, hold};
pub use identity::{Credential, Identity, Principal};
pub use keep::Keep;
pub use mcp_call::{McpCall, SharedMcpCall};
pub use method::Method;
pub use model_call::{Channel, Coverage, Format, ModelCall, SharedCall, Usage};
pub use prefixed::{Beginning, prefixed, read_up_to};
pub use record::{Observer, Record, Telemetry};
pub use request::{Request, Version};
pub use response::{Io, Response, Upgraded};
pub use target::Target;
pub use trace::{Trace, Tracer};
pub use trilithon_wire::{Headers, Known};
pub use undo::{SharedUndo, Undo};
