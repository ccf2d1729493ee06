//! Errors that end a stream, as clients of a dialect expect them: a client that was not told would take what came for all.

use super::deny::push_event;
use super::{Dialect, error};
use serde_json::json;

/// What is known of a stream that broke off.
#[derive(Clone, Copy, Debug)]
pub struct Broken<'a> {
    /// The status that the failure would have had before the head.
    pub status: u16,
    /// For the client.
    pub message: &'a str,
    /// As the stream named itself, if it did.
    pub id: Option<&'a str>,
    /// The model; empty when it was not named.
    pub model: &'a str,
    /// Now, in seconds since 1970.
    pub created: u64,
    /// Events that came before.
    pub events: u64,
}

pub(super) fn event(dialect: Dialect, broken: &Broken<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let told = error::value(dialect, broken.status, broken.message, None);
    let (name, data) = match (dialect, broken.id) {
        (Dialect::Chat, _) => (None, told),
        (Dialect::Messages, _) => (Some("error"), told),
        (Dialect::Responses, Some(id)) => {
            let response = json!({
                "id": id, "object": "response", "created_at": broken.created, "status": "failed",
                "error": { "code": "server_error", "message": broken.message },
                "incomplete_details": null, "model": broken.model, "output": [], "usage": null,
            });
            let failed =
                json!({ "type": "response.failed", "response": response, "sequence_number": broken.events });
            (Some("response.failed"), failed)
        }
        (Dialect::Responses, None) => {
            let error = json!({
                "type": "error", "code": "server_error", "message": broken.message, "param": null,
                "sequence_number": broken.events,
            });
            (Some("error"), error)
        }
    };
    push_event(&mut out, name, &data);
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Course, EventKind};
    use super::*;
    use trilithon_wire::sse::Frames;

    fn check(dialect: Dialect, id: Option<&str>, name: Option<&str>, part: &str) {
        let event = dialect.broken(&Broken {
            status: 502,
            message: "broke \"off\"",
            id,
            model: "m",
            created: 7,
            events: 3,
        });
        let frame = Frames::new(1 << 16).next(&event).unwrap().expect("a frame");
        assert_eq!(frame.len, event.len());
        assert_eq!(frame.event(&event), name.map(str::as_bytes), "{dialect:?}");
        let data = frame.data(&event);
        let text = String::from_utf8_lossy(&data);
        assert!(text.contains(part) && text.contains(r#"broke \"off\""#), "{text}");
        let read = dialect.event(&data).unwrap();
        assert_eq!(read.kind, EventKind::Error, "{dialect:?}");
        let mut course = Course::default();
        course.note(&read);
        assert!(course.is_whole(dialect), "nobody adds a second one");
    }

    #[test]
    fn each_dialect_has_its_own() {
        check(Dialect::Chat, Some("c"), None, r#"{"error":{"#);
        check(
            Dialect::Messages,
            Some("c"),
            Some("error"),
            r#""type":"api_error""#,
        );
        check(
            Dialect::Responses,
            Some("r"),
            Some("response.failed"),
            r#""id":"r""#,
        );
        check(Dialect::Responses, None, Some("error"), r#""sequence_number":3"#);
    }
}
