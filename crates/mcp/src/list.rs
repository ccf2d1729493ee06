//! Lists of tools, prompts and resources, and taking items out of them.

use serde_json::Map;
use trilithon_flow::mcp_call::Asked;
use trilithon_wire::json::{self, Kind, Splice, Value};

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Tools,
    Prompts,
    Resources,
    /// Templates of the addresses of resources.
    Templates,
}

impl List {
    pub const ALL: [List; 4] = [List::Tools, List::Prompts, List::Resources, List::Templates];

    /// The list that a method asks for.
    pub fn of(method: &str) -> Option<List> {
        List::ALL.into_iter().find(|list| list.method() == method)
    }

    /// The method that asks for it.
    pub fn method(self) -> &'static str {
        match self {
            List::Tools => "tools/list",
            List::Prompts => "prompts/list",
            List::Resources => "resources/list",
            List::Templates => "resources/templates/list",
        }
    }

    /// The member of the result that holds it.
    pub fn member(self) -> &'static str {
        match self {
            List::Tools => "tools",
            List::Prompts => "prompts",
            List::Resources => "resources",
            List::Templates => "resourceTemplates",
        }
    }

    /// The member of an item by which it is asked for.
    pub fn named_by(self) -> &'static str {
        match self {
            List::Tools | List::Prompts => "name",
            List::Resources => "uri",
            List::Templates => "uriTemplate",
        }
    }
}

/// A document after items were taken out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filtered {
    /// `None` when nothing changes.
    pub doc: Option<Vec<u8>>,
    /// Items that were taken out.
    pub hidden: u64,
    /// Lists that have no further page.
    pub ended: Vec<List>,
}

/// Takes items out of the lists that an answer holds, whatever was asked: a stream that is taken up again repeats answers to
/// questions that nobody here remembers. `hides` is asked for each item, as it is and as
/// policies are to see it.
///
/// A list that is not the same for everybody must not be kept for everybody: `cacheScope` becomes `private`.
///
/// # Errors
/// It is no JSON, or holds a list twice.
pub fn filter(
    doc: &[u8],
    mut hides: impl FnMut(List, &Value<'_>, &Asked) -> bool,
) -> Result<Filtered, json::Error> {
    let root = json::parse(doc)?;
    let mut splice = Splice::new();
    let mut hidden = 0;
    let mut ended = Vec::new();
    let mut one = |message: &Value<'_>| -> Result<(), json::Error> {
        let [result] = message.fields(["result"])?;
        let Some(result) = result else { return Ok(()) };
        let names = [
            "tools",
            "prompts",
            "resources",
            "resourceTemplates",
            "cacheScope",
            "nextCursor",
        ];
        let [tools, prompts, resources, templates, scope, next] = result.fields(names)?;
        let has_more = next.is_some_and(|next| !next.is_null());
        let mut any = false;
        for (list, array) in List::ALL.into_iter().zip([tools, prompts, resources, templates]) {
            if let Some(array) = array.filter(|a| a.kind() == Kind::Array) {
                any = true;
                ended.extend((!has_more).then_some(list));
                hidden += take_out(list, &array, &mut splice, &mut hides);
            }
        }
        let is_public = |scope: &Value<'_>| !scope.text().is_some_and(|t| t.is("private"));
        if let (true, Some(scope)) = (any, scope.filter(is_public)) {
            // Nothing else is replaced there.
            let _ = splice.replace(scope.range(), *b"\"private\"");
        }
        Ok(())
    };
    match root.kind() {
        Kind::Array => root.items().try_for_each(|message| one(&message))?,
        _ => one(&root)?,
    }
    Ok(Filtered {
        doc: (!splice.is_empty()).then(|| splice.apply(doc)),
        hidden,
        ended,
    })
}

/// Takes what is hidden out of one list.
fn take_out(
    list: List,
    array: &Value<'_>,
    splice: &mut Splice,
    hides: &mut impl FnMut(List, &Value<'_>, &Asked) -> bool,
) -> u64 {
    let mut kept = Vec::new();
    let mut hidden = 0;
    for item in array.items() {
        match item_of(list, &item) {
            Some(asked) if !hides(list, &item, &asked) => kept.push(item.raw()),
            _ => hidden += 1,
        }
    }
    if hidden > 0 {
        // Lists do not lie in each other.
        let _ = splice.replace(array.range(), format!("[{}]", kept.join(",")));
    }
    hidden
}

/// What policies see of an item; `None` for one that two readers could take for two.
fn item_of(list: List, item: &Value<'_>) -> Option<Asked> {
    let [name, uri, template] = item.fields(["name", "uri", "uriTemplate"]).ok()?;
    let text = |value: Option<Value<'_>>| value.and_then(|v| v.text()).map(|t| t.to_str().into_owned());
    let mut params = Map::new();
    for (member, value) in [("name", text(name)), ("uri", text(uri).or(text(template)))] {
        if let Some(value) = value {
            params.insert(member.to_owned(), value.into());
        }
    }
    Some(Asked::new(list.method().into(), params))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hides what is called `secret`, or lies below `file:///etc`.
    fn check(doc: &str, want: Option<&str>, hidden: u64) {
        let filtered = filter(doc.as_bytes(), |_, _, asked| {
            let is = |member: &str, test: &dyn Fn(&str) -> bool| asked.text(member).is_some_and(test);
            is("name", &|n| n == "secret") || is("uri", &|u| u.starts_with("file:///etc"))
        });
        let filtered = filtered.unwrap_or_else(|e| panic!("{doc}: {e}"));
        let got = filtered.doc.map(|d| String::from_utf8(d).unwrap());
        assert_eq!((got.as_deref(), filtered.hidden), (want, hidden), "{doc}");
    }

    #[test]
    fn items_are_taken_out() {
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add", "x":1}, {"name":"secret"} ,{"name":"sub"}],"nextCursor":"c"}}"#,
            Some(
                r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add", "x":1},{"name":"sub"}],"nextCursor":"c"}}"#,
            ),
            1,
        );
        check(
            r#"{"result":{"prompts":[{"name":"s\u0065cret"}]}}"#,
            Some(r#"{"result":{"prompts":[]}}"#),
            1,
        );
        check(
            r#"{"result":{"resources":[{"uri":"file:///etc/passwd","name":"p"},{"uri":"file:///a","name":"a"}]}}"#,
            Some(r#"{"result":{"resources":[{"uri":"file:///a","name":"a"}]}}"#),
            1,
        );
        check(
            r#"{"result":{"resourceTemplates":[{"uriTemplate":"file:///etc/{x}","name":"t"}]}}"#,
            Some(r#"{"result":{"resourceTemplates":[]}}"#),
            1,
        );
        check(
            r#"[{"result":{"tools":[{"name":"secret"}]}},{"result":{}}]"#,
            Some(r#"[{"result":{"tools":[]}},{"result":{}}]"#),
            1,
        );
    }

    #[test]
    fn what_is_no_list_stays() {
        for doc in [
            r#"{"result":{"tools":[{"name":"add"}]}}"#,
            r#"{"result":{"content":[{"name":"secret"}]}}"#,
            r#"{"error":{"code":1}}"#,
            r#"{"method":"notifications/message","params":{"tools":[{"name":"secret"}]}}"#,
            r#"{"result":{"tools":{"name":"secret"},"cacheScope":"public"}}"#,
            "[]",
            "7",
        ] {
            check(doc, None, 0);
        }
    }

    #[test]
    fn a_list_for_one_caller_is_kept_for_one() {
        check(
            r#"{"result":{"tools":[],"ttlMs":9,"cacheScope":"public"}}"#,
            Some(r#"{"result":{"tools":[],"ttlMs":9,"cacheScope":"private"}}"#),
            0,
        );
        check(r#"{"result":{"tools":[],"cacheScope":"private"}}"#, None, 0);
    }

    #[test]
    fn what_two_readers_could_take_for_two_is_not_passed() {
        check(
            r#"{"result":{"tools":[{"name":"add","name":"secret"},{"Name":"secret"}]}}"#,
            Some(r#"{"result":{"tools":[]}}"#),
            2,
        );
        for bad in [
            r#"{"result":{"tools":[],"tools":[{"name":"secret"}]}}"#,
            r#"{"result":{"tools":[],"Tools":[{"name":"secret"}]}}"#,
            r#"{"result":{},"result":{"tools":[{"name":"secret"}]}}"#,
            "{",
        ] {
            assert!(filter(bad.as_bytes(), |_, _, _| false).is_err(), "{bad}");
        }
    }
}
