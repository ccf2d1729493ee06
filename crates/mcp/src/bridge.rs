//! Messages of one era for a peer that speaks the other.

use crate::error::{INTERNAL_ERROR, INVALID_PARAMS};
use crate::message::{CAPABILITIES, CLIENT_INFO, LOG_LEVEL, VERSION};
use crate::visit::{self, URL_NEEDED};
use crate::{Abilities, Era, List, Message, rounds};
use trilithon_wire::json::{self, Kind, Splice, Value};

/// No such resource: a code that the second era does not have.
const NO_RESOURCE: i64 = -32002;

/// A message under another number, for a session that several messages share.
pub fn renumbered(message: &Message<'_>, body: &[u8], number: u64) -> Vec<u8> {
    let mut splice = Splice::new();
    if let Some(id) = &message.id {
        // There is one replacement.
        let _ = splice.replace(id.range(), number.to_string());
    }
    splice.apply(body)
}

/// An answer of a server of the first era as a client of the second takes it, who asked with `id` and `method` and can be asked
/// what its `abilities` say.
///
/// # Errors
/// It is no JSON, or says something twice.
pub fn modern_answer(
    doc: &[u8],
    id: &str,
    method: &str,
    abilities: impl FnOnce() -> Abilities,
) -> Result<Vec<u8>, json::Error> {
    let root = json::parse(doc)?;
    let [own, result, error] = root.fields(["id", "result", "error"])?;
    let code = error.as_ref().and_then(|error| error.get("code"));
    let number = code.as_ref().and_then(|code| code.raw().parse().ok());
    if let Some(error) = error.filter(|_| number == Some(URL_NEEDED) && rounds::may_ask(method))
        && let Some(asked) = visit::asked(&error, id, abilities())
    {
        return Ok(asked);
    }
    let mut splice = Splice::new();
    // What is set and replaced does not lie in each other.
    if let Some(own) = own {
        let _ = splice.replace(own.range(), id);
    }
    if let Some(result) = result.filter(|r| r.kind() == Kind::Object) {
        let mut add = |name: &str, value: &str| {
            if result.get(name).is_none() {
                let _ = splice.set(&result, name, value);
            }
        };
        add("resultType", "\"complete\"");
        if List::of(method).is_some() || method == "resources/read" {
            add("ttlMs", "0");
            add("cacheScope", "\"private\"");
        }
    }
    let other = match number {
        Some(NO_RESOURCE) => Some(INVALID_PARAMS),
        Some(URL_NEEDED) => Some(INTERNAL_ERROR),
        _ => None,
    };
    if let Some((code, other)) = code.zip(other) {
        let _ = splice.replace(code.range(), other.to_string());
    }
    Ok(splice.apply(doc))
}

/// A message of a client of the first era as a server of the second takes it: it says of itself what the client said when it opened its
/// session (`hello`, the parameters of `initialize`), and the `level` from which on it wants to be told, written as JSON.
///
/// # Errors
/// It is no JSON, or the place for that is taken by something else.
pub fn modern_request(body: &[u8], hello: &str, level: Option<&str>) -> Result<Vec<u8>, String> {
    let root = json::parse(body).map_err(|error| error.to_string())?;
    let hello = json::parse(hello.as_bytes()).map_err(|error| error.to_string())?;
    let raw = |name| hello.get(name).map(|value| value.raw());
    let version = format!("\"{}\"", Era::FIRST_MODERN);
    let said = [
        (VERSION, Some(&*version)),
        (CAPABILITIES, Some(raw("capabilities").unwrap_or("{}"))),
        (CLIENT_INFO, raw("clientInfo")),
        (LOG_LEVEL, level),
    ];
    let said: Vec<_> = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let meta = || {
        let members = said.iter().map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let mut splice = Splice::new();
    let params = root.get("params");
    let set = match (&params, params.as_ref().and_then(|p| p.get("_meta"))) {
        (None, _) => splice.set(&root, "params", &format!("{{\"_meta\":{}}}", meta())),
        (Some(params), None) => splice.set(params, "_meta", &meta()),
        (_, Some(own)) => said
            .iter()
            .try_for_each(|(name, value)| splice.set(&own, name, value)),
    };
    set.map_err(|_| "`params` or its `_meta` is no object".to_owned())?;
    Ok(splice.apply(body))
}

/// What a server of the second era wants to know before it answers: the questions by name, and what it wants to be reminded of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Name, method and parameters (JSON) of each.
    pub asked: Vec<(String, String, String)>,
    /// `requestState`, as it is written.
    pub state: Option<String>,
}

impl Questions {
    /// The questions in an answer; `None` for one that is an answer.
    pub fn read(doc: &[u8]) -> Option<Questions> {
        let root = json::parse(doc).ok()?;
        let result = root.get("result")?;
        let kind = result.get("resultType")?;
        if !kind.text()?.is("input_required") {
            return None;
        }
        let asked = result.get("inputRequests");
        let asked = asked
            .iter()
            .flat_map(Value::members)
            .filter_map(|(name, question)| {
                let method = question.get("method")?.text()?.to_str().into_owned();
                let params = question.get("params").map_or("{}", |p| p.raw());
                Some((name.to_str().into_owned(), method, params.to_owned()))
            });
        Some(Questions {
            asked: asked.collect(),
            state: result.get("requestState").map(|state| state.raw().to_owned()),
        })
    }

    /// The message once more, with the answers (JSON, by name).
    pub fn answered(&self, body: &[u8], answers: &[(String, String)]) -> Option<Vec<u8>> {
        let root = json::parse(body).ok()?;
        let params = root.get("params")?;
        let mut splice = Splice::new();
        let quoted = |name: &str| String::from_utf8(json::quote(name)).unwrap_or_default();
        let members = answers
            .iter()
            .map(|(name, answer)| format!("{}:{answer}", quoted(name)));
        let responses = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        splice.set(&params, "inputResponses", &responses).ok()?;
        if let Some(state) = &self.state {
            splice.set(&params, "requestState", state).ok()?;
        }
        Some(splice.apply(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn answers_for_the_second_era() {
        let can = || Abilities::read(json::parse(br#"{"elicitation":{"url":{}}}"#).ok().as_ref());
        let check = |method: &str, doc: &str, want: &str| {
            assert_eq!(
                text(modern_answer(doc.as_bytes(), "\"q\"", method, can).unwrap()),
                want,
                "{doc}"
            );
        };
        check(
            "tools/call",
            r#"{"jsonrpc":"2.0","id":77,"result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":"q","result":{"resultType":"complete","content":[]}}"#,
        );
        check(
            "resources/read",
            r#"{"id":77,"result":{"contents":[],"ttlMs":4}}"#,
            r#"{"id":"q","result":{"resultType":"complete","cacheScope":"private","contents":[],"ttlMs":4}}"#,
        );
        check(
            "resources/read",
            r#"{"id":77,"error":{"code":-32002,"message":"no"}}"#,
            r#"{"id":"q","error":{"code":-32602,"message":"no"}}"#,
        );
        check(
            "tools/call",
            r#"{"id":77,"error":{"code":-32042,"message":"look"}}"#,
            r#"{"id":"q","error":{"code":-32603,"message":"look"}}"#,
        );
        let pages = r#"{"id":77,"error":{"code":-32042,"message":"look","data":{"elicitations":[{"mode":"url","url":"u","message":"m"}]}}}"#;
        check(
            "tools/call",
            pages,
            r#"{"jsonrpc":"2.0","id":"q","result":{"resultType":"input_required","inputRequests":{"page1":{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"u"}}}}}"#,
        );
        // Where nothing may be asked it stays an error.
        check(
            "completion/complete",
            pages,
            &pages.replace("77", "\"q\"").replace("-32042", "-32603"),
        );
        assert!(modern_answer(br#"{"id":1,"id":2}"#, "1", "tools/call", can).is_err());
    }

    #[test]
    fn messages_for_the_second_era() {
        const HELLO: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}},"clientInfo":{"name":"c","version":"1"}}"#;
        const META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}"#;
        let check = |doc: &str, want: &str| {
            assert_eq!(
                text(modern_request(doc.as_bytes(), HELLO, None).unwrap()),
                want,
                "{doc}"
            );
        };
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            &format!(r#"{{"params":{{"_meta":{{{META}}}}},"jsonrpc":"2.0","id":1,"method":"tools/list"}}"#),
        );
        check(
            r#"{"params":{"name":"a"}}"#,
            &format!(r#"{{"params":{{"_meta":{{{META}}},"name":"a"}}}}"#),
        );
        check(
            r#"{"params":{"_meta":{"progressToken":1}}}"#,
            &format!(r#"{{"params":{{"_meta":{{{META},"progressToken":1}}}}}}"#),
        );
        assert!(modern_request(br#"{"params":{"_meta":7}}"#, HELLO, None).is_err());
        let told = modern_request(br#"{"params":{"_meta":{}}}"#, HELLO, Some("\"info\"")).unwrap();
        let want =
            format!(r#"{{"params":{{"_meta":{{{META},"io.modelcontextprotocol/logLevel":"info"}}}}}}"#);
        assert_eq!(text(told), want);
        let message = r#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#;
        let renumbered = renumbered(&Message::read(message.as_bytes()).unwrap(), message.as_bytes(), 9);
        assert_eq!(text(renumbered), r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#);
    }

    #[test]
    fn who_has_not_said_who_it_is() {
        let told = modern_request(br#"{"params":{}}"#, "{}", None).unwrap();
        let want = r#"{"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
        assert_eq!(text(told), want);
    }

    #[test]
    fn questions_are_read_and_answered() {
        let doc = br#"{"id":1,"result":{"resultType":"input_required","inputRequests":{"name":{"method":"elicitation/create","params":{"message":"?"}},"roots":{"method":"roots/list"}},"requestState":"s"}}"#;
        let questions = Questions::read(doc).unwrap();
        let own =
            |name: &str, method: &str, params: &str| (name.to_owned(), method.to_owned(), params.to_owned());
        let want = vec![
            own("name", "elicitation/create", r#"{"message":"?"}"#),
            own("roots", "roots/list", "{}"),
        ];
        assert_eq!(
            (&questions.asked, questions.state.as_deref()),
            (&want, Some("\"s\""))
        );
        let again = questions.answered(
            br#"{"id":1,"params":{"name":"t","requestState":"old"}}"#,
            &[("name".to_owned(), r#"{"action":"accept"}"#.to_owned())],
        );
        assert_eq!(
            text(again.unwrap()),
            r#"{"id":1,"params":{"inputResponses":{"name":{"action":"accept"}},"name":"t","requestState":"s"}}"#
        );
        assert_eq!(
            Questions::read(br#"{"id":1,"result":{"resultType":"complete"}}"#),
            None
        );
        assert_eq!(Questions::read(br#"{"id":1,"result":{}}"#), None);
    }
}
