//! `inFlightReq`

use trilithon_model_derive::Config;

use crate::rollout::{Mode, Percent};

/// Limits simultaneous requests; further ones get 429.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct InFlightReq {
    /// How many requests of one source may be under way.
    pub amount: i64,
    /// What makes requests one source; the request's host when absent.
    pub source_criterion: Option<SourceCriterion>,
    /// How seriously it is taken; `enforce` when absent. Not in Traefik.
    pub mode: Option<Mode>,
    /// For how many percent of callers; all when absent. Not in Traefik.
    pub percent: Option<Percent>,
}

/// What makes requests one source: at most one of these, and `mcpTool`. `identity` and `claim` are not in Traefik.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct SourceCriterion {
    /// The client's address, found this way.
    pub ip_strategy: Option<IpStrategy>,
    /// The value of this request header.
    pub request_header_name: String,
    /// The request's host.
    pub request_host: bool,
    /// This of who is asking, as an authentication before it made out. All whose identity lacks it are one source.
    /// `subject` tells issuers apart; `group` is the first of them.
    #[config(one_of("subject", "application", "credential", "group"))]
    pub identity: String,
    /// This claim of who is asking. All whose identity lacks it are one source.
    pub claim: String,
    /// Calls of different tools (Model Context Protocol) are different sources, each of these beside what else makes one. It is known
    /// behind an `mcp` middleware which tool is called. Not in Traefik.
    pub mcp_tool: bool,
}

/// How the client's address is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct IpStrategy {
    /// Take the address at this place of `X-Forwarded-For`, counted from the right; 0 ignores the header.
    pub depth: i64,
    /// Take the rightmost address of `X-Forwarded-For` that is not one of these.
    #[config(rename = "excludedIPs")]
    pub excluded_ips: Vec<String>,
    /// Make IPv6 addresses with the same prefix of this many bits one source.
    #[config(rename = "ipv6Subnet")]
    pub ipv6_subnet: Option<i64>,
}
