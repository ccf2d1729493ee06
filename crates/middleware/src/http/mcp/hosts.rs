//! Where a request may come from and go to: `allowedOrigins` and `allowedHosts`. A page of a strange site that had its name point to
//! a local address has neither (DNS rebinding).

use super::denial::error;
use trilithon_flow::{BuildError, Known, Request, Response};
use trilithon_mcp::error::INVALID_REQUEST;
use trilithon_model::dynamic::http::Mcp as Config;
use trilithon_rule::canonical_host;

/// The lists; an empty one accepts all.
pub struct Hosts {
    origins: Box<[Box<[u8]>]>,
    hosts: Box<[Box<[u8]>]>,
}

impl Hosts {
    /// # Errors
    /// An origin without scheme, or with a path; a host that is empty or has a path.
    pub fn build(config: &Config) -> Result<Hosts, BuildError> {
        let mistake = |option: &str, text: &str, help: &str| {
            BuildError::new(format!("`{option}` holds `{text}`, which is none"))
                .at(text, 0)
                .help(help)
        };
        for origin in &config.allowed_origins {
            let host = origin.split_once("://").map(|(_, host)| host);
            if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                return Err(mistake(
                    "allowedOrigins",
                    origin,
                    "write `https://app.example.com`",
                ));
            }
        }
        for host in &config.allowed_hosts {
            if host.is_empty() || host.contains('/') {
                return Err(mistake("allowedHosts", host, "write `mcp.example.com`"));
            }
        }
        let origin = |o: &String| o.to_ascii_lowercase().into_bytes().into();
        Ok(Hosts {
            origins: config.allowed_origins.iter().map(origin).collect(),
            hosts: config
                .allowed_hosts
                .iter()
                .map(|host| canonical_host(host.as_bytes()).into())
                .collect(),
        })
    }

    /// # Errors
    /// The refusal.
    pub fn check(&self, req: &Request) -> Result<(), Response> {
        if !self.hosts.is_empty() {
            let host = canonical_host(req.host());
            if !self.hosts.iter().any(|known| **known == *host) {
                return Err(error(403, None, INVALID_REQUEST, "this host is not served here"));
            }
        }
        if !self.origins.is_empty() {
            // Each line of it: whoever writes two means one of them.
            let mut lines = req.headers.get_all(Known::Origin.name().as_bytes());
            let known = |line: &[u8]| self.origins.iter().any(|known| known.eq_ignore_ascii_case(line));
            if !lines.all(known) {
                return Err(error(403, None, INVALID_REQUEST, "this origin is not accepted"));
            }
        }
        Ok(())
    }
}
