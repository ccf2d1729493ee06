//! How far a stream has come.

use super::{Dialect, Event, EventKind};

/// Takes note of the events of a stream, to know at its end whether it was whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// Choices that said something, and those that ended, a bit for each.
    begun: u128,
    ended: u128,
    over: bool,
    events: u64,
}

impl Course {
    pub fn note(&mut self, event: &Event<'_>) {
        self.events += 1;
        self.over |= matches!(event.kind, EventKind::Done | EventKind::Error);
        for delta in &event.deltas {
            self.begun |= bit(delta.choice);
        }
        for (choice, _) in &event.finish {
            self.ended |= bit(*choice);
        }
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Whether nothing is missing: the last event came, or an error that the server told of itself. Chat Completions are
    /// also whole when each choice has ended: not every vendor sends `[DONE]`.
    pub fn is_whole(&self, dialect: Dialect) -> bool {
        let choices_ended = self.ended != 0 && self.begun & !self.ended == 0;
        self.over || (dialect == Dialect::Chat && choices_ended)
    }
}

/// Choices beyond those that can be asked for are one.
fn bit(choice: u32) -> u128 {
    1 << choice.min(127)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: Dialect, events: &[&str], want: bool) {
        let mut course = Course::default();
        for data in events {
            course.note(&dialect.event(data.as_bytes()).unwrap());
        }
        assert_eq!(course.is_whole(dialect), want, "{dialect:?} {events:?}");
        assert_eq!(course.events(), events.len() as u64);
    }

    #[test]
    fn what_is_whole() {
        let says = r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#;
        let ends = |n| format!(r#"{{"choices":[{{"index":{n},"delta":{{}},"finish_reason":"stop"}}]}}"#);
        let (first, second) = (&*ends(0), &*ends(1));
        check(Dialect::Chat, &[], false);
        check(Dialect::Chat, &[says], false);
        check(Dialect::Chat, &[says, "[DONE]"], true);
        check(Dialect::Chat, &[says, first], false);
        check(Dialect::Chat, &[says, first, second], true);
        check(Dialect::Chat, &[says, r#"{"error":{}}"#], true);

        let stopped = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
        check(Dialect::Messages, &[stopped], false);
        check(Dialect::Messages, &[stopped, "[DONE]"], false);
        check(Dialect::Messages, &[stopped, r#"{"type":"message_stop"}"#], true);
        check(Dialect::Messages, &[r#"{"type":"error","error":{}}"#], true);

        check(Dialect::Responses, &[r#"{"type":"response.created"}"#], false);
        check(Dialect::Responses, &["[DONE]"], false);
        for last in ["completed", "incomplete", "failed"] {
            check(
                Dialect::Responses,
                &[&format!(r#"{{"type":"response.{last}"}}"#)],
                true,
            );
        }
        check(Dialect::Responses, &[r#"{"type":"error"}"#], true);
    }
}
