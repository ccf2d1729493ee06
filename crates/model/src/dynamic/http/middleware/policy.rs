//! `policy`

use trilithon_model_derive::Config;

use super::in_flight_req::IpStrategy;
use crate::rollout::{Mode, Percent};
use crate::word::words;

/// Decides by rules over the request, the identity and the clock whether a request may pass. A rule that denies wins over one
/// that allows, wherever it is written; where neither applies, `default` counts. A rule that fails, because a header or claim it
/// asks for is not there, lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Policy {
    /// The rules. Required.
    pub rules: Vec<PolicyRule>,
    /// What is decided where no rule applies.
    #[config(default = Effect::Deny)]
    pub default: Effect,
    /// Status of a refusal.
    #[config(default = 403)]
    pub status: i64,
    /// How the client's address, `http.client_ip`, is found; the peer's address when absent.
    #[config(allow_empty)]
    pub ip_strategy: Option<IpStrategy>,
    /// `off`: it is not asked. `shadow`: it decides, and that is recorded, but no answer changes. `enforce`: its word counts.
    #[config(default = Mode::Enforce)]
    pub mode: Mode,
    /// The percentage of callers that `mode` is for, with two decimals. The same callers stay in as it grows. For the others
    /// `enforce` is `shadow`, and `shadow` is `off`.
    pub percent: Percent,
}

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct PolicyRule {
    /// What logs and metrics call it; `rule-1` and so on when absent.
    pub name: String,
    /// What it decides when it applies. Required.
    pub effect: Option<Effect>,
    /// When it applies, in CEL over the facts: `http.method == "GET" && "admins" in identity.groups`. This or `claims` is required.
    pub expression: String,
    /// When it applies, in Traefik Hub's language over the token's claims.
    pub claims: String,
    /// What a refused caller is told; the status' own text when absent.
    pub message: String,
}

words! {
    /// What a rule decides.
    Effect: "an effect" {
        /// The request may pass.
        Allow = "allow",
        /// It may not.
        #[default]
        Deny = "deny",
    }
}
