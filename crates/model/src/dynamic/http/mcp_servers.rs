//! The service that stands for several servers of the Model Context Protocol. Not in Traefik.

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::secret::Secret;

/// Several servers of tools (Model Context Protocol) as one: their lists are one list, calls go to the server that a name's
/// prefix names, and clients have one session for all. Each server is a service with middlewares of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpServers {
    /// The servers, 1 to 64. Their order is that of the lists.
    pub servers: Vec<McpServer>,
    /// What stands between the prefix of a server and a name: letters, digits, `_`, `-` and `.`.
    #[config(default = "_".to_owned())]
    pub separator: String,
    /// Sessions of clients; of those that speak revision 2026-07-28 or later there are none.
    #[config(default = Some(McpSessions::default()), allow_empty)]
    pub sessions: Option<McpSessions>,
    /// How long a server may take to open a session, and to answer what all are asked. The others' answers are given without
    /// its own.
    #[config(default = Duration::from_secs(10))]
    pub timeout: Duration,
    /// Largest message of a client, in bytes.
    #[config(default = 1_048_576)]
    pub max_request_body_size: i64,
    /// Calls of clients that speak revision 2026-07-28 or later to servers that do not, while these wait for what the client was asked.
    #[config(default = Some(McpParkedCalls::default()), allow_empty)]
    pub parked_calls: Option<McpParkedCalls>,
    /// Streams of this service that are open at once, at most: those that clients listen to, and answers that are streams; also while
    /// they are kept for a client that has left.
    #[config(default = 10_000)]
    pub max_streams: i64,
    /// What is kept of streams for clients that leave and come back.
    #[config(default = Some(McpReplay::default()), allow_empty)]
    pub replay: Option<McpReplay>,
    /// How long a stream is silent before its client is sent a comment, so that nothing between takes it for dead; 0 means
    /// never.
    #[config(default = Duration::from_secs(15))]
    pub keep_alive: Duration,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpServer {
    /// Its name, in logs and in the ids that clients are given: letters, digits, `-` and `.`, a letter first.
    pub name: String,
    /// Name of the service.
    pub service: String,
    /// Path that it is asked at; that of the client's request when empty.
    pub path: String,
    /// What stands before the names of its tools and prompts and, followed by `+`, before the addresses of its resources:
    /// written like a name. One server may have an empty one: what has no prefix goes there. Its name when absent, or empty
    /// where it is the only server.
    pub prefix: Option<String>,
    /// What it speaks: revisions up to 2025-11-25 (`legacy`), from 2026-07-28 on (`modern`), or whatever it turns out to
    /// (`auto`).
    #[config(default = "auto".to_owned(), one_of("auto", "legacy", "modern"))]
    pub era: String,
    /// Send it the client's `Authorization` and `Cookie`. They were given to the gateway, not to it.
    pub pass_authorization: bool,
}

/// How sessions are kept: by the clients, in the id that they are given. The gateway reads it again, on any replica with the
/// same secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpSessions {
    /// What ids are sealed with, each at least 32 bytes. The first seals, all are taken, so that secrets can be changed
    /// without ending sessions. Made by chance when empty: sessions then end with the process.
    pub secrets: Vec<Secret>,
    /// How long a session lasts; clients then open another one.
    #[config(default = Duration::from_secs(24 * 60 * 60))]
    pub max_age: Duration,
}

/// How many calls wait for their clients' answers, and for how long. Such a call is answered with the server's questions, and goes on
/// when the client repeats it with what it answers; what it is in the middle of is at the server meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpParkedCalls {
    /// How long a call waits for its client at a time; it is then cancelled.
    #[config(default = Duration::from_secs(5 * 60))]
    pub max_age: Duration,
    /// Calls that wait, at most. One more is answered with an error, and cancelled.
    #[config(default = 1000)]
    pub max: i64,
    /// Calls of one caller that wait, at most. For one more the one that waits for longest is cancelled.
    #[config(default = 16)]
    pub max_per_caller: i64,
}

/// How long and how much of their streams is kept for clients of revisions up to 2025-11-25, which come back with `Last-Event-ID`. A
/// call goes on while its client is away; nothing that was told meanwhile is lost within these bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct McpReplay {
    /// How long a client may be away; the call is then given up. 0: nothing is kept, and a call ends with its client.
    #[config(default = Duration::from_secs(60))]
    pub max_age: Duration,
    /// Streams of one caller that are told on while nobody reads them, at most. For one more the oldest is given up.
    #[config(default = 16)]
    pub max_per_caller: i64,
    /// Bytes of one stream that are kept: the last ones.
    #[config(default = 262_144)]
    pub max_stream_bytes: i64,
    /// Bytes of all streams of the service that are kept. What is beyond is told, and not kept.
    #[config(default = 16_777_216)]
    pub max_bytes: i64,
}
