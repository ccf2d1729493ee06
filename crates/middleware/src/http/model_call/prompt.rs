//! What `messages-api` adds to prompts: a system prompt in front of the client's, a mark where the cache may end.

use trilithon_wire::json::{Kind, Overlap, Splice, Value, quote};

const MARK: &str = r#"{"type":"ephemeral"}"#;

/// Puts a system prompt in front of the client's own.
///
/// # Errors
/// The place is changed already.
pub fn add_system(root: &Value<'_>, system: &str, splice: &mut Splice) -> Result<(), Overlap> {
    let own = root.get("system").filter(|v| !v.is_null());
    match own.as_ref().map(|v| (v.kind(), v)) {
        Some((Kind::String, own)) => {
            let text = quote(&format!("{system}\n\n"));
            let start = own.range().start + 1;
            splice.replace(start..start, &text[1..text.len() - 1])
        }
        Some((Kind::Array, own)) => {
            let mut block = text_block(system);
            if own.items().next().is_some() {
                block.push(b',');
            }
            let start = own.range().start + 1;
            splice.replace(start..start, block)
        }
        _ => splice.set(root, "system", &String::from_utf8_lossy(&quote(system))),
    }
}

fn text_block(text: &str) -> Vec<u8> {
    let mut block = br#"{"type":"text","text":"#.to_vec();
    block.extend_from_slice(&quote(text));
    block.push(b'}');
    block
}

/// Marks the last block of the last message that can be cached, unless the client set marks of its own.
///
/// # Errors
/// The place is changed already.
pub fn mark_cache(root: &Value<'_>, splice: &mut Splice) -> Result<(), Overlap> {
    if root.raw().contains("\"cache_control\"") {
        return Ok(());
    }
    let last = root.get("messages").and_then(|m| m.items().last());
    let Some(content) = last.and_then(|m| m.get("content")) else {
        return Ok(());
    };
    match content.kind() {
        Kind::String if content.range().len() > 2 => {
            let range = content.range();
            splice.replace(range.start..range.start, &br#"[{"type":"text","text":"#[..])?;
            splice.replace(range.end..range.end, format!(r#","cache_control":{MARK}}}]"#))
        }
        Kind::Array => match content.items().filter(can_be_cached).last() {
            Some(block) => splice.set(&block, "cache_control", MARK),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Thoughts and empty texts carry no mark.
fn can_be_cached(block: &Value<'_>) -> bool {
    let kind = block.get("type").and_then(|v| v.text()).map(|t| t.to_str());
    match kind.as_deref() {
        Some("thinking" | "redacted_thinking") | None => false,
        Some("text") => block.get("text").is_some_and(|t| t.range().len() > 2),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_wire::json;

    fn run(doc: &str, change: impl Fn(&Value<'_>, &mut Splice) -> Result<(), Overlap>) -> String {
        let mut splice = Splice::new();
        change(&json::parse(doc.as_bytes()).unwrap(), &mut splice).unwrap();
        String::from_utf8(splice.apply(doc.as_bytes())).unwrap()
    }

    #[test]
    fn system_prompts_stand_in_front() {
        let check = |doc: &str, want: &str| {
            assert_eq!(
                run(doc, |root, splice| add_system(root, "be \"kind\"", splice)),
                want
            );
        };
        check(r#"{"a":1}"#, r#"{"system":"be \"kind\"","a":1}"#);
        check(r#"{"system":null}"#, r#"{"system":"be \"kind\""}"#);
        check(r#"{"system":"own"}"#, r#"{"system":"be \"kind\"\n\nown"}"#);
        check(
            r#"{"system":[]}"#,
            r#"{"system":[{"type":"text","text":"be \"kind\""}]}"#,
        );
        check(
            r#"{"system":[ {"type":"text","text":"own"}]}"#,
            r#"{"system":[{"type":"text","text":"be \"kind\""}, {"type":"text","text":"own"}]}"#,
        );
    }

    #[test]
    fn the_last_block_is_marked() {
        let check = |doc: &str, want: &str| assert_eq!(run(doc, mark_cache), want);
        check(
            r#"{"messages":[{"content":"a"},{"content":"b"}]}"#,
            r#"{"messages":[{"content":"a"},{"content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}"#,
        );
        check(
            r#"{"messages":[{"content":[{"type":"image"},{"type":"text","text":""},{"type":"thinking"}]}]}"#,
            r#"{"messages":[{"content":[{"cache_control":{"type":"ephemeral"},"type":"image"},{"type":"text","text":""},{"type":"thinking"}]}]}"#,
        );
        for same in [
            r#"{"messages":[{"content":""}]}"#,
            r#"{"messages":[]}"#,
            r#"{"system":[{"cache_control":{}}],"messages":[{"content":"a"}]}"#,
        ] {
            check(same, same);
        }
    }
}
