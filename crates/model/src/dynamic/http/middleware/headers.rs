//! `headers`

use std::collections::BTreeMap;

use trilithon_model_derive::Config;

/// Changes headers of requests and answers, answers CORS preflights and adds security headers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Headers {
    /// Request headers to set; an empty value removes one.
    pub custom_request_headers: BTreeMap<String, String>,
    /// Answer headers to set; an empty value removes one.
    pub custom_response_headers: BTreeMap<String, String>,
    /// CORS: let scripts send credentials.
    pub access_control_allow_credentials: bool,
    /// CORS: request headers scripts may send.
    pub access_control_allow_headers: Vec<String>,
    /// CORS: methods scripts may use.
    pub access_control_allow_methods: Vec<String>,
    /// CORS: origins that may ask; `*` means any.
    pub access_control_allow_origin_list: Vec<String>,
    /// CORS: the same, by patterns.
    pub access_control_allow_origin_list_regex: Vec<String>,
    /// CORS: answer headers scripts may read.
    pub access_control_expose_headers: Vec<String>,
    /// CORS: seconds a preflight's answer may be kept.
    pub access_control_max_age: Option<i64>,
    /// Add `Vary: Origin` when several origins may ask.
    pub add_vary_header: bool,
    /// Hosts served; others get 400. All when empty.
    pub allowed_hosts: Vec<String>,
    /// Headers that may hold the host as a proxy in front saw it.
    pub hosts_proxy_headers: Vec<String>,
    /// Headers whose value shows that the client used TLS.
    pub ssl_proxy_headers: BTreeMap<String, String>,
    /// `max-age` of `Strict-Transport-Security`, in seconds; none when 0.
    #[config(rename = "stsSeconds")]
    pub sts_seconds: Option<i64>,
    /// Add `includeSubDomains` to it.
    #[config(rename = "stsIncludeSubdomains")]
    pub sts_include_subdomains: bool,
    /// Add `preload` to it.
    #[config(rename = "stsPreload")]
    pub sts_preload: bool,
    /// Send it without TLS, too.
    #[config(rename = "forceSTSHeader")]
    pub force_sts_header: bool,
    /// Send `X-Frame-Options: DENY`.
    pub frame_deny: bool,
    /// Another value for `X-Frame-Options`.
    pub custom_frame_options_value: String,
    /// Send `X-Content-Type-Options: nosniff`.
    pub content_type_nosniff: bool,
    /// Send `X-XSS-Protection: 1; mode=block`.
    pub browser_xss_filter: bool,
    /// Another value for `X-XSS-Protection`.
    #[config(rename = "customBrowserXSSValue")]
    pub custom_browser_xss_value: String,
    /// `Content-Security-Policy`.
    pub content_security_policy: String,
    /// `Content-Security-Policy-Report-Only`.
    pub content_security_policy_report_only: String,
    /// `Public-Key-Pins`.
    pub public_key: String,
    /// `Referrer-Policy`.
    pub referrer_policy: String,
    /// `Permissions-Policy`.
    pub permissions_policy: String,
    /// Development: leave out `Strict-Transport-Security`, `Public-Key-Pins` and the check of hosts.
    pub is_development: bool,
    /// Has no effect.
    #[config(deprecated = "use `permissionsPolicy`")]
    pub feature_policy: Option<String>,
    /// Has no effect.
    #[config(deprecated = "use a `redirectScheme` middleware or a redirection of the entry point")]
    pub ssl_redirect: Option<bool>,
    /// Has no effect.
    #[config(deprecated = "use a `redirectScheme` middleware or a redirection of the entry point")]
    pub ssl_temporary_redirect: Option<bool>,
    /// Has no effect.
    #[config(deprecated = "use a `redirectRegex` middleware")]
    pub ssl_host: Option<String>,
    /// Has no effect.
    #[config(deprecated = "use a `redirectRegex` middleware")]
    pub ssl_force_host: Option<bool>,
}
