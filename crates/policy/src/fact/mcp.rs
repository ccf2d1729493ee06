//! `mcp.*`: what a message to a server of tools asks for, as the `mcp` middleware read it. Without one all of it is empty.

use super::{Fact, Facts, Namespace, Read};
use crate::value::{Failure, Kind, Value};
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

pub const NAMESPACE: Namespace = Namespace {
    name: "mcp",
    facts: &[
        Fact {
            name: "mcp.method",
            kind: Kind::Text,
            doc: "The method of the message: `tools/call`.",
            sensitive: false,
            from_caller: false,
            read: Read::Plain(|f| Ok(Value::text(f.mcp.map_or("", |asked| &asked.method)))),
        },
        Fact {
            name: "mcp.tool",
            kind: Kind::Text,
            doc: "The tool that is called, or listed.",
            sensitive: false,
            from_caller: false,
            read: Read::Plain(|f| {
                Ok(Value::text(
                    f.mcp.and_then(|asked| asked.tool()).unwrap_or_default(),
                ))
            }),
        },
        Fact {
            name: "mcp.params",
            kind: Kind::Map,
            doc: "The parameters of the message, by name: `mcp.params.name`, `mcp.params.uri`, `mcp.params.arguments.amount`. Of an item of a list: its `name` and `uri`.",
            sensitive: true,
            from_caller: true,
            read: Read::Object {
                whole: params,
                member: |f, name| f.mcp?.at_hand(name).map(Value::text),
            },
        },
    ],
};

static NONE: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);

fn params<'a>(facts: &'a Facts<'a>) -> Result<Value<'a>, Failure> {
    Ok(Value::Map(facts.mcp.map_or(&NONE, |asked| asked.params())))
}
