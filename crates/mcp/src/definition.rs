//! What a server says that a tool, a prompt or a resource is, as a digest: of its canonical form (RFC 8785), without what may change
//! by itself (`_meta`, icons, sizes and dates). An agent that came to trust one definition has not come to trust another.

use crate::List;
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write as _;
use trilithon_wire::is_unseen;
use trilithon_wire::json::{Value, canonical_without};

/// Members that do not belong to what is trusted.
const VOLATILE: [&str; 4] = ["_meta", "icons", "size", "lastModified"];

/// Bytes of a name that is remembered.
pub const MAX_NAME: usize = 512;

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub list: List,
    /// Its name; of resources and templates the URI.
    pub name: String,
    /// `sha256:` and the digest of all of it.
    pub digest: String,
    /// The digest without the name: what a copy under another name has too.
    pub body: String,
    /// It says something that readers do not see.
    pub hides_text: bool,
}

impl Definition {
    /// Reads an item of a list; `None` for one without a name of a bearable length.
    pub fn read(list: List, item: &Value<'_>) -> Option<Definition> {
        let naming = list.named_by();
        let name = item.get(naming)?.text()?.to_str().into_owned();
        if name.len() > MAX_NAME {
            return None;
        }
        let whole = canonical_without(item, &VOLATILE);
        let without_name = [&VOLATILE[..], &[naming]].concat();
        Some(Definition {
            list,
            digest: sha256(&whole),
            body: sha256(&canonical_without(item, &without_name)),
            hides_text: hides_text(&whole),
            name,
        })
    }
}

fn sha256(text: &str) -> String {
    let mut out = "sha256:".to_owned();
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a text does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Whether a text has characters that nobody sees. In the canonical form control characters are the only escapes by number.
fn hides_text(canonical: &str) -> bool {
    canonical.contains("\\u00") && has_control(canonical) || canonical.chars().any(is_unseen)
}

/// Whether an escape by number is one, and not a backslash before the letter u.
fn has_control(canonical: &str) -> bool {
    let mut bytes = canonical.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && bytes.next() == Some(b'u') {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_wire::json;

    fn of(list: List, item: &str) -> Option<Definition> {
        Definition::read(list, &json::parse(item.as_bytes()).unwrap())
    }

    fn tool(item: &str) -> Definition {
        of(List::Tools, item).unwrap()
    }

    #[test]
    fn what_means_the_same_has_one_digest() {
        let one = tool(r#"{"name":"a","description":"d","inputSchema":{"type":"object","maximum":1.0}}"#);
        let same = tool(
            r#"{ "icons":[1],"inputSchema":{"maximum":1,"type":"\u006fbject"},"description":"d","name":"a","_meta":{"x":1}}"#,
        );
        assert_eq!(one, same);
        for other in [
            r#"{"name":"a","description":"e","inputSchema":{"type":"object","maximum":1}}"#,
            r#"{"name":"a","title":"t","description":"d","inputSchema":{"type":"object","maximum":1}}"#,
            r#"{"name":"a","description":"d","inputSchema":{"type":"object","maximum":2}}"#,
            r#"{"name":"a","description":"d","inputSchema":{"type":"object","maximum":1},"annotations":{"readOnlyHint":true}}"#,
        ] {
            assert_ne!(tool(other).digest, one.digest, "{other}");
        }
    }

    #[test]
    fn a_copy_under_another_name_has_the_same_body() {
        let (a, b) = (
            tool(r#"{"name":"a","description":"d"}"#),
            tool(r#"{"name":"b","description":"d"}"#),
        );
        assert_ne!(a.digest, b.digest);
        assert_eq!(a.body, b.body);
    }

    #[test]
    fn resources_are_named_by_their_uri() {
        let one = of(List::Resources, r#"{"uri":"u","name":"n","size":7}"#).unwrap();
        assert_eq!(one.name, "u");
        assert_eq!(
            of(List::Resources, r#"{"uri":"u","name":"n","size":8}"#).unwrap(),
            one
        );
        assert_eq!(of(List::Tools, r#"{"uri":"u"}"#), None);
        let long = format!(r#"{{"name":"{}"}}"#, "n".repeat(MAX_NAME + 1));
        assert_eq!(of(List::Tools, &long), None);
    }

    #[test]
    fn hidden_text() {
        let check = |description: &str, want: bool| {
            let item = format!(r#"{{"name":"a","description":"{description}"}}"#);
            assert_eq!(tool(&item).hides_text, want, "{description}");
        };
        check(r"a\n\tb \\u0041 caf\u00e9 \ud83d\udc69\u200d\ud83d\udcbb", false);
        check(r"\u001b[8m", true);
        check(r"a\u200bb", true);
        check("\u{e0041}", true);
        check(r"\u202e", true);
        check(r"\ufeff", true);
    }
}
