//! Every number that bounds something, in one place, with its reason.

/// Bytes of a request head, where the entry point does not say (`http.maxHeaderBytes`): Traefik's default.
pub const MAX_HEADER_BYTES: usize = 1 << 20;
/// Header fields of one message. Traefik takes as many as fit into the bytes; a longer list is refused, never cut.
pub const MAX_HEADER_FIELDS: usize = 8192;
/// Ranges that one request may ask for (RFC 9110 §14.2 lets a server ignore "many small ranges"): each may cost the server a
/// part of a multipart answer, and nobody who plays a film or reads a document asks for so many.
pub const MAX_RANGES: usize = 100;
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
/// HTTP/2: bytes of the request heads that the open streams of one connection hold together. A stream beyond is refused
/// (`REFUSED_STREAM`), which the client may try again; clients with common heads have as many streams as they may.
pub const H2_MAX_HEAD_BYTES: usize = 256 * 1024;
/// HTTP/2: resets that the server was made to send, over the life of a connection.
pub const H2_MAX_LOCAL_RESETS: usize = 200;
/// Verified credentials that one middleware remembers, so that the next request need not verify them again.
pub const REMEMBERED: usize = 16 * 1024;
/// How long a verified API key is remembered: a slow hash is then looked at a few times an hour.
pub const API_KEY_SECONDS: u64 = 600;
/// How long an API key that fits no slow hash is remembered: long enough to blunt repetition.
pub const REFUSED_KEY_SECONDS: u64 = 30;
/// Bytes of an API key. Slow hashes read it many times.
pub const MAX_API_KEY: usize = 4096;
/// How long a verified token is remembered that does not expire before.
pub const TOKEN_SECONDS: u64 = 600;
/// Bytes of a form that is searched for a token.
pub const MAX_TOKEN_FORM: u64 = 64 * 1024;
/// Bytes of a set of keys (JWKS). The largest that are known have a tenth of it.
pub const MAX_JWKS: u64 = 1 << 20;
/// Shortest and longest time that a fetched set of keys is taken for fresh, whatever its headers say.
pub const JWKS_FRESH_SECONDS: std::ops::RangeInclusive<u64> = 10..=86_400;
/// The same where its headers say nothing.
pub const JWKS_DEFAULT_SECONDS: u64 = 600;
/// How long a set of keys is used on when its issuer cannot be reached.
pub const JWKS_STALE_SECONDS: u64 = 86_400;
/// Time between two fetches that tokens with unknown keys can cause.
pub const JWKS_REFETCH_SECONDS: u64 = 10;
/// Issuers whose keys one middleware fetches because tokens name them (`jwksUrl` as a path).
pub const MAX_ISSUERS: usize = 16;
/// Bytes of a message to a server of tools (MCP), where the configuration does not say: Traefik Hub's default.
pub const MAX_MCP_BODY: u64 = 1 << 20;
/// Bytes of a whole answer of such a server, or of one event of its stream, that is read: results hold images and documents.
pub const MAX_MCP_ANSWER: usize = 8 << 20;
/// Bytes of a compensating call, as JSON, that the audit log keeps.
pub const MAX_UNDO: usize = 16 << 10;
/// Bytes of a request to a language model, where the configuration does not say: Traefik Hub's default.
pub const MAX_MODEL_BODY: u64 = 1 << 20;
/// Bytes of a whole answer of a model that is kept to be read for its usage. Images come in answers; a larger one passes uncounted.
pub const MAX_MODEL_ANSWER: usize = 32 << 20;
/// Bytes of an error of a model's server that is read to be translated; of a larger one only the status is told.
pub const MAX_MODEL_ERROR: u64 = 64 * 1024;
/// How long a model's stream is silent before its client is sent a comment, where the configuration does not say: below the
/// shortest idle time-outs of proxies and clients that are known.
pub const MODEL_KEEP_ALIVE_SECONDS: u64 = 15;
/// How long a model's stream may be silent before it is taken for broken off, where the configuration does not say: longer than
/// models that are known to think think without a word.
pub const MODEL_STREAM_IDLE_SECONDS: u64 = 600;
/// Bytes that each byte of a coded answer of a model may become, beyond the first [`MAX_MODEL_ANSWER`].
pub const MAX_CODED_GROWTH: u64 = 64;
/// Bytes of what was said that a trace is told, of the request and of the answer each.
pub const MAX_TOLD_CONTENT: usize = 32 * 1024;
/// Bytes of one event of a model's stream. The last event of a response tells it whole.
pub const MAX_MODEL_EVENT: usize = 8 << 20;
