//! Custom headers of requests and answers: set or removed, nothing else. What frames a message or belongs to one connection is
//! the gateway's own and is not changed here.

use std::collections::BTreeMap;
use trilithon_flow::{Build, Exchange, Headers, Known, Request};

/// What is done to a header list, in order.
#[derive(Default)]
pub(super) struct Changes(Vec<Change>);

enum Change {
    Set(Box<str>, Box<str>),
    Remove(Box<str>),
    /// The host that the server sees; routing is over by now.
    Host(Box<str>),
    /// `X-Forwarded-For` with an empty value: not sent at all, the peer is not appended either.
    ForgetClient,
}

impl Changes {
    /// `customRequestHeaders`; an empty value removes a header, except `Host`.
    pub(super) fn of_requests(custom: &BTreeMap<String, String>, cx: &mut Build<'_>) -> Changes {
        let change = |(name, value): (&String, &String)| match Known::of(name.as_bytes()) {
            Known::Host if value.is_empty() => None,
            Known::Host => Some(Change::Host(value.as_str().into())),
            Known::XForwardedFor if value.is_empty() => Some(Change::ForgetClient),
            _ => Some(Change::of(name, value)),
        };
        Changes(settable(custom, cx).filter_map(change).collect())
    }

    /// `customResponseHeaders`; an empty value removes a header.
    pub(super) fn of_responses(custom: &BTreeMap<String, String>, cx: &mut Build<'_>) -> Changes {
        Changes(
            settable(custom, cx)
                .map(|(name, value)| Change::of(name, value))
                .collect(),
        )
    }

    /// Changes a request.
    pub(super) fn apply_to_request(&self, req: &mut Request, cx: &mut Exchange) {
        self.apply(&mut req.headers);
        if self.0.iter().any(|c| matches!(c, Change::ForgetClient)) {
            cx.not_append_forwarded_for = true;
        }
    }

    /// Changes a header list.
    pub(super) fn apply(&self, headers: &mut Headers) {
        for change in &self.0 {
            match change {
                Change::Set(name, value) => headers.set(&**name, &**value),
                Change::Host(value) => headers.set_known(Known::Host, &**value),
                Change::Remove(name) => _ = headers.remove(&**name),
                Change::ForgetClient => headers.remove_known(Known::XForwardedFor),
            }
        }
    }
}

impl Change {
    fn of(name: &str, value: &str) -> Change {
        if value.is_empty() {
            Change::Remove(name.into())
        } else {
            Change::Set(name.into(), value.into())
        }
    }
}

/// The entries that can be done; a warning for each of the others.
fn settable<'a>(
    custom: &'a BTreeMap<String, String>,
    cx: &mut Build<'_>,
) -> impl Iterator<Item = (&'a String, &'a String)> + use<'a> {
    let mut good = Vec::with_capacity(custom.len());
    for (name, value) in custom {
        if !is_token(name) {
            cx.warnings.push(format!(
                "`{name}` is no header name; `{}` does not change it",
                cx.name
            ));
        } else if is_own(name) {
            cx.warnings.push(format!(
                "`{name}` is the gateway's own; `{}` does not change it",
                cx.name
            ));
        } else {
            good.push((name, value));
        }
    }
    good.into_iter()
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Framing, and what ends with the connection.
fn is_own(name: &str) -> bool {
    let known = Known::of(name.as_bytes());
    known == Known::ContentLength || known.is_connection_specific()
}
