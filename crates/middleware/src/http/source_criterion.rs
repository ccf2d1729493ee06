//! What makes requests one source, for those that count per source: an address, a header, the host, or who is asking.

use super::ip_strategy::IpStrategy;
use serde_json::Value;
use std::borrow::Cow;
use trilithon_flow::mcp_call::Asked;
use trilithon_flow::{BuildError, Exchange, Identity, Request};
use trilithon_limit::Partition;
use trilithon_model::dynamic::http::SourceCriterion as Config;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SourceCriterion {
    Ip(IpStrategy),
    /// The value of a header; requests without it are one source.
    Header(Box<str>),
    Host,
    Identity(Part),
    /// The value of a claim.
    Claim(Box<str>),
    /// The tool that is called, of each source by itself.
    Tool(Box<SourceCriterion>),
}

/// What of an identity is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Subject,
    Application,
    Credential,
    Group,
}

impl SourceCriterion {
    /// From the option; `otherwise` when it names none.
    ///
    /// # Errors
    /// More than one criterion; an address strategy that cannot be built.
    pub(crate) fn build(
        config: Option<&Config>,
        otherwise: SourceCriterion,
    ) -> Result<SourceCriterion, BuildError> {
        let Some(config) = config else {
            return Ok(otherwise);
        };
        let source = SourceCriterion::one(config, otherwise)?;
        Ok(match config.mcp_tool {
            true => SourceCriterion::Tool(Box::new(source)),
            false => source,
        })
    }

    fn one(config: &Config, otherwise: SourceCriterion) -> Result<SourceCriterion, BuildError> {
        let header = Some(&config.request_header_name).filter(|name| !name.is_empty());
        let exclusive = |what: &str| BuildError::new(format!("{what} are mutually exclusive"));
        match (&config.ip_strategy, header, config.request_host) {
            (Some(_), Some(_), _) => Err(exclusive("iPStrategy and RequestHeaderName")),
            (Some(_), None, true) => Err(exclusive("iPStrategy and RequestHost")),
            (None, Some(_), true) => Err(exclusive("requestHost and RequestHeaderName")),
            (strategy, header, request_host) => {
                let traefiks = strategy.is_some() || header.is_some() || request_host;
                let who = SourceCriterion::who(config)?;
                match (strategy, header, who) {
                    (_, _, Some(_)) if traefiks => {
                        Err(exclusive("`identity` or `claim` and the other criteria"))
                    }
                    (_, _, Some(who)) => Ok(who),
                    (Some(strategy), _, _) => Ok(SourceCriterion::Ip(IpStrategy::build(Some(strategy))?)),
                    (_, Some(name), _) => Ok(SourceCriterion::Header(name.as_str().into())),
                    _ if request_host => Ok(SourceCriterion::Host),
                    _ => Ok(otherwise),
                }
            }
        }
    }

    /// The criterion that looks at who is asking, if there is one.
    fn who(config: &Config) -> Result<Option<SourceCriterion>, BuildError> {
        let part = match config.identity.as_str() {
            "" => None,
            "subject" => Some(Part::Subject),
            "application" => Some(Part::Application),
            "credential" => Some(Part::Credential),
            "group" => Some(Part::Group),
            other => return Err(BuildError::new(format!("identities have no `{other}`"))),
        };
        match (part, config.claim.as_str()) {
            (Some(_), claim) if !claim.is_empty() => {
                Err(BuildError::new("`identity` and `claim` are mutually exclusive"))
            }
            (None, "") => Ok(None),
            (Some(part), _) => Ok(Some(SourceCriterion::Identity(part))),
            (None, claim) => Ok(Some(SourceCriterion::Claim(claim.into()))),
        }
    }

    /// The source of a request.
    pub(crate) fn source(&self, req: &Request, cx: &Exchange) -> Partition {
        Partition::of(&self.name(req, cx))
    }

    /// What the source of a request is called.
    pub(crate) fn name<'a>(&self, req: &'a Request, cx: &'a Exchange) -> Cow<'a, [u8]> {
        let identity = cx.identity().map(|identity| &**identity);
        match self {
            SourceCriterion::Ip(strategy) => strategy.source(req, cx),
            SourceCriterion::Header(name) => req.headers.get(&**name).unwrap_or_default().into(),
            SourceCriterion::Host => lower_case(req.host()),
            SourceCriterion::Identity(part) => identity.map_or(Cow::default(), |i| part.of(i)),
            SourceCriterion::Claim(name) => identity.map_or(Cow::default(), |i| claim(i, name)),
            SourceCriterion::Tool(source) => {
                let tool = cx.mcp.as_deref().and_then(Asked::tool).unwrap_or_default();
                // No tool's name makes another's source: what comes last is the tool's.
                let source = source.name(req, cx);
                let length = (source.len() as u64).to_be_bytes();
                [&length, &*source, tool.as_bytes()].concat().into()
            }
        }
    }
}

impl Part {
    fn of(self, identity: &Identity) -> Cow<'_, [u8]> {
        match self {
            // Two issuers may know somebody by the same name.
            Part::Subject if !identity.issuer.is_empty() => {
                [identity.issuer.as_bytes(), identity.subject.as_bytes()]
                    .join(&0)
                    .into()
            }
            Part::Subject => identity.subject.as_bytes().into(),
            Part::Application => identity.application.as_bytes().into(),
            Part::Credential => identity.credential_id.as_bytes().into(),
            Part::Group => identity
                .groups
                .first()
                .map_or(Cow::default(), |g| g.as_bytes().into()),
        }
    }
}

/// A claim as text: a string as it is, anything else as JSON.
fn claim<'a>(identity: &'a Identity, name: &str) -> Cow<'a, [u8]> {
    match identity.claims.get(name) {
        None | Some(Value::Null) => Cow::default(),
        Some(Value::String(text)) => text.as_bytes().into(),
        Some(other) => other.to_string().into_bytes().into(),
    }
}

/// Hosts differ by case in spelling only; a limit must not be doubled by another one.
fn lower_case(host: &[u8]) -> Cow<'_, [u8]> {
    if host.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{connection, get};
    use std::rc::Rc;
    use std::sync::Arc;
    use trilithon_flow::Credential;
    use trilithon_model::dynamic::http::IpStrategy as IpConfig;

    fn config(ip: bool, header: &str, request_host: bool) -> Config {
        Config {
            ip_strategy: ip.then(IpConfig::default),
            request_header_name: header.into(),
            request_host,
            ..Config::default()
        }
    }

    /// Sources of two requests that differ in peer, header `X-Id` and host as said.
    fn same(config: &Config, peer: (&str, &str), id: (&str, &str), host: (&str, &str)) -> bool {
        let criterion = SourceCriterion::build(Some(config), SourceCriterion::Host).unwrap();
        let source = |peer: &str, id: &str, host: &str| {
            let cx = Exchange::new(Rc::new(connection(peer, None)), Rc::default());
            criterion.source(&get("/", &[("Host", host), ("X-Id", id)]), &cx)
        };
        source(peer.0, id.0, host.0) == source(peer.1, id.1, host.1)
    }

    #[test]
    fn criteria() {
        let check = |config: &Config, by_peer: bool, by_id: bool, by_host: bool| {
            assert_eq!(
                same(config, ("1.1.1.1:1", "1.1.1.2:1"), ("a", "a"), ("h", "h")),
                !by_peer,
                "{config:?}"
            );
            assert_eq!(
                same(config, ("1.1.1.1:1", "1.1.1.1:2"), ("a", "b"), ("h", "h")),
                !by_id,
                "{config:?}"
            );
            assert_eq!(
                same(config, ("1.1.1.1:1", "1.1.1.1:1"), ("a", "a"), ("h", "h:1")),
                !by_host,
                "{config:?}"
            );
            assert!(
                same(config, ("1.1.1.1:1", "1.1.1.1:2"), ("a", "a"), ("h", "H")),
                "{config:?}"
            );
        };
        check(&config(true, "", false), true, false, false);
        check(&config(false, "x-id", false), false, true, false);
        check(&config(false, "", true), false, false, true);
        check(&config(false, "", false), false, false, true);
    }

    #[test]
    fn who_is_asking() {
        let check = |identity: &str, claim: &str, want: &str| {
            let config = Config {
                identity: identity.into(),
                claim: claim.into(),
                ..Config::default()
            };
            let criterion = SourceCriterion::build(Some(&config), SourceCriterion::Host).unwrap();
            let mut cx = Exchange::new(Rc::new(connection("1.1.1.1:1", None)), Rc::default());
            let req = get("/", &[]);
            assert_eq!(&*criterion.name(&req, &cx), b"", "nobody is one source");
            let claims = serde_json::json!({"tier": "gold", "org": 7});
            cx.identify(Arc::new(Identity {
                issuer: "idp".into(),
                application: "shop".into(),
                groups: vec!["staff".into(), "all".into()],
                credential_id: "c1".into(),
                claims: claims.as_object().unwrap().clone(),
                ..Identity::new(Credential::Jwt, "alice")
            }));
            assert_eq!(String::from_utf8_lossy(&criterion.name(&req, &cx)), want);
        };
        check("subject", "", "idp\0alice");
        check("application", "", "shop");
        check("credential", "", "c1");
        check("group", "", "staff");
        check("", "tier", "gold");
        check("", "org", "7");
        check("", "none", "");
    }

    #[test]
    fn one_only() {
        let who = |identity: &str, claim: &str, request_host| Config {
            identity: identity.into(),
            claim: claim.into(),
            request_host,
            ..Config::default()
        };
        for config in [
            who("subject", "x", false),
            who("subject", "", true),
            who("", "x", true),
        ] {
            let error = SourceCriterion::build(Some(&config), SourceCriterion::Host).unwrap_err();
            assert!(error.message.ends_with("mutually exclusive"), "{error}");
        }
        let check = |config: Config, want: &str| {
            let error = SourceCriterion::build(Some(&config), SourceCriterion::Host).unwrap_err();
            assert_eq!(error.message, format!("{want} are mutually exclusive"));
        };
        check(config(true, "x", false), "iPStrategy and RequestHeaderName");
        check(config(true, "", true), "iPStrategy and RequestHost");
        check(config(false, "x", true), "requestHost and RequestHeaderName");
    }
}
