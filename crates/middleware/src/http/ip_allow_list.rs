//! `ipAllowList`, and `ipWhiteList`, its former name: lets only some client addresses in.

use super::ip_strategy::IpStrategy;
use crate::ip_set::IpSet;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step, status};
use trilithon_model::dynamic::http::{
    IpAllowList as Config, IpStrategy as StrategyConfig, IpWhiteList as FormerConfig,
};

const FORBIDDEN: u16 = 403;

/// Builds the step.
///
/// # Errors
/// No address at all, or an entry that is none; a status without a name.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let status = match u16::try_from(config.reject_status_code) {
        Ok(0) => FORBIDDEN,
        Ok(status) if !status::text(status).is_empty() => status,
        _ => {
            return Err(BuildError::new(format!(
                "invalid HTTP status code {}",
                config.reject_status_code
            )));
        }
    };
    allow(
        &config.source_range,
        config.ip_strategy.as_ref(),
        status,
        "IPAllowLister",
    )
}

/// Builds the step under its former name.
///
/// # Errors
/// No address at all, or an entry that is none.
pub fn build_white_list(config: &FormerConfig, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    allow(
        &config.source_range,
        config.ip_strategy.as_ref(),
        FORBIDDEN,
        "IPWhiteLister",
    )
}

fn allow(
    range: &[String],
    strategy: Option<&StrategyConfig>,
    status: u16,
    kind: &str,
) -> Result<Step, BuildError> {
    if range.is_empty() {
        return Err(BuildError::new(format!(
            "sourceRange is empty, {kind} not created"
        )));
    }
    let allowed = IpSet::parse(range)
        .map_err(|e| BuildError::new(format!("cannot parse CIDRs [{}]: {e}", range.join(" "))))?;
    Ok(Step::edit(IpAllowList {
        allowed,
        strategy: IpStrategy::build(strategy)?,
        status,
    }))
}

struct IpAllowList {
    allowed: IpSet,
    strategy: IpStrategy,
    /// What the others are answered.
    status: u16,
}

impl Edit for IpAllowList {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let ip = self.strategy.ip(req, cx);
        if ip.is_some_and(|ip| self.allowed.contains(ip)) {
            return Ok(());
        }
        tracing::debug!(?ip, "address is not in `sourceRange`");
        Err(Response::status_text(self.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, build_error, connection, get, step, text};

    fn config(range: &[&str]) -> Config {
        Config {
            source_range: range.iter().map(|r| r.to_string()).collect(),
            ip_strategy: None,
            reject_status_code: 0,
        }
    }

    fn check(config: &Config, peer: &str, forwarded: &str, want: u16) {
        let bench = Bench::new(vec![step(|cx| build(config, cx))]);
        let mut res = bench.run_as(
            get("/", &[("X-Forwarded-For", forwarded)]),
            connection(peer, None),
        );
        assert_eq!(res.status, want, "{config:?} {peer} {forwarded}");
        if want != 200 {
            assert_eq!(
                (text(&mut res).as_str(), res.headers.len()),
                (status::text(want), 0)
            );
        }
    }

    #[test]
    fn peers() {
        check(&config(&["10.0.0.0/8"]), "10.1.1.1:1", "1.1.1.1", 200);
        check(&config(&["10.0.0.0/8"]), "[::ffff:10.1.1.1]:1", "", 200);
        check(&config(&["10.0.0.0/8"]), "11.1.1.1:1", "10.0.0.1", 403);
        check(&config(&["::1", "1.1.1.1"]), "[::1]:1", "", 200);
        check(
            &Config {
                reject_status_code: 404,
                ..config(&["::1"])
            },
            "1.1.1.1:1",
            "",
            404,
        );
    }

    #[test]
    fn forwarded() {
        let with = |depth: i64, excluded: &[&str]| Config {
            ip_strategy: Some(StrategyConfig {
                depth,
                excluded_ips: excluded.iter().map(|e| e.to_string()).collect(),
                ipv6_subnet: None,
            }),
            ..config(&["10.0.0.0/8"])
        };
        check(&with(1, &[]), "9.9.9.9:1", "1.1.1.1, 10.0.0.1", 200);
        check(&with(1, &[]), "9.9.9.9:1", "1.1.1.1, 10.0.0.1:80", 200);
        check(&with(2, &[]), "9.9.9.9:1", "1.1.1.1, 10.0.0.1", 403);
        check(&with(1, &[]), "10.0.0.1:1", "", 403);
        check(&with(3, &[]), "10.0.0.1:1", "10.0.0.1", 403);
        check(&with(0, &["1.1.1.1"]), "9.9.9.9:1", "10.0.0.1, 1.1.1.1", 200);
        check(&with(0, &["1.1.1.1"]), "10.0.0.1:1", "1.1.1.1", 403);
    }

    #[test]
    fn former_name() {
        let config = FormerConfig {
            source_range: vec!["::1".into()],
            ip_strategy: None,
        };
        let bench = Bench::new(vec![step(|cx| build_white_list(&config, cx))]);
        assert_eq!(bench.run(get("/", &[])).status, 403);
        let empty = FormerConfig::default();
        assert_eq!(
            build_error(|cx| build_white_list(&empty, cx)),
            "sourceRange is empty, IPWhiteLister not created"
        );
    }

    #[test]
    fn errors() {
        let check = |config: &Config, want: &str| assert_eq!(build_error(|cx| build(config, cx)), want);
        check(&config(&[]), "sourceRange is empty, IPAllowLister not created");
        let bad = "cannot parse CIDRs [::1 x]: parsing CIDR trusted IPs x: invalid CIDR address: x";
        check(&config(&["::1", "x"]), bad);
        check(
            &Config {
                reject_status_code: 600,
                ..config(&["::1"])
            },
            "invalid HTTP status code 600",
        );
        check(
            &Config {
                reject_status_code: -1,
                ..config(&["::1"])
            },
            "invalid HTTP status code -1",
        );
    }
}
