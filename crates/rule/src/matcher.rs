//! One compiled question about a request, and its answer.

use std::sync::Arc;

use crate::facts::Facts;
use crate::host::{parent, undotted};
use crate::net::IpRange;
use crate::query;
use crate::regexp::Regexp;

/// A compiled matcher; both syntaxes and both protocols come down to these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Matcher {
    /// ``Host(`*`)`` and ``HostSNI(`*`)``: also an empty host.
    AnyHost,
    /// Lower case, without a trailing dot.
    Host(Arc<[u8]>),
    /// `*.x`: exactly one label before this parent.
    HostBelow(Arc<[u8]>),
    /// With names of which every matching host is below one, at any depth; none when nothing is known.
    HostRegexp(Regexp, Box<[Arc<[u8]>]>),
    /// Upper case.
    Method(Box<[u8]>),
    Path(Arc<[u8]>),
    PathPrefix(Arc<[u8]>),
    /// With ASCII prefixes of which every matching path has one; none when nothing is known.
    PathRegexp(Regexp, Box<[Arc<[u8]>]>),
    /// The name is in canonical form.
    Header(Box<str>, Box<[u8]>),
    HeaderRegexp(Box<str>, Regexp),
    Query(Box<[u8]>, Box<[u8]>),
    QueryRegexp(Box<[u8]>, Regexp),
    /// Only the first value of the key is looked at (v2).
    FirstQuery(Box<[u8]>, Regexp),
    /// The model that the body names.
    Model(Box<[u8]>),
    ModelRegexp(Regexp),
    ClientIp(IpRange),
    Alpn(Box<[u8]>),
}

impl Matcher {
    /// Whether it holds.
    pub(crate) fn test<F: Facts + ?Sized>(&self, facts: &F) -> bool {
        match self {
            Matcher::AnyHost => true,
            Matcher::Host(_) | Matcher::HostBelow(_) | Matcher::HostRegexp(..) => {
                self.accepts_host(facts.host())
                    || facts.flattened_host().is_some_and(|h| self.accepts_host(h))
            }
            Matcher::Method(method) => facts.method() == &**method,
            Matcher::Path(path) => facts.path() == &**path,
            Matcher::PathPrefix(prefix) => facts.path().starts_with(prefix),
            Matcher::PathRegexp(regexp, _) => regexp.is_match(facts.path()),
            Matcher::Header(name, value) => facts.any_header(name, &mut |v| v == &**value),
            Matcher::HeaderRegexp(name, regexp) => facts.any_header(name, &mut |v| regexp.is_match(v)),
            Matcher::Query(key, value) => query::values(facts.query(), key).any(|v| v.is(value)),
            Matcher::QueryRegexp(key, regexp) => {
                query::values(facts.query(), key).any(|v| regexp.is_match(&v.decoded()))
            }
            Matcher::FirstQuery(key, regexp) => query::values(facts.query(), key)
                .next()
                .is_some_and(|v| regexp.is_match(&v.decoded())),
            Matcher::Model(model) => facts.model() == Some(&**model),
            Matcher::ModelRegexp(regexp) => facts.model().is_some_and(|m| regexp.is_match(m)),
            Matcher::ClientIp(range) => range.contains(facts.client_ip()),
            Matcher::Alpn(protocol) => facts.offers(protocol),
        }
    }

    fn accepts_host(&self, host: &[u8]) -> bool {
        match self {
            Matcher::Host(name) => undotted(host) == &**name,
            Matcher::HostBelow(name) => parent(undotted(host)) == Some(name),
            Matcher::HostRegexp(regexp, _) => regexp.is_match(host),
            _ => false,
        }
    }

    /// A rough cost, to ask cheap questions first.
    pub(crate) fn cost(&self) -> u8 {
        match self {
            Matcher::AnyHost => 0,
            Matcher::Host(_) | Matcher::HostBelow(_) | Matcher::Method(_) | Matcher::Path(_) => 1,
            Matcher::PathPrefix(_) | Matcher::ClientIp(_) | Matcher::Alpn(_) => 2,
            Matcher::Header(..) => 3,
            Matcher::Query(..) => 4,
            Matcher::HostRegexp(..) | Matcher::PathRegexp(..) => 8,
            Matcher::HeaderRegexp(..) => 9,
            Matcher::QueryRegexp(..) | Matcher::FirstQuery(..) => 10,
            // Last: asking may make the body be read.
            Matcher::Model(_) | Matcher::ModelRegexp(_) => 20,
        }
    }

    /// What the request has where this matcher looks, for people.
    pub(crate) fn actual<F: Facts + ?Sized>(&self, facts: &F) -> String {
        match self {
            Matcher::AnyHost | Matcher::Host(_) | Matcher::HostBelow(_) | Matcher::HostRegexp(..) => {
                let host = show("host", facts.host());
                facts.flattened_host().map_or(host.clone(), |flat| {
                    format!("{host}, {}", show("flattened host", flat))
                })
            }
            Matcher::Method(_) => show("method", facts.method()),
            Matcher::Path(_) | Matcher::PathPrefix(_) | Matcher::PathRegexp(..) => show("path", facts.path()),
            Matcher::Header(name, _) | Matcher::HeaderRegexp(name, _) => {
                let mut values = Vec::new();
                facts.any_header(name, &mut |v| {
                    values.push(v.to_vec());
                    false
                });
                list(&format!("header `{name}`"), &values)
            }
            Matcher::Query(key, _) | Matcher::QueryRegexp(key, _) | Matcher::FirstQuery(key, _) => {
                let values: Vec<_> = query::values(facts.query(), key)
                    .map(|v| v.decoded().into_owned())
                    .collect();
                list(&format!("query `{}`", String::from_utf8_lossy(key)), &values)
            }
            Matcher::Model(_) | Matcher::ModelRegexp(_) => match facts.model() {
                Some(model) => show("model", model),
                None => "no model".into(),
            },
            Matcher::ClientIp(_) => format!("client address `{}`", facts.client_ip()),
            Matcher::Alpn(protocol) if facts.offers(protocol) => show("offered protocol", protocol),
            Matcher::Alpn(protocol) => show("no offered protocol", protocol),
        }
    }

    /// What this matcher wants, for people.
    pub(crate) fn expected(&self) -> String {
        match self {
            Matcher::AnyHost => "any host".into(),
            Matcher::Host(name) => show("host", name),
            Matcher::HostBelow(name) => format!("one label before `.{}`", String::from_utf8_lossy(name)),
            Matcher::HostRegexp(regexp, _) => format!("host like `{}`", regexp.source()),
            Matcher::Method(method) => show("method", method),
            Matcher::Path(path) => show("path", path),
            Matcher::PathPrefix(prefix) => {
                format!("path that begins with `{}`", String::from_utf8_lossy(prefix))
            }
            Matcher::PathRegexp(regexp, _) => format!("path like `{}`", regexp.source()),
            Matcher::Header(name, value) => list(&format!("header `{name}`"), &[value.to_vec()]),
            Matcher::HeaderRegexp(name, regexp) => format!("header `{name}` like `{}`", regexp.source()),
            Matcher::Query(key, value) => list(
                &format!("query `{}`", String::from_utf8_lossy(key)),
                &[value.to_vec()],
            ),
            Matcher::QueryRegexp(key, regexp) | Matcher::FirstQuery(key, regexp) => {
                format!(
                    "query `{}` like `{}`",
                    String::from_utf8_lossy(key),
                    regexp.source()
                )
            }
            Matcher::Model(model) => show("model", model),
            Matcher::ModelRegexp(regexp) => format!("model like `{}`", regexp.source()),
            Matcher::ClientIp(range) => format!("client address `{range}`"),
            Matcher::Alpn(protocol) => show("offered protocol", protocol),
        }
    }
}

fn show(what: &str, bytes: &[u8]) -> String {
    format!("{what} `{}`", String::from_utf8_lossy(bytes))
}

fn list(what: &str, values: &[Vec<u8>]) -> String {
    if values.is_empty() {
        return format!("no {what}");
    }
    let values: Vec<_> = values
        .iter()
        .map(|v| format!("`{}`", String::from_utf8_lossy(v)))
        .collect();
    format!("{what} with {}", values.join(", "))
}
