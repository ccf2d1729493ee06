//! Lists of several servers as one list.

use crate::{Cursor, Era, List, Naming};
use std::fmt::Write as _;
use trilithon_wire::json::{self, Kind, Splice, Value, quote};

/// A list under way: items as the servers wrote them, but for their names.
#[derive(Debug)]
pub struct Lists {
    list: List,
    items: Vec<u8>,
    /// Where servers go on that have more.
    pub cursor: Cursor,
    /// How long all of it may be kept: as long as each part of it.
    ttl: Option<u64>,
    public: bool,
    /// Items that could not be taken: without a name, or with one that is too long or another server's.
    pub left_out: usize,
}

impl Lists {
    pub fn new(list: List) -> Lists {
        Lists {
            list,
            items: Vec::new(),
            cursor: Cursor::default(),
            ttl: None,
            public: true,
            left_out: 0,
        }
    }

    /// Adds what `server` answered. `is_others` says of a name or address whether calls of it go to another server.
    ///
    /// # Errors
    /// It is no JSON, says something twice, or is no list.
    pub fn add(
        &mut self,
        doc: &[u8],
        server: &str,
        naming: &Naming,
        is_others: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let said = |error: json::Error| error.to_string();
        let root = json::parse(doc).map_err(said)?;
        let [result] = root.fields(["result"]).map_err(said)?;
        let result = result.ok_or("there is no `result`")?;
        let names = [self.list.member(), "nextCursor", "ttlMs", "cacheScope"];
        let [items, cursor, ttl, scope] = result.fields(names).map_err(said)?;
        let items = items.filter(|items| items.kind() == Kind::Array);
        let items = items.ok_or_else(|| format!("there is no list `{}`", self.list.member()))?;
        for item in items.items() {
            match self.item(doc, &item, naming, &is_others) {
                Some(item) => {
                    if !self.items.is_empty() {
                        self.items.push(b',');
                    }
                    self.items.extend_from_slice(&item);
                }
                None => self.left_out += 1,
            }
        }
        if let Some(cursor) = cursor.and_then(|c| c.text()) {
            self.cursor.0.push((server.into(), (*cursor.to_str()).into()));
        }
        let ttl = ttl.and_then(|t| t.as_u64()).unwrap_or(0);
        self.ttl = Some(self.ttl.map_or(ttl, |other| other.min(ttl)));
        self.public &= scope.is_some_and(|s| s.text().is_some_and(|t| t.is("public")));
        Ok(())
    }

    /// A part is missing: what there is must not be taken for the whole for long.
    pub fn lacks_a_part(&mut self) {
        self.ttl = Some(0);
    }

    /// An item under its outer name.
    fn item(
        &self,
        doc: &[u8],
        item: &Value<'_>,
        naming: &Naming,
        is_others: &impl Fn(&str) -> bool,
    ) -> Option<Vec<u8>> {
        let [value] = item.fields([self.list.named_by()]).ok()?;
        let value = value?;
        let inner = value.text()?.to_str();
        let outer = match self.list {
            List::Tools | List::Prompts => naming.name_out(&inner)?,
            List::Resources | List::Templates => naming.uri_out(&inner).into(),
        };
        if is_others(&outer) {
            return None;
        }
        if naming.is_plain() {
            return Some(item.raw().into());
        }
        let mut splice = Splice::new();
        let start = item.range().start;
        let place = value.range().start - start..value.range().end - start;
        splice.replace(place, quote(&outer)).ok()?;
        Some(splice.apply(doc.get(item.range())?))
    }

    /// The answer to the message with this `id`; `cursor` is where the client goes on.
    pub fn finish(self, id: &str, era: Era, cursor: Option<&str>) -> Vec<u8> {
        let mut text = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{");
        // Writing to a text does not fail.
        if era == Era::Modern {
            let scope = if self.public { "public" } else { "private" };
            let ttl = self.ttl.unwrap_or(0);
            let _ = write!(
                text,
                "\"resultType\":\"complete\",\"ttlMs\":{ttl},\"cacheScope\":\"{scope}\","
            );
        }
        if let Some(cursor) = cursor {
            let _ = write!(text, "\"nextCursor\":\"{cursor}\",");
        }
        let _ = write!(text, "\"{}\":[", self.list.member());
        let mut body = text.into_bytes();
        body.extend_from_slice(&self.items);
        body.extend_from_slice(b"]}}");
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"title":"T", "name":"add"},{"name":"b_x"}],"nextCursor":"7","ttlMs":900,"cacheScope":"public"}}"#;
    const B: &str = r#"{"id":1,"result":{"tools":[{"name":"x","inputSchema":{"name":"x"}}],"ttlMs":50,"cacheScope":"public"}}"#;

    fn merged(parts: &[&str], era: Era) -> (Cursor, usize, String) {
        let mut lists = Lists::new(List::Tools);
        let others = |name: &str| name.starts_with("b_");
        let namings = [Naming::default(), Naming::new("b", "_")];
        for ((part, naming), server) in parts.iter().zip(&namings).zip(["a", "b"]) {
            lists
                .add(part.as_bytes(), server, naming, |n| {
                    naming.is_plain() && others(n)
                })
                .unwrap();
        }
        let (cursor, left_out) = (lists.cursor.clone(), lists.left_out);
        let text = String::from_utf8(lists.finish("1", era, None)).unwrap();
        (cursor, left_out, text)
    }

    #[test]
    fn lists_become_one() {
        let (cursor, left_out, text) = merged(&[A, B], Era::Legacy);
        assert_eq!((cursor.0, left_out), (vec![("a".into(), "7".into())], 1));
        assert_eq!(
            text,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"title":"T", "name":"add"},{"name":"b_x","inputSchema":{"name":"x"}}]}}"#
        );
        let (_, _, text) = merged(&[A, B], Era::Modern);
        assert!(
            text.contains(r#""resultType":"complete","ttlMs":50,"cacheScope":"public""#),
            "{text}"
        );
    }

    #[test]
    fn one_part_for_one_caller_makes_all_so() {
        let private = r#"{"result":{"tools":[],"ttlMs":9,"cacheScope":"private"}}"#;
        let (_, _, text) = merged(&[A, private], Era::Modern);
        assert!(text.contains(r#""ttlMs":9,"cacheScope":"private""#), "{text}");
        let silent = r#"{"result":{"tools":[]}}"#;
        let (_, _, text) = merged(&[A, silent], Era::Modern);
        assert!(text.contains(r#""ttlMs":0,"cacheScope":"private""#), "{text}");
    }

    #[test]
    fn addresses_get_their_scheme() {
        let mut lists = Lists::new(List::Templates);
        let doc = br#"{"result":{"resourceTemplates":[{"uriTemplate":"a:{x}","name":"n"}]}}"#;
        lists.add(doc, "s", &Naming::new("f", "_"), |_| false).unwrap();
        let text = String::from_utf8(lists.finish("\"i\"", Era::Legacy, Some("v1.c"))).unwrap();
        assert_eq!(
            text,
            r#"{"jsonrpc":"2.0","id":"i","result":{"nextCursor":"v1.c","resourceTemplates":[{"uriTemplate":"f+a:{x}","name":"n"}]}}"#
        );
    }

    #[test]
    fn what_is_no_list_is_not_taken() {
        for doc in [
            "{",
            "{}",
            r#"{"error":{}}"#,
            r#"{"result":{"tools":{}}}"#,
            r#"{"result":{"tools":[],"tools":[]}}"#,
        ] {
            let mut lists = Lists::new(List::Tools);
            assert!(
                lists
                    .add(doc.as_bytes(), "s", &Naming::default(), |_| false)
                    .is_err(),
                "{doc}"
            );
        }
    }
}
