//! The member of `baggage` (W3C Baggage) that names the tool call which a request is made for. Servers that take part in tracing hand
//! baggage on, so that what a tool asks of an API can be told to belong to what a model asked for.

use crate::model_call::name;
use crate::record::Name;
use crate::target::{decode, escape_component};

/// The member, by OpenTelemetry's name of the attribute.
pub const TOOL_CALL: &str = "gen_ai.tool.call.id";

/// Bytes of a baggage that is looked at (W3C Baggage §3.3.2).
const MAX_BYTES: usize = 8192;

/// The id of the tool call.
pub fn tool_call(baggage: &[u8]) -> Option<Name> {
    let text = std::str::from_utf8(baggage.get(..baggage.len().min(MAX_BYTES))?).ok()?;
    let member = text.split(',').find_map(|member| {
        let (key, value) = member.split_once('=')?;
        (key.trim() == TOOL_CALL).then_some(value)
    })?;
    // Properties follow a semicolon.
    let value = member.split(';').next().unwrap_or_default().trim();
    let id = decode(value);
    (!id.is_empty()).then(|| name(&String::from_utf8_lossy(&id)))
}

/// The same baggage with the tool call named in it.
pub fn naming(baggage: Option<&str>, id: &str) -> String {
    let named = baggage.and_then(|text| tool_call(text.as_bytes()));
    match baggage {
        Some(text) if named.is_some_and(|known| *known == *id) => text.to_owned(),
        Some(text) if !text.trim().is_empty() => {
            let others = text.split(',').filter(|member| {
                let key = member.split_once('=').map(|(key, _)| key.trim());
                key != Some(TOOL_CALL)
            });
            let mut all: Vec<String> = others.map(|member| member.trim().to_owned()).collect();
            all.push(member(id));
            all.join(",")
        }
        _ => member(id),
    }
}

fn member(id: &str) -> String {
    [TOOL_CALL, "=", &escape_component(id)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_is_found() {
        let check = |baggage: &str, want: Option<&str>| {
            assert_eq!(tool_call(baggage.as_bytes()).as_deref(), want, "{baggage}");
        };
        check("gen_ai.tool.call.id=call_1", Some("call_1"));
        check("a=1, gen_ai.tool.call.id = call%201;p=2 ,b=3", Some("call 1"));
        check("gen_ai.tool.call.id=%zz%4", Some("%zz%4"));
        check("gen_ai.tool.call.id=%ff", Some("\u{fffd}"));
        for none in [
            "",
            "a=1",
            "gen_ai.tool.call.id",
            "gen_ai.tool.call.id=",
            "xgen_ai.tool.call.id=1",
        ] {
            check(none, None);
        }
        let long = format!("gen_ai.tool.call.id={}", "x".repeat(10_000));
        assert!(tool_call(long.as_bytes()).is_some_and(|id| id.len() == 256));
        assert_eq!(tool_call(&[0xff, b'=', b'1']), None);
    }

    #[test]
    fn a_call_is_named() {
        let check = |baggage: Option<&str>, id: &str, want: &str| {
            assert_eq!(naming(baggage, id), want, "{baggage:?}");
        };
        check(None, "call_1", "gen_ai.tool.call.id=call_1");
        check(Some(" "), "a b", "gen_ai.tool.call.id=a%20b");
        check(Some("a=1"), "é", "a=1,gen_ai.tool.call.id=%C3%A9");
        check(
            Some("gen_ai.tool.call.id=old;p=1, b=2"),
            "new",
            "b=2,gen_ai.tool.call.id=new",
        );
        check(
            Some("gen_ai.tool.call.id=same , b=2"),
            "same",
            "gen_ai.tool.call.id=same , b=2",
        );
        let id = "\"odd, =;\u{1}";
        assert_eq!(tool_call(naming(Some("a=1"), id).as_bytes()).as_deref(), Some(id));
    }
}
