//! The rounds of one call (revision 2026-07-28, "Multi Round-Trip Requests"): what a server of the first era asks while a call is
//! under way, asked of a client of the second in the place of a result; and what that client answers when it repeats the call.

use crate::error::{INVALID_PARAMS, METHOD_NOT_FOUND};
use crate::{Abilities, Invalid, Message, error};
use trilithon_wire::contains;
use trilithon_wire::json::{self, Kind, Value, quote};

/// Methods that may be answered with questions.
pub fn may_ask(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

/// A question of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the client knows it by.
    pub name: Box<str>,
    /// The server's number, as it is written.
    pub id: Box<str>,
    pub method: Box<str>,
    /// As JSON.
    pub params: Box<str>,
}

impl Question {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.name.len() + self.id.len() + self.method.len() + self.params.len()
    }

    /// The server's question answered with a result, as JSON.
    pub fn answer(&self, result: &str) -> Vec<u8> {
        answer(&self.id, result)
    }
}

/// A question with this number answered with a result, as JSON.
pub fn answer(id: &str, result: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()
}

/// The answer to a question that the client cannot be asked.
pub fn refusal(id: &str) -> Vec<u8> {
    error::body(Some(id), METHOD_NOT_FOUND, "the client cannot be asked this")
}

/// The answer to the client's message `id`: it is to answer these and repeat the message, with the state where there is one.
pub fn input_required(id: &str, questions: &[Question], state: Option<&str>) -> Vec<u8> {
    let text = |text: &str| String::from_utf8(quote(text)).unwrap_or_default();
    let asked = questions.iter().map(|question| {
        let (name, method) = (text(&question.name), text(&question.method));
        match &*question.params {
            "" => format!(r#"{name}:{{"method":{method}}}"#),
            params => format!(r#"{name}:{{"method":{method},"params":{params}}}"#),
        }
    });
    let asked = asked.collect::<Vec<_>>().join(",");
    let state = state.map(|state| format!(r#","requestState":{}"#, text(state)));
    let state = state.unwrap_or_default();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","inputRequests":{{{asked}}}{state}}}}}"#
    )
    .into_bytes()
}

/// What a client with these abilities would need to be asked what an answer asks (`inputRequests`), as JSON; `None` when it can be.
pub fn undeclared(doc: &[u8], abilities: impl FnOnce() -> Abilities) -> Option<&'static str> {
    // Few answers ask for anything.
    let root = contains(doc, b"inputRequests").then(|| json::parse(doc).ok())??;
    let asked = root.get("result")?.get("inputRequests")?;
    let abilities = abilities();
    asked.members().find_map(|(_, question)| {
        let method = question.get("method").and_then(|method| method.text());
        let method = method.map(|method| method.to_str()).unwrap_or_default();
        let params = question.get("params");
        let can = abilities.take(&method, params.as_ref());
        (!can).then(|| Abilities::needed(&method, params.as_ref()))
    })
}

/// What a message answers, by name (`inputResponses`); as JSON.
///
/// # Errors
/// It is no object of objects.
pub fn responses(message: &Message<'_>) -> Result<Vec<(String, String)>, Invalid> {
    let given = message.params().and_then(|params| params.get("inputResponses"));
    let objects = |value: &Value<'_>| value.kind() == Kind::Object;
    let well = given
        .as_ref()
        .is_none_or(|given| objects(given) && given.members().all(|(_, value)| objects(&value)));
    if !well {
        return Err(Invalid {
            code: INVALID_PARAMS,
            message: "`params.inputResponses` is no object that has an object for each question".to_owned(),
            id: message.id.as_ref().map(|id| id.raw().to_owned()),
        });
    }
    let given = given.iter().flat_map(Value::members);
    Ok(given
        .map(|(name, value)| (name.to_str().into_owned(), value.raw().to_owned()))
        .collect())
}

/// What a server of the first era says while it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// It answers.
    Answer,
    /// It asks whether anybody is there, with this number.
    Ping(Box<str>),
    /// It asks something of the client; the name is not known yet.
    Question(Question),
    /// It does not want to know any more what it asked with this number.
    Withdrawn(Box<str>),
    /// It tells something, by this method.
    Notification(Box<str>),
}

/// Reads what a server says.
///
/// # Errors
/// It is no JSON, or says something twice.
pub fn saying(doc: &[u8]) -> Result<Saying, json::Error> {
    let root = json::parse(doc)?;
    let [id, method, params] = root.fields(["id", "method", "params"])?;
    let Some(method) = method else {
        return Ok(Saying::Answer);
    };
    let method = method.text().map(|m| m.to_str().into_owned()).unwrap_or_default();
    Ok(match (&*method, id) {
        ("ping", Some(id)) => Saying::Ping(id.raw().into()),
        (_, Some(id)) => Saying::Question(Question {
            name: "".into(),
            id: id.raw().into(),
            method: method.into(),
            params: params.map_or("", |params| params.raw()).into(),
        }),
        ("notifications/cancelled", None) => {
            let number = params.and_then(|params| params.get("requestId"));
            Saying::Withdrawn(number.map_or("", |number| number.raw()).into())
        }
        (_, None) => Saying::Notification(method.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question {
            name: "q1".into(),
            id: "7".into(),
            method: "elicitation/create".into(),
            params: r#"{"message":"?"}"#.into(),
        }
    }

    #[test]
    fn what_servers_say() {
        let check = |doc: &str, want: Saying| assert_eq!(saying(doc.as_bytes()).unwrap(), want, "{doc}");
        check(r#"{"id":1,"result":{}}"#, Saying::Answer);
        check(r#"{"id":1,"error":{}}"#, Saying::Answer);
        check(r#"{"id":"p","method":"ping"}"#, Saying::Ping("\"p\"".into()));
        check(
            r#"{"method":"notifications/cancelled","params":{"requestId":7}}"#,
            Saying::Withdrawn("7".into()),
        );
        check(
            r#"{"method":"notifications/progress","params":{}}"#,
            Saying::Notification("notifications/progress".into()),
        );
        let asked = Question {
            name: "".into(),
            ..question()
        };
        check(
            r#"{"id":7,"method":"elicitation/create","params":{"message":"?"}}"#,
            Saying::Question(asked),
        );
        assert!(saying(br#"{"id":1,"id":2}"#).is_err());
    }

    #[test]
    fn questions_are_asked_and_answered() {
        let roots = Question {
            name: "q2".into(),
            method: "roots/list".into(),
            params: "".into(),
            ..question()
        };
        assert_eq!(
            String::from_utf8(input_required("\"c\"", &[question(), roots], Some("s"))).unwrap(),
            r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"q1":{"method":"elicitation/create","params":{"message":"?"}},"q2":{"method":"roots/list"}},"requestState":"s"}}"#
        );
        assert_eq!(
            String::from_utf8(question().answer(r#"{"action":"accept"}"#)).unwrap(),
            r#"{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}"#
        );
    }

    #[test]
    fn nobody_is_asked_what_it_did_not_declare() {
        let check = |asked: &str, want: Option<&str>| {
            let doc = format!(r#"{{"id":1,"result":{{"inputRequests":{{{asked}}}}}}}"#);
            let said = json::parse(br#"{"elicitation":{},"sampling":{}}"#).unwrap();
            let needed = undeclared(doc.as_bytes(), || Abilities::read(Some(&said)));
            assert_eq!(needed, want, "{asked}");
        };
        let form = r#""a":{"method":"elicitation/create","params":{"mode":"form"}}"#;
        check(form, None);
        check(r#""a":{"method":"elicitation/create"}"#, None);
        check("", None);
        check(
            &format!(r#"{form},"b":{{"method":"roots/list"}}"#),
            Some(r#"{"roots":{}}"#),
        );
        check(
            r#""a":{"method":"elicitation/create","params":{"mode":"url"}}"#,
            Some(r#"{"elicitation":{"url":{}}}"#),
        );
        check(
            r#""a":{"method":"sampling/createMessage","params":{"tools":[]}}"#,
            Some(r#"{"sampling":{"tools":{}}}"#),
        );
        check(r#""a":{"method":"shell/run"}"#, Some("{}"));
        check(r#""a":7"#, Some("{}"));
        let text = br#"{"id":1,"result":{"content":[{"text":"inputRequests"}]}}"#;
        assert_eq!(undeclared(text, || panic!("nothing is asked")), None);
    }

    #[test]
    fn answers_are_read() {
        let check = |given: &str, want: Option<&[(&str, &str)]>| {
            let doc =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t"{given}}}}}"#);
            let read = responses(&Message::read(doc.as_bytes()).unwrap());
            let read = read.inspect_err(|invalid| assert_eq!(invalid.code, INVALID_PARAMS));
            let want =
                want.map(|want| Vec::from_iter(want.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))));
            assert_eq!(read.ok(), want, "{given}");
        };
        check("", Some(&[]));
        check(
            r#","inputResponses":{"q1":{"a":1}}"#,
            Some(&[("q1", r#"{"a":1}"#)]),
        );
        check(r#","inputResponses":{"q1":7}"#, None);
        check(r#","inputResponses":[]"#, None);
    }
}
