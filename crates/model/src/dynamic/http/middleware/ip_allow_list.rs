//! `ipAllowList` and its former name `ipWhiteList`

use trilithon_model_derive::Config;

use super::in_flight_req::IpStrategy;

/// Lets only some client addresses in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct IpAllowList {
    /// Addresses and ranges in CIDR notation. Required.
    pub source_range: Vec<String>,
    /// How the client's address is found; the peer's address when absent.
    #[config(allow_empty)]
    pub ip_strategy: Option<IpStrategy>,
    /// Status for everybody else; 0 means 403.
    pub reject_status_code: i64,
}

/// Former name of `ipAllowList`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct IpWhiteList {
    /// Addresses and ranges in CIDR notation. Required.
    pub source_range: Vec<String>,
    /// How the client's address is found; the peer's address when absent.
    #[config(allow_empty)]
    pub ip_strategy: Option<IpStrategy>,
}
