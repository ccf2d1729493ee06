//! An entry point, compiled: what the doors and the intake need to know of it.

use crate::drain::Doors;
use crate::intake::{Introduction, Trust};
use std::sync::Arc;
use std::time::Duration;
use trilithon_flow::limits;

/// What happens to header names with `_` (`http.underscoreHeadersStrategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underscores {
    #[default]
    Keep,
    Delete,
    Reject,
}

/// HTTP/2 settings of an entry point.
#[derive(Clone, Copy, Debug)]
pub struct Http2 {
    pub max_concurrent_streams: u32,
    pub max_decoder_header_table_size: u32,
    pub max_encoder_header_table_size: u32,
}

/// One entry point. A zero duration means no limit.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    pub name: Arc<str>,
    /// Position in the snapshot's list.
    pub index: usize,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub idle_timeout: Duration,
    pub keep_alive_max_requests: u64,
    pub keep_alive_max_time: Duration,
    /// Peers whose PROXY header is believed; `None`: no PROXY protocol here.
    pub proxy_protocol: Option<Trust>,
    pub forwarded: Trust,
    pub connection_headers: Vec<String>,
    pub not_append_forwarded_for: bool,
    pub max_header_bytes: usize,
    pub underscores: Underscores,
    pub sanitize_path: bool,
    pub encode_query_semicolons: bool,
    pub http2: Http2,
    /// What servers are told of ordinary requests that come in here.
    pub introduction: Introduction,
    pub access_logs: bool,
    pub metrics: bool,
    pub tracing: bool,
    pub audit: bool,
    /// Shared by all clones.
    pub doors: Arc<Doors>,
}

impl EntryPoint {
    /// An entry point with Traefik's defaults.
    pub fn new(name: &str, index: usize) -> EntryPoint {
        EntryPoint {
            name: name.into(),
            index,
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::ZERO,
            idle_timeout: Duration::from_secs(180),
            keep_alive_max_requests: 0,
            keep_alive_max_time: Duration::ZERO,
            proxy_protocol: None,
            forwarded: Trust::default(),
            connection_headers: Vec::new(),
            not_append_forwarded_for: false,
            max_header_bytes: limits::MAX_HEADER_BYTES,
            underscores: Underscores::Keep,
            sanitize_path: true,
            encode_query_semicolons: false,
            http2: Http2 {
                max_concurrent_streams: 250,
                max_decoder_header_table_size: 4096,
                max_encoder_header_table_size: 4096,
            },
            introduction: Introduction::new(hostname()),
            access_logs: true,
            metrics: true,
            tracing: true,
            audit: false,
            doors: Arc::default(),
        }
    }
}

/// The machine's name.
pub fn hostname() -> Arc<str> {
    rustix::system::uname().nodename().to_string_lossy().into()
}
