//! Configuration in, HTTP traffic out.
//!
//! The slow river ends here: messages of providers are merged ([`merge`]), compiled ([`assemble`]) and swapped in
//! ([`live`]). The fast river runs here: sockets are accepted ([`listener`]), served ([`door`]) and routed ([`route`]).
//! The engine knows no provider and no command; only the binary knows all.
#![forbid(unsafe_code)]

pub mod assemble;
mod date;
mod door;
pub mod drain;
pub mod entry_point;
pub mod intake;
mod keep_alive;
pub mod listener;
pub mod live;
pub mod merge;
pub mod reload;
pub mod report;
pub mod route;
mod serve;
mod stream;
pub mod tcp;
mod timer;
pub mod udp;
pub mod worker;
