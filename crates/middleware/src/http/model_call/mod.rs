//! What the middlewares for calls of language models share, in whatever order they stand: reading the request, reading the
//! usage of the answer once, and answering in the client's dialect.

pub mod answer;
mod content;
mod credentials;
pub mod decoded;
mod ending;
mod enforce;
pub mod govern;
pub mod in_dialect;
pub mod meter;
pub mod open;
pub mod strip;
pub mod watch;

mod prompt;
mod reckon;
mod relay;
mod silence;
mod spoken;
mod translation;

pub use answer::OnDeny;
pub use decoded::decoded;
pub use meter::meter;
pub use open::{Opened, body_limit, open, stored};
pub use reckon::Reckoner;
