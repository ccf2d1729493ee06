//! HTTP middlewares: one file per kind, and the struct that holds one of them.

mod add_prefix;
mod ai_quota;
mod ai_rate_limit;
mod api_key;
mod basic_auth;
mod buffering;
mod chain;
mod chat_completion;
mod circuit_breaker;
mod client_config;
mod client_request_format;
mod compress;
mod content_guard;
mod content_type;
mod digest_auth;
mod encoded_characters;
mod errors;
mod extra;
mod forward_auth;
mod grpc_web;
mod guard;
mod headers;
mod in_flight_req;
mod ip_allow_list;
mod jwt;
mod limit;
mod llm_guard;
mod mcp;
mod messages_api;
mod model_api;
mod on_deny_response;
mod parallel_llm_guard;
mod pass_tls_client_cert;
mod plugin;
mod policy;
mod rate_limit;
mod redirect_regex;
mod redirect_scheme;
mod replace_path;
mod replace_path_regex;
mod responses_api;
mod retry;
mod strip_prefix;
mod strip_prefix_regex;
mod token_limit;
mod undo;

use trilithon_model_derive::Config;

pub use add_prefix::AddPrefix;
pub use ai_quota::AiQuota;
pub use ai_rate_limit::AiRateLimit;
pub use api_key::{ApiKey, KeySource};
pub use basic_auth::BasicAuth;
pub use buffering::Buffering;
pub use chain::Chain;
pub use chat_completion::ChatCompletion;
pub use circuit_breaker::CircuitBreaker;
pub use client_config::ClientConfig;
pub use client_request_format::ClientRequestFormat;
pub use compress::Compress;
pub use content_guard::{
    BuiltinEngine, ContentEngine, ContentGuard, ContentMask, ContentPhase, ContentRule, PresidioEngine,
    RegexEngine,
};
pub use content_type::ContentType;
pub use digest_auth::DigestAuth;
pub use encoded_characters::EncodedCharacters;
pub use errors::Errors;
pub use extra::Extra;
pub use forward_auth::{ClientTls, ForwardAuth};
pub use grpc_web::GrpcWeb;
pub use guard::{GuardMcp, History, McpPart, OnError};
pub use headers::Headers;
pub use in_flight_req::{InFlightReq, IpStrategy, SourceCriterion};
pub use ip_allow_list::{IpAllowList, IpWhiteList};
pub use jwt::{Jwt, TrustedIssuer};
pub use limit::{Limit, LimitCost, LimitRule};
pub use llm_guard::{CustomFormat, GuardCondition, JudgeModel, LlmFormat, LlmGuard, LlmPhase};
pub use mcp::{Mcp, McpDefinitions, McpListPolicy, McpPolicy, McpResourceMetadata, OnDefinition, Visibility};
pub use messages_api::MessagesApi;
pub use model_api::{ModelApi, ModelMetrics, ModelObservability, ModelParams, UpstreamFormat};
pub use on_deny_response::OnDenyResponse;
pub use parallel_llm_guard::{ParallelGuard, ParallelLlmGuard};
pub use pass_tls_client_cert::{
    PassTlsClientCert, TlsClientCertificateInfo, TlsClientCertificateIssuer, TlsClientCertificateSubject,
};
pub use plugin::Plugin;
pub use policy::{Effect, Policy, PolicyRule};
pub use rate_limit::{RateLimit, Redis};
pub use redirect_regex::RedirectRegex;
pub use redirect_scheme::RedirectScheme;
pub use replace_path::ReplacePath;
pub use replace_path_regex::ReplacePathRegex;
pub use responses_api::ResponsesApi;
pub use retry::Retry;
pub use strip_prefix::StripPrefix;
pub use strip_prefix_regex::StripPrefixRegex;
pub use token_limit::{CostLimit, LimitLevel, LimitStore, TokenLimit, TokenLimits, UsageQueries};
pub use undo::{McpUndo, McpUndoCall, Undo, UndoRequest};

use crate::dynamic::kinds;

/// Former names are kinds of their own, with the options of the kind that took their place.
pub type ChatCompletionContentGuard = ContentGuard;
pub type LlmGuardCustom = LlmGuard;
pub type ChatCompletionLlmGuard = LlmGuard;
pub type ChatCompletionLlmGuardCustom = LlmGuard;

/// A step on the way of a request. Holds exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Middleware {
    /// Puts a path before the path of the request.
    pub add_prefix: Option<Box<AddPrefix>>,
    /// Takes a prefix off the path.
    pub strip_prefix: Option<Box<StripPrefix>>,
    /// Takes a prefix off the path by a pattern.
    pub strip_prefix_regex: Option<Box<StripPrefixRegex>>,
    /// Replaces the whole path.
    pub replace_path: Option<Box<ReplacePath>>,
    /// Replaces the path by a pattern.
    pub replace_path_regex: Option<Box<ReplacePathRegex>>,
    /// Runs several middlewares as one.
    pub chain: Option<Box<Chain>>,
    /// Former name of `ipAllowList`.
    #[config(deprecated = "use `ipAllowList`")]
    pub ip_white_list: Option<Box<IpWhiteList>>,
    /// Lets only some client addresses in.
    pub ip_allow_list: Option<Box<IpAllowList>>,
    /// Changes headers, answers CORS preflights, adds security headers.
    pub headers: Option<Box<Headers>>,
    /// Refuses paths with certain percent-encoded characters.
    pub encoded_characters: Option<Box<EncodedCharacters>>,
    /// Replaces answers of certain statuses by pages.
    pub errors: Option<Box<Errors>>,
    /// Limits how fast requests come.
    pub rate_limit: Option<Box<RateLimit>>,
    /// Redirects by a pattern over the URL.
    pub redirect_regex: Option<Box<RedirectRegex>>,
    /// Redirects to another scheme or port.
    pub redirect_scheme: Option<Box<RedirectScheme>>,
    /// Asks for a name and password (Basic).
    pub basic_auth: Option<Box<BasicAuth>>,
    /// Asks for a name and password (Digest).
    pub digest_auth: Option<Box<DigestAuth>>,
    /// Asks another server whether a request may pass.
    pub forward_auth: Option<Box<ForwardAuth>>,
    /// Limits simultaneous requests.
    pub in_flight_req: Option<Box<InFlightReq>>,
    /// Reads whole requests and answers before passing them on.
    pub buffering: Option<Box<Buffering>>,
    /// Stops asking a service that answers badly.
    pub circuit_breaker: Option<Box<CircuitBreaker>>,
    /// Compresses answers.
    #[config(allow_empty)]
    pub compress: Option<Box<Compress>>,
    /// Tells servers about the client's certificate.
    #[config(rename = "passTLSClientCert")]
    pub pass_tls_client_cert: Option<Box<PassTlsClientCert>>,
    /// Asks again after failures.
    pub retry: Option<Box<Retry>>,
    /// Guesses the `Content-Type` of answers that have none.
    #[config(allow_empty)]
    pub content_type: Option<Box<ContentType>>,
    /// Lets gRPC-Web calls reach gRPC servers.
    pub grpc_web: Option<Box<GrpcWeb>>,
    /// A middleware that is not part of Traefik Proxy, by the name it is registered under.
    pub plugin: Option<Box<Plugin>>,
    /// One of the kinds that Traefik Proxy does not have.
    #[config(flatten)]
    pub extra: Extra,
}

kinds! { "middleware",
    /// The kinds of HTTP middleware.
    MiddlewareKind {
        Middleware plus plugged {
            AddPrefix: add_prefix = "addPrefix",
            StripPrefix: strip_prefix = "stripPrefix",
            StripPrefixRegex: strip_prefix_regex = "stripPrefixRegex",
            ReplacePath: replace_path = "replacePath",
            ReplacePathRegex: replace_path_regex = "replacePathRegex",
            Chain: chain = "chain",
            IpWhiteList: ip_white_list = "ipWhiteList",
            IpAllowList: ip_allow_list = "ipAllowList",
            Headers: headers = "headers",
            EncodedCharacters: encoded_characters = "encodedCharacters",
            Errors: errors = "errors",
            RateLimit: rate_limit = "rateLimit",
            RedirectRegex: redirect_regex = "redirectRegex",
            RedirectScheme: redirect_scheme = "redirectScheme",
            BasicAuth: basic_auth = "basicAuth",
            DigestAuth: digest_auth = "digestAuth",
            ForwardAuth: forward_auth = "forwardAuth",
            InFlightReq: in_flight_req = "inFlightReq",
            Buffering: buffering = "buffering",
            CircuitBreaker: circuit_breaker = "circuitBreaker",
            Compress: compress = "compress",
            PassTlsClientCert: pass_tls_client_cert = "passTLSClientCert",
            Retry: retry = "retry",
            ContentType: content_type = "contentType",
            GrpcWeb: grpc_web = "grpcWeb",
            Plugin: plugin = "plugin" if is_foreign,
        }
        Extra {
            AiQuota: ai_quota = "ai-quota",
            AiRateLimit: ai_rate_limit = "ai-rate-limit",
            ApiKey: api_key = "apiKey",
            ContentGuard: content_guard = "content-guard",
            LlmGuard: llm_guard = "llm-guard",
            ParallelLlmGuard: parallel_llm_guard = "parallel-llm-guard",
            ChatCompletionContentGuard: chat_completion_content_guard = "chat-completion-content-guard",
            LlmGuardCustom: llm_guard_custom = "llm-guard-custom",
            ChatCompletionLlmGuard: chat_completion_llm_guard = "chat-completion-llm-guard",
            ChatCompletionLlmGuardCustom: chat_completion_llm_guard_custom = "chat-completion-llm-guard-custom",
            Jwt: jwt = "jwt",
            Limit: limit = "limit",
            Mcp: mcp = "mcp",
            Policy: policy = "policy",
            ChatCompletion: chat_completion = "chat-completion",
            ResponsesApi: responses_api = "responses-api",
            MessagesApi: messages_api = "messages-api",
            Undo: undo = "undo",
        }
    }
}

impl Middleware {
    /// The kinds that Traefik Proxy does not have, in either spelling.
    fn plugged(&self) -> Vec<(&'static str, MiddlewareKind<'_>)> {
        let plugin = self.plugin.as_deref().map(|plugin| &plugin.extra);
        let both = std::iter::once(&self.extra).chain(plugin);
        both.flat_map(Extra::found).collect()
    }
}
