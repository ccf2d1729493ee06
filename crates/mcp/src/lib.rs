//! The Model Context Protocol as data. Its revisions fall into two [eras](Era): up to 2025-11-25 a client opens a session, from
//! 2026-07-28 on each request says all of itself. What can be thought about without a socket is here; who reads and answers is
//! the middleware.
#![forbid(unsafe_code)]

mod abilities;
pub mod answer;
pub mod batch;
pub mod bridge;
pub mod challenge;
mod cursor;
mod definition;
mod era;
pub mod error;
mod event_id;
pub mod forms;
pub mod header;
pub mod inward;
mod level;
pub mod list;
pub mod merge;
pub mod message;
pub mod meta;
pub mod metadata;
mod mirror;
mod naming;
pub mod openapi;
pub mod outward;
mod pack;
pub mod part;
pub mod pins;
pub mod repeated;
pub mod rounds;
mod seal;
mod session;
pub mod shapes;
pub mod state;
pub mod tag;
pub mod texts;
mod validate;
pub mod visit;

pub use abilities::Abilities;
pub use cursor::Cursor;
pub use definition::Definition;
pub use era::Era;
pub use event_id::{EventId, Kept, Stream};
pub use level::Level;
pub use list::List;
pub use message::{Invalid, Message};
pub use mirror::{BadMirror, Mirror};
pub use naming::Naming;
pub use pins::Pins;
pub use seal::Seal;
pub use session::{Leg, Session};
pub use shapes::Shapes;
pub use state::State;
