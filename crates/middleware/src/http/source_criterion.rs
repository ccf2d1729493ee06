//! What makes requests one source, for those that count per source: an address, a header, or the host.

use super::ip_strategy::IpStrategy;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use trilithon_flow::{BuildError, Exchange, Request};
use trilithon_model::dynamic::http::SourceCriterion as Config;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SourceCriterion {
    Ip(IpStrategy),
    /// The value of a header; requests without it are one source.
    Header(Box<str>),
    Host,
}

/// A source, as a keyed hash: of fixed size however long the client made its header, and not to be collided from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(u128);

impl Source {
    /// A small number that spreads sources evenly.
    pub(crate) fn shard(self, shards: usize) -> usize {
        (self.0 >> 64) as usize % shards
    }

    pub(crate) fn of(bytes: &[u8]) -> Source {
        static KEYS: LazyLock<(RandomState, RandomState)> = LazyLock::new(Default::default);
        Source(u128::from(KEYS.0.hash_one(bytes)) << 64 | u128::from(KEYS.1.hash_one(bytes)))
    }
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
        let header = Some(&config.request_header_name).filter(|name| !name.is_empty());
        let exclusive = |what: &str| BuildError::new(format!("{what} are mutually exclusive"));
        match (&config.ip_strategy, header, config.request_host) {
            (Some(_), Some(_), _) => Err(exclusive("iPStrategy and RequestHeaderName")),
            (Some(_), None, true) => Err(exclusive("iPStrategy and RequestHost")),
            (None, Some(_), true) => Err(exclusive("requestHost and RequestHeaderName")),
            (Some(strategy), None, false) => Ok(SourceCriterion::Ip(IpStrategy::build(Some(strategy))?)),
            (None, Some(name), false) => Ok(SourceCriterion::Header(name.as_str().into())),
            (None, None, true) => Ok(SourceCriterion::Host),
            (None, None, false) => Ok(otherwise),
        }
    }

    /// The source of a request.
    pub(crate) fn source(&self, req: &Request, cx: &Exchange) -> Source {
        match self {
            SourceCriterion::Ip(strategy) => Source::of(&strategy.source(req, cx)),
            SourceCriterion::Header(name) => Source::of(req.headers.get(&**name).unwrap_or_default()),
            SourceCriterion::Host => Source::of(&lower_case(req.host())),
        }
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
    use trilithon_model::dynamic::http::IpStrategy as IpConfig;

    fn config(ip: bool, header: &str, request_host: bool) -> Config {
        Config {
            ip_strategy: ip.then(IpConfig::default),
            request_header_name: header.into(),
            request_host,
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
    fn one_only() {
        let check = |config: Config, want: &str| {
            let error = SourceCriterion::build(Some(&config), SourceCriterion::Host).unwrap_err();
            assert_eq!(error.message, format!("{want} are mutually exclusive"));
        };
        check(config(true, "x", false), "iPStrategy and RequestHeaderName");
        check(config(true, "", true), "iPStrategy and RequestHost");
        check(config(false, "x", true), "requestHost and RequestHeaderName");
    }
}
