//! `identity.*`: who is asking, as the authentication in front of the policy made it out. Without one all of it is empty.

use super::{Fact, Facts, Namespace, Read};
use crate::value::{Failure, Kind, List, Value};
use trilithon_flow::Identity;

const fn fact(
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    read: for<'a> fn(&'a Facts<'a>) -> Result<Value<'a>, Failure>,
) -> Fact {
    Fact {
        name,
        kind,
        doc,
        sensitive: false,
        from_caller: false,
        read: Read::Plain(read),
    }
}

pub const NAMESPACE: Namespace = Namespace {
    name: "identity",
    facts: &[
        fact(
            "identity.subject",
            Kind::Text,
            "The caller: a token's `sub`, a user's name, a certificate's subject.",
            |f| text(f, |i| &i.subject),
        ),
        fact(
            "identity.issuer",
            Kind::Text,
            "Who says so: a token's `iss`, a certificate's issuer; empty for the gateway's own lists.",
            |f| text(f, |i| &i.issuer),
        ),
        fact(
            "identity.application",
            Kind::Text,
            "The application on whose behalf (`azp`, `client_id`).",
            |f| text(f, |i| &i.application),
        ),
        fact(
            "identity.groups",
            Kind::List,
            "Groups and roles, as texts.",
            |f| {
                let groups = f.exchange.identity().map_or(&[][..], |i| &i.groups);
                Ok(Value::List(List::Texts(groups)))
            },
        ),
        fact(
            "identity.credential",
            Kind::Text,
            "What was proved with: `apiKey`, `jwt`, `clientCertificate`, `basic`, `digest` or `forward`.",
            |f| text(f, |i| i.credential.as_str()),
        ),
        fact(
            "identity.credential_id",
            Kind::Text,
            "Tells credentials apart without being one: the first digits of a hash, or a token's `jti`.",
            |f| text(f, |i| &i.credential_id),
        ),
    ],
};

fn text<'a>(facts: &'a Facts<'a>, of: impl Fn(&'a Identity) -> &'a str) -> Result<Value<'a>, Failure> {
    Ok(Value::text(facts.exchange.identity().map_or("", |i| of(i))))
}
