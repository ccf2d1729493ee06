//! Where the gateway listens.

use trilithon_model_derive::Config;

use crate::duration::Duration;
use crate::dynamic::tls::Domain;

/// Where the gateway listens.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct EntryPoint {
    /// `[host]:port[/tcp|/udp]`. Required.
    pub address: String,
    /// Let routers of yours take ACME challenge requests.
    #[config(rename = "allowACMEByPass")]
    pub allow_acme_by_pass: bool,
    /// Let several processes, or several entry points, listen on the same address (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// Use it for routers that name no entry point. When any has this, only those are used.
    pub as_default: bool,
    /// How long connections and requests may take.
    pub transport: Transport,
    /// Accept the PROXY protocol.
    #[config(allow_empty)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whose `X-Forwarded-*` headers are believed.
    pub forwarded_headers: ForwardedHeaders,
    /// What applies to all HTTP routers on it.
    pub http: HttpConfig,
    /// HTTP/2.
    #[config(default = Http2Config::default())]
    pub http2: Http2Config,
    /// HTTP/3, on the same port over UDP. Needs TLS.
    #[config(allow_empty)]
    pub http3: Option<Http3Config>,
    /// UDP sessions.
    pub udp: UdpConfig,
    /// What is recorded of its requests.
    pub observability: Option<Observability>,
}

/// How long connections and requests may take.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Transport {
    /// How the gateway stops.
    pub life_cycle: LifeCycle,
    /// How long a client may take.
    pub responding_timeouts: RespondingTimeouts,
    /// Age at which a connection is closed after the answer; 0 means never.
    pub keep_alive_max_time: Duration,
    /// Requests after which a connection is closed; 0 means never.
    pub keep_alive_max_requests: i64,
}

/// How the gateway stops.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct LifeCycle {
    /// How long new requests are still accepted after the signal.
    pub request_accept_grace_timeout: Duration,
    /// How long requests under way may then still take.
    #[config(default = Duration::from_secs(10))]
    pub grace_time_out: Duration,
}

/// How long a client may take.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct RespondingTimeouts {
    /// Sending the whole request, body included; on TCP the first bytes. 0 means no limit.
    #[config(default = Duration::from_secs(60))]
    pub read_timeout: Duration,
    /// From the end of the request's head to the end of the answer. 0 means no limit.
    pub write_timeout: Duration,
    /// Between requests on a connection. 0 means no limit.
    #[config(default = Duration::from_secs(180))]
    pub idle_timeout: Duration,
}

/// PROXY protocol, versions 1 and 2.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ProxyProtocol {
    /// Believe everybody. Unsafe outside tests.
    pub insecure: bool,
    /// Addresses and ranges that are believed.
    #[config(rename = "trustedIPs")]
    pub trusted_ips: Vec<String>,
}

/// Whose `X-Forwarded-*` headers are believed.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ForwardedHeaders {
    /// Believe everybody. Unsafe where clients connect directly.
    pub insecure: bool,
    /// Addresses and ranges that are believed.
    #[config(rename = "trustedIPs")]
    pub trusted_ips: Vec<String>,
    /// Headers that middlewares see even when `Connection` lists them.
    pub connection: Vec<String>,
    /// Do not add the client to `X-Forwarded-For`.
    #[config(rename = "notAppendXForwardedFor")]
    pub not_append_x_forwarded_for: bool,
}

/// What applies to all HTTP routers on an entry point.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HttpConfig {
    /// Send everything elsewhere.
    pub redirections: Option<Redirections>,
    /// Middlewares that run before those of the routers.
    pub middlewares: Vec<String>,
    /// TLS for routers that do not set it themselves.
    #[config(allow_empty)]
    pub tls: Option<TlsConfig>,
    /// Percent-encoded characters that paths may hold.
    pub encoded_characters: Option<EncodedCharacters>,
    /// Percent-encode semicolons in queries instead of passing them on.
    pub encode_query_semicolons: bool,
    /// Resolve `.`, `..` and double slashes in paths. `false` is unsafe.
    #[config(default = Some(true))]
    pub sanitize_path: Option<bool>,
    /// Largest request head in bytes.
    #[config(default = 1_048_576)]
    pub max_header_bytes: i64,
    /// What happens to headers whose name has an underscore: they are kept, deleted, or the request is refused.
    #[config(default = "keep".to_owned())]
    pub underscore_headers_strategy: String,
}

/// Send everything elsewhere.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Redirections {
    /// To another entry point.
    pub entry_point: Option<RedirectEntryPoint>,
}

/// Redirection to another entry point.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct RedirectEntryPoint {
    /// Name of the entry point, or `:port`. Required.
    pub to: String,
    /// Scheme of the new URL.
    #[config(default = "https".to_owned())]
    pub scheme: String,
    /// Answer 301 or 308 instead of 302 or 307.
    #[config(default = true)]
    pub permanent: bool,
    /// Priority of the router made for it.
    #[config(default = i64::MAX - 1)]
    pub priority: i64,
}

/// TLS for routers that do not set it themselves.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TlsConfig {
    /// The set of TLS options to use; `default` when empty.
    pub options: String,
    /// The certificate resolver to ask.
    pub cert_resolver: String,
    /// Names to obtain certificates for; those of the rules when empty.
    pub domains: Vec<Domain>,
}

/// Percent-encoded characters that paths may hold.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct EncodedCharacters {
    /// Allow `%2F`.
    #[config(default = true)]
    pub allow_encoded_slash: bool,
    /// Allow `%5C`.
    #[config(default = true)]
    pub allow_encoded_back_slash: bool,
    /// Allow `%00`.
    #[config(default = true)]
    pub allow_encoded_null_character: bool,
    /// Allow `%3B`.
    #[config(default = true)]
    pub allow_encoded_semicolon: bool,
    /// Allow `%25`.
    #[config(default = true)]
    pub allow_encoded_percent: bool,
    /// Allow `%3F`.
    #[config(default = true)]
    pub allow_encoded_question_mark: bool,
    /// Allow `%23`.
    #[config(default = true)]
    pub allow_encoded_hash: bool,
}

/// HTTP/2 of an entry point.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Http2Config {
    /// Simultaneous requests per connection.
    #[config(default = 250)]
    pub max_concurrent_streams: i64,
    /// Bytes of the table for reading headers.
    #[config(default = 4096)]
    pub max_decoder_header_table_size: i64,
    /// Bytes of the table for writing headers.
    #[config(default = 4096)]
    pub max_encoder_header_table_size: i64,
}

/// HTTP/3 of an entry point.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Http3Config {
    /// Port told to clients; the entry point's own when 0.
    pub advertised_port: i64,
}

/// UDP sessions of an entry point.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct UdpConfig {
    /// Silence after which a session ends.
    #[config(default = Duration::from_secs(3))]
    pub timeout: Duration,
}

/// What is recorded of the requests of an entry point.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Observability {
    /// Write access log lines.
    #[config(default = Some(true))]
    pub access_logs: Option<bool>,
    /// Count in metrics.
    #[config(default = Some(true))]
    pub metrics: Option<bool>,
    /// Record traces.
    #[config(default = Some(true))]
    pub tracing: Option<bool>,
    /// How much a trace holds.
    #[config(default = "minimal".to_owned(), one_of("minimal", "detailed"))]
    pub trace_verbosity: String,
    /// Record requests in the audit log; when absent, calls of language models alone. Trilithon's own.
    pub audit: Option<bool>,
}
