//! `jwt`: the claims of the credential, whatever they are.

use super::{Fact, Facts, Namespace, Read};
use crate::value::{Failure, Kind, Value};
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

pub const NAMESPACE: Namespace = Namespace {
    name: "jwt",
    facts: &[Fact {
        name: "jwt",
        kind: Kind::Map,
        doc: "Everything the token claims, by name: `jwt.sub`, `jwt.realm_access.roles`, `jwt[\"https://example.com/tier\"]`. No claims without a token.",
        sensitive: true,
        from_caller: false,
        read: Read::Plain(claims),
    }],
};

static NONE: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);

/// All claims.
pub fn all<'a>(facts: &Facts<'a>) -> &'a Map<String, Json> {
    facts.exchange.identity().map_or(&NONE, |i| &i.claims)
}

fn claims<'a>(facts: &'a Facts<'a>) -> Result<Value<'a>, Failure> {
    Ok(Value::Map(all(facts)))
}
