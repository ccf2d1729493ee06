//! The gateway from the outside: the built binary, real sockets, literal bytes.
//!
//! One module per subject. The classes of attacks that other proxies fell to have stable ids (`a01` framing, `b01`
//! HTTP/2, `c01` TLS, `d01` paths and hosts, `e01` headers that are believed, `g01` resources); every one is a test here.

mod audit;
mod auth;
mod boundaries;
mod broken_streams;
mod bytes;
mod cancels;
mod census;
mod client2;
mod commands;
mod deadlines;
mod definitions;
mod departures;
mod failover_bench;
mod federation;
mod frames;
mod framing;
mod grpc;
mod guards;
mod harm;
mod hello;
mod history;
mod http2;
mod hub;
mod layers;
mod limits;
mod mcp;
mod model_failover;
mod models;
mod passwords;
mod paths;
mod policy;
mod quickstart;
mod reckless;
mod reload;
mod sample_tools;
mod server2;
mod shadow;
mod shutdown;
mod spine;
mod streaming;
mod streams;
mod tap;
mod tls;
mod tokens;
mod tool_guards;
mod tool_traces;
mod traces;
mod translation;
mod trust;
mod undo;
mod upgrade;
mod wall;
mod world;
