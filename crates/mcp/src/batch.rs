//! Several messages in one request, as revisions before 2025-06-18 have them: an array, whose messages are decided on one by one.

use crate::message::{Invalid, is_id};
use crate::{Era, error};
use std::collections::BTreeSet;
use std::ops::Range;
use trilithon_wire::json::{self, Kind, Value, alike};

/// Messages that one request may have.
const MAX_MESSAGES: usize = 64;
/// The last revision with batches.
const LAST_WITH_BATCHES: &str = "2025-03-26";

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands.
    pub range: Range<usize>,
    /// Its `id`, as it is written; `None` for a notification.
    pub id: Option<Box<str>>,
}

/// Whether a client that names this revision may send batches. One that names none is of a revision that has no such header.
pub fn may_come(version: Option<&[u8]>) -> bool {
    let is_early = |version: &[u8]| {
        let mut early = Era::LEGACY.iter().filter(|known| **known <= LAST_WITH_BATCHES);
        early.any(|known| known.as_bytes() == version)
    };
    version.is_none_or(is_early)
}

/// The messages of a body; `None` for one that is no array.
///
/// # Errors
/// It is no JSON, or holds no message, too many, something that is none, `initialize`, or two with the same `id`.
pub fn parts(body: &[u8]) -> Option<Result<Vec<Part>, Invalid>> {
    let is_array = body.trim_ascii_start().first() == Some(&b'[');
    is_array.then(|| read(body))
}

fn read(body: &[u8]) -> Result<Vec<Part>, Invalid> {
    let refuse = |code: i64, message: String| Invalid {
        code,
        message,
        id: None,
    };
    let root = json::parse(body).map_err(|error| refuse(error::PARSE_ERROR, format!("no JSON: {error}")))?;
    let refuse = |message: &str| refuse(error::INVALID_REQUEST, message.to_owned());
    let mut parts = Vec::new();
    let mut ids = BTreeSet::new();
    for message in root.items() {
        if parts.len() == MAX_MESSAGES {
            return Err(refuse("more than 64 messages at once"));
        }
        if message.kind() != Kind::Object {
            return Err(refuse("a message is an object"));
        }
        if opens_a_session(&message) {
            return Err(refuse(
                "`initialize` is not taken with other messages: send it alone",
            ));
        }
        let is_asked = message.get("method").is_some();
        let id: Option<Box<str>> = message.get("id").filter(is_id).map(|id| id.raw().into());
        if let Some(id) = id.as_ref().filter(|_| is_asked)
            && !ids.insert(id.clone())
        {
            return Err(refuse("two messages have the same `id`"));
        }
        parts.push(Part {
            range: message.range(),
            id: id.filter(|_| is_asked),
        });
    }
    match parts.is_empty() {
        true => Err(refuse("there is no message")),
        false => Ok(parts),
    }
}

/// Whether any reader takes it for `initialize`.
fn opens_a_session(message: &Value<'_>) -> bool {
    let is_method = |name: &str| alike(name, "method");
    let mut members = message.members();
    members.any(|(name, value)| is_method(&name.to_str()) && value.text().is_some_and(|t| t.is("initialize")))
}

/// One answer to several messages: an array. Nothing, where none of them is answered.
pub fn joined(answers: &[Vec<u8>]) -> Vec<u8> {
    match answers.is_empty() {
        true => Vec::new(),
        false => [b"[", &*answers.join(&b","[..]), b"]"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_send_them() {
        let check = |version: Option<&str>, want: bool| {
            assert_eq!(may_come(version.map(str::as_bytes)), want, "{version:?}");
        };
        check(None, true);
        check(Some("2024-11-05"), true);
        check(Some("2025-03-26"), true);
        for version in ["2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01", "", "x"] {
            check(Some(version), false);
        }
    }

    #[test]
    fn messages_are_found() {
        assert_eq!(parts(br#"{"id":1,"method":"ping"}"#), None);
        assert_eq!(parts(b"no JSON"), None);
        let body = r#" [{"id":1,"method":"ping"}, {"method":"n"},{"id":"a","result":{}} ]"#;
        let found = parts(body.as_bytes()).unwrap().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|part| (&body[part.range.clone()], part.id.as_deref()))
            .collect();
        let want = [
            (r#"{"id":1,"method":"ping"}"#, Some("1")),
            (r#"{"method":"n"}"#, None),
            // Nobody answers an answer.
            (r#"{"id":"a","result":{}}"#, None),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn what_is_no_batch() {
        let check = |body: &str, part: &str| {
            let error = parts(body.as_bytes()).unwrap().unwrap_err();
            assert!(error.message.contains(part), "{body}: {error}");
        };
        check("[", "no JSON");
        check("[]", "there is no message");
        check("[1]", "a message is an object");
        check("[[]]", "a message is an object");
        check(r#"[{"id":1,"method":"initialize"}]"#, "`initialize` is not taken");
        check(
            r#"[{"id":1,"method":"ping","Method":"initialize"}]"#,
            "`initialize` is not taken",
        );
        check(
            r#"[{"id":1,"method":"a"},{"id":1,"method":"b"}]"#,
            "the same `id`",
        );
        check(&format!("[{}]", vec!["{}"; 65].join(",")), "more than 64");
    }

    #[test]
    fn answers_are_joined() {
        assert_eq!(joined(&[]), b"");
        assert_eq!(
            joined(&[b"{}".to_vec(), b"{\"a\":1}".to_vec()]),
            b"[{},{\"a\":1}]"
        );
    }
}
