//! Every number that bounds something, in one place, with its reason.

/// Bytes of a request head, where the entry point does not say (`http.maxHeaderBytes`): Traefik's default.
pub const MAX_HEADER_BYTES: usize = 1 << 20;
/// Header fields of one message. Traefik takes as many as fit into the bytes; a longer list is refused, never cut.
pub const MAX_HEADER_FIELDS: usize = 8192;
/// Bytes of an upstream's response head. An upstream is hostile input too.
pub const MAX_RESPONSE_HEAD: usize = 256 * 1024;
/// Fields of an upstream's response head. Traefik knows no limit; the bytes above bound it already.
pub const MAX_RESPONSE_FIELDS: usize = 2048;
/// Bytes read from a socket at once. 32 KiB is the measured optimum for large bodies (16 KiB and 64 KiB cost more).
pub const READ_BUFFER: usize = 32 * 1024;
/// Bytes of request body read and thrown away after an early answer, so that the connection can be kept.
pub const DRAIN_BYTES: u64 = 256 * 1024;
/// Time for a TLS handshake, a PROXY header, and anything else before the first request.
pub const HANDSHAKE_SECONDS: u64 = 10;
/// Interim responses of one exchange that are passed on.
pub const MAX_INTERIM: usize = 16;
/// HTTP/2: resets by the client, per connection, within [`H2_WINDOW_SECONDS`].
pub const H2_MAX_RESETS: u32 = 100;
/// HTTP/2: streams over the life of one connection, then GOAWAY.
pub const H2_MAX_STREAMS: u32 = 100_000;
/// HTTP/2: the window of the flood budgets.
pub const H2_WINDOW_SECONDS: u64 = 1;
/// HTTP/2: fields of one header list, cookie crumbs included: a byte on the wire may stand for a whole field.
pub const H2_MAX_HEADER_FIELDS: usize = 256;
/// HTTP/2: bytes of one header list.
pub const H2_MAX_HEADER_LIST: u32 = 64 * 1024;
/// HTTP/2: resets that the server was made to send, over the life of a connection.
pub const H2_MAX_LOCAL_RESETS: usize = 200;
