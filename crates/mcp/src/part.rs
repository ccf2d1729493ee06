//! The members of a message that somebody looks at, and where each is found among its [`Parts`].

use crate::{message, meta};
use trilithon_flow::mcp_call::{PARTS, Parts};
use trilithon_flow::trace::baggage;
use trilithon_wire::json::{Error, Value, Wanted, find_alike};

pub const JSONRPC: usize = 0;
pub const ID: usize = 1;
pub const RESULT: usize = 2;
pub const ERROR: usize = 3;

// What an answer does not have.
pub const METHOD: usize = 4;
pub const PARAMS: usize = 5;

// Of the parameters.
pub const NAME: usize = 6;
pub const URI: usize = 7;
pub const TASK_ID: usize = 8;
pub const ARGUMENTS: usize = 9;
pub const META: usize = 10;
/// The revision that `initialize` offers.
pub const OFFERED: usize = 11;

// Of `_meta`.
/// Where each request of the second era says which revision it follows.
pub const VERSION: usize = 12;
/// Where it says what its client can do.
pub const CAPABILITIES: usize = 13;
/// Where it says what its client wants to be told.
pub const LOG_LEVEL: usize = 14;
pub const TRACE_PARENT: usize = 15;
pub const TRACE_STATE: usize = 16;
pub const BAGGAGE: usize = 17;
/// The tool call that the message is made for.
pub const TOOL_CALL: usize = 18;
pub const TOOL_USE: usize = 19;

const _: () = assert!(TOOL_USE + 1 == PARTS);

const MESSAGE: &[Wanted] = &[
    Wanted::new("jsonrpc", JSONRPC),
    Wanted::new("id", ID),
    Wanted::new("result", RESULT),
    Wanted::new("error", ERROR),
    Wanted::new("method", METHOD),
    Wanted::new("params", PARAMS).with(OF_PARAMS),
];

const OF_PARAMS: &[Wanted] = &[
    Wanted::new("name", NAME),
    Wanted::new("uri", URI),
    Wanted::new("taskId", TASK_ID),
    Wanted::new("arguments", ARGUMENTS),
    Wanted::new("_meta", META).with(OF_META),
    Wanted::new("protocolVersion", OFFERED),
];

const OF_META: &[Wanted] = &[
    Wanted::new(message::VERSION, VERSION),
    Wanted::lenient(message::CAPABILITIES, CAPABILITIES),
    Wanted::lenient(message::LOG_LEVEL, LOG_LEVEL),
    Wanted::lenient(meta::TRACE_PARENT, TRACE_PARENT),
    Wanted::lenient(meta::TRACE_STATE, TRACE_STATE),
    Wanted::lenient(meta::BAGGAGE, BAGGAGE),
    Wanted::lenient(baggage::TOOL_CALL, TOOL_CALL),
    Wanted::lenient(meta::TOOL_USE, TOOL_USE),
];

/// A document, and in it the parts of a message.
///
/// # Errors
/// It is no JSON. Within: it is not the same JSON to all readers.
pub fn find(body: &[u8]) -> Result<(Value<'_>, Result<Parts, Error>), Error> {
    find_alike(body, MESSAGE)
}

/// The name of a member of `_meta`.
pub fn name(part: usize) -> &'static str {
    let named = OF_META.iter().find(|wanted| wanted.part == part);
    named.map_or("", |wanted| wanted.name)
}
