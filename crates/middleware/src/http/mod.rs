//! Middlewares for HTTP, one file per kind, in the order of the reference.

// Paths and redirections.
pub mod add_prefix;
pub mod redirect_regex;
pub mod redirect_scheme;
pub mod replace_path;
pub mod replace_path_regex;
pub mod strip_prefix;
pub mod strip_prefix_regex;

// Heads.
pub mod content_type;
pub mod encoded_characters;
pub mod headers;
pub mod pass_tls_client_cert;

// Who may come in, and how often.
pub mod ai_quota;
pub mod ai_rate_limit;
pub mod in_flight_req;
pub mod ip_allow_list;
pub mod limit;
pub mod policy;
pub mod rate_limit;

// Identity.
pub mod api_key;
pub mod basic_auth;
pub mod digest_auth;
pub mod forward_auth;
pub mod jwt;

// Calls of language models.
pub mod chat_completion;
pub mod content_guard;
pub mod guard;
pub mod llm_guard;
pub mod messages_api;
pub mod parallel_llm_guard;
pub mod responses_api;

// Calls of tools, and what can be undone.
pub mod mcp;
pub mod undo;

// Bodies, failures and repetition.
pub mod buffering;
pub mod circuit_breaker;
pub mod compress;
pub mod errors;
pub mod grpc_web;
pub mod retry;

// What several of them share.
mod credentials;
mod discard;
mod htpasswd;
mod identity;
mod idle;
pub mod ip_strategy;
#[cfg(test)]
mod kit;
mod limit_facts;
mod limit_headers;
mod location;
mod media_type;
pub mod model_call;
mod path;
mod predicate;
mod redirect;
pub(crate) mod regex_template;
mod remembered;
pub mod rollout;
mod sieve;
mod slow_checks;
mod sniff;
mod source_criterion;
mod status_ranges;
#[cfg(test)]
pub(crate) mod testing;
mod token_limit;
mod vary;
