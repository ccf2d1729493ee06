//! Pages that a user has to look at before a call can be answered. Servers of revision 2025-11-25 may say so by an error
//! (`URLElicitationRequiredError`, -32042), after which a client repeats the call by itself; later revisions have no such error, but
//! ask (`elicitation/create`, mode `url`) in the place of a result.

use crate::rounds::{Question, input_required};
use crate::{Abilities, Message, error};
use trilithon_wire::json::{self, Splice, Value, quote};

/// The error that says so.
pub const URL_NEEDED: i64 = -32042;
/// Pages of one error that are asked for.
const MOST_PAGES: usize = 16;
const METHOD: &str = "elicitation/create";

/// The answer to a client of the second era for such an `error` of a server of the first: the pages as questions, or that the client
/// did not say that it can be asked. `None` for one that names no page.
pub fn asked(error: &Value<'_>, id: &str, abilities: Abilities) -> Option<Vec<u8>> {
    let pages = error.get("data")?.get("elicitations")?;
    let questions: Vec<Question> = pages
        .items()
        .take(MOST_PAGES)
        .enumerate()
        .filter_map(page)
        .collect();
    let first = questions.first()?;
    let params = json::parse(first.params.as_bytes()).ok();
    Some(match abilities.take(METHOD, params.as_ref()) {
        true => input_required(id, &questions, None),
        false => error::missing_capability(Some(id), Abilities::needed(METHOD, params.as_ref())),
    })
}

/// A page as a question. Its number at the server is for notifications that later revisions do not have.
fn page((at, page): (usize, Value<'_>)) -> Option<Question> {
    let is_url = page.get("mode")?.text()?.is("url");
    let text = |name| page.get(name).filter(|value| value.text().is_some());
    let (message, url) = (text("message")?, text("url")?);
    is_url.then(|| Question {
        name: format!("page{}", at + 1).into(),
        id: "".into(),
        method: METHOD.into(),
        params: format!(
            r#"{{"mode":"url","message":{},"url":{}}}"#,
            message.raw(),
            url.raw()
        )
        .into(),
    })
}

/// Whether a repeated call says that its user did not look at a page: the server need not be asked again.
pub fn is_declined(message: &Message<'_>) -> bool {
    let given = message.params().and_then(|params| params.get("inputResponses"));
    let accepts = |answer: &Value<'_>| {
        let action = answer.get("action");
        action
            .and_then(|action| action.text())
            .is_some_and(|action| action.is("accept"))
    };
    given.is_some_and(|given| given.members().any(|(_, answer)| !accepts(&answer)))
}

/// The parameters of a question of a server of the second era as a client of the first takes them: there each page has a number.
pub fn numbered(method: &str, params: &str, number: u64) -> Option<String> {
    let root = (method == METHOD).then(|| json::parse(params.as_bytes()).ok())??;
    let is_url = root.get("mode")?.text()?.is("url");
    if !is_url || root.get("elicitationId").is_some() {
        return None;
    }
    let mut splice = Splice::new();
    let quoted = String::from_utf8(quote(&number.to_string())).ok()?;
    splice.set(&root, "elicitationId", &quoted).ok()?;
    String::from_utf8(splice.apply(params.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: &str = r#"{"elicitations":[{"mode":"url","elicitationId":"7","url":"https://a.test/?x","message":"Sign \"in\"","more":1},{"mode":"form"},{"mode":"url","url":7,"message":"m"},{"mode":"url","url":"https://b.test","message":"m"}]}"#;

    #[test]
    fn pages_are_questions() {
        let check = |data: &str, said: &str, want: Option<&str>| {
            let doc = format!(r#"{{"code":-32042,"data":{data}}}"#);
            let said = json::parse(said.as_bytes()).unwrap();
            let got = asked(
                &json::parse(doc.as_bytes()).unwrap(),
                "1",
                Abilities::read(Some(&said)),
            );
            let got = got.map(|doc| String::from_utf8(doc).unwrap());
            assert_eq!(got.as_deref(), want, "{data}");
        };
        let url = r#"{"elicitation":{"url":{}}}"#;
        check(
            PAGES,
            url,
            Some(
                r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"page1":{"method":"elicitation/create","params":{"mode":"url","message":"Sign \"in\"","url":"https://a.test/?x"}},"page4":{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://b.test"}}}}}"#,
            ),
        );
        check(
            PAGES,
            r#"{"elicitation":{}}"#,
            Some(
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"Missing required client capability","data":{"requiredCapabilities":{"elicitation":{"url":{}}}}}}"#,
            ),
        );
        for none in [
            "7",
            "{}",
            r#"{"elicitations":[]}"#,
            r#"{"elicitations":[7,{"mode":"form"}]}"#,
        ] {
            check(none, url, None);
        }
    }

    #[test]
    fn who_does_not_look_is_not_asked_again() {
        let check = |given: &str, want: bool| {
            let doc =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t"{given}}}}}"#);
            assert_eq!(
                is_declined(&Message::read(doc.as_bytes()).unwrap()),
                want,
                "{given}"
            );
        };
        check("", false);
        check(r#","inputResponses":{}"#, false);
        check(r#","inputResponses":{"page1":{"action":"accept"}}"#, false);
        check(
            r#","inputResponses":{"page1":{"action":"accept"},"page2":{"action":"decline"}}"#,
            true,
        );
        check(r#","inputResponses":{"page1":7}"#, true);
    }

    #[test]
    fn pages_have_numbers_in_the_first_era() {
        let check = |method: &str, params: &str, want: Option<&str>| {
            assert_eq!(numbered(method, params, 9).as_deref(), want, "{params}");
        };
        check(
            METHOD,
            r#"{"mode":"url","url":"u"}"#,
            Some(r#"{"elicitationId":"9","mode":"url","url":"u"}"#),
        );
        check(METHOD, r#"{"mode":"url","elicitationId":"1"}"#, None);
        check(METHOD, r#"{"mode":"form"}"#, None);
        check(METHOD, "{}", None);
        check("sampling/createMessage", r#"{"mode":"url"}"#, None);
    }
}
