//! Security headers, and the hosts that are served. Headers are written once at build; what needs TLS is left out without it.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trilithon_flow::{Headers, Request};
use trilithon_model::dynamic::http::Headers as Config;

pub(super) struct Security {
    always: Vec<(&'static str, Value)>,
    /// Only where the client used TLS.
    over_tls: Vec<(&'static str, Value)>,
    /// Hosts served, all when empty.
    hosts: Vec<Box<str>>,
    /// Headers that may hold the host as a proxy in front saw it.
    host_headers: Vec<Box<str>>,
    /// Headers and the values by which a proxy in front tells of TLS.
    tls_headers: Vec<(Box<str>, Box<str>)>,
}

enum Value {
    Fixed(Box<str>),
    /// The text around each `$NONCE`, for which every answer gets its own.
    WithNonce(Vec<Box<str>>),
}

impl Security {
    /// `None` when no option is about security.
    pub(super) fn build(config: &Config) -> Option<Security> {
        if !is_given(config) {
            return None;
        }
        let strict = !config.is_development;
        let (mut always, mut over_tls) = (fixed_headers(config), Vec::new());
        if let Some(sts) = transport_security(config).filter(|_| strict) {
            let list = if config.force_sts_header {
                &mut always
            } else {
                &mut over_tls
            };
            list.push(("Strict-Transport-Security", Value::Fixed(sts.into())));
        }
        if !config.public_key.is_empty() && strict {
            over_tls.push(("Public-Key-Pins", Value::Fixed(config.public_key.as_str().into())));
        }
        let text = |list: &[String]| list.iter().map(|s| s.as_str().into()).collect();
        Some(Security {
            always,
            over_tls,
            hosts: if strict {
                text(&config.allowed_hosts)
            } else {
                Vec::new()
            },
            host_headers: text(&config.hosts_proxy_headers),
            tls_headers: config
                .ssl_proxy_headers
                .iter()
                .map(|(n, v)| (n.as_str().into(), v.as_str().into()))
                .collect(),
        })
    }

    /// Whether headers of the request decide what an answer gets.
    pub(super) fn trusts_headers(&self) -> bool {
        !self.tls_headers.is_empty() && !self.over_tls.is_empty()
    }

    /// Whether a proxy in front says that the client used TLS.
    pub(super) fn told_of_tls(&self, headers: &Headers) -> bool {
        self.tls_headers
            .iter()
            .any(|(name, value)| headers.get(&**name).unwrap_or_default() == value.as_bytes())
    }

    /// Whether the request's host is one of those served.
    pub(super) fn serves_host(&self, req: &Request) -> bool {
        if self.hosts.is_empty() {
            return true;
        }
        let told = self
            .host_headers
            .iter()
            .find_map(|name| req.headers.get(&**name).filter(|v| !v.is_empty()));
        let host = told.unwrap_or(req.host());
        self.hosts
            .iter()
            .any(|served| served.as_bytes().eq_ignore_ascii_case(host))
    }

    /// Sets the headers of an answer.
    pub(super) fn apply(&self, headers: &mut Headers, https: bool) {
        let mut nonce = None;
        let over_tls = if https { &self.over_tls[..] } else { &[] };
        for (name, value) in self.always.iter().chain(over_tls) {
            match value {
                Value::Fixed(value) => headers.set(name, &**value),
                Value::WithNonce(parts) => {
                    let nonce = nonce.get_or_insert_with(|| format!("'nonce-{}'", random()));
                    headers.set(name, parts.join(nonce));
                }
            }
        }
    }
}

fn is_given(c: &Config) -> bool {
    let flags = [
        c.sts_include_subdomains,
        c.sts_preload,
        c.force_sts_header,
        c.frame_deny,
        c.content_type_nosniff,
        c.browser_xss_filter,
        c.is_development,
        c.ssl_redirect == Some(true),
        c.ssl_temporary_redirect == Some(true),
        c.ssl_force_host == Some(true),
        c.sts_seconds.is_some_and(|s| s != 0),
    ];
    let texts = [
        &c.custom_frame_options_value,
        &c.custom_browser_xss_value,
        &c.content_security_policy,
        &c.content_security_policy_report_only,
        &c.public_key,
        &c.referrer_policy,
        &c.permissions_policy,
    ];
    let former = [&c.feature_policy, &c.ssl_host];
    flags.contains(&true)
        || texts.iter().any(|t| !t.is_empty())
        || former.iter().any(|t| t.as_ref().is_some_and(|t| !t.is_empty()))
        || !c.allowed_hosts.is_empty()
        || !c.hosts_proxy_headers.is_empty()
        || !c.ssl_proxy_headers.is_empty()
}

/// Headers that do not depend on TLS.
fn fixed_headers(c: &Config) -> Vec<(&'static str, Value)> {
    let or = |given: &str, flag: bool, otherwise: &str| match given.is_empty() {
        true if flag => otherwise.to_owned(),
        _ => given.to_owned(),
    };
    let list = [
        (
            "X-Frame-Options",
            or(&c.custom_frame_options_value, c.frame_deny, "DENY"),
        ),
        (
            "X-Content-Type-Options",
            or("", c.content_type_nosniff, "nosniff"),
        ),
        (
            "X-Xss-Protection",
            or(&c.custom_browser_xss_value, c.browser_xss_filter, "1; mode=block"),
        ),
        ("Content-Security-Policy", c.content_security_policy.clone()),
        (
            "Content-Security-Policy-Report-Only",
            c.content_security_policy_report_only.clone(),
        ),
        ("Referrer-Policy", c.referrer_policy.clone()),
        ("Permissions-Policy", c.permissions_policy.clone()),
    ];
    list.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, Value::of(name, &value)))
        .collect()
}

/// `Strict-Transport-Security` (RFC 6797 §6.1); none for a time that is not in the future.
fn transport_security(c: &Config) -> Option<String> {
    let seconds = c.sts_seconds.filter(|s| *s > 0)?;
    let subdomains = if c.sts_include_subdomains {
        "; includeSubDomains"
    } else {
        ""
    };
    let preload = if c.sts_preload { "; preload" } else { "" };
    Some(format!("max-age={seconds}{subdomains}{preload}"))
}

impl Value {
    fn of(name: &str, text: &str) -> Value {
        if name.starts_with("Content-Security-Policy") && text.contains("$NONCE") {
            return Value::WithNonce(text.split("$NONCE").map(Into::into).collect());
        }
        Value::Fixed(text.into())
    }
}

/// 128 bits that nobody can guess.
fn random() -> String {
    let mut bytes = [0; 16];
    // The system's generator fails only where nothing else of TLS would work either; a fixed nonce would then protect nothing.
    if rand::fill(&mut bytes).is_err() {
        return String::new();
    }
    STANDARD.encode(bytes)
}
