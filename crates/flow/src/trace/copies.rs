//! The place in a trace told once more, in headers of the operator's choice: for servers that read none of the formats.

use super::propagate::Remote;
use super::w3c;
use crate::Headers;

/// The headers; a part without one is told by none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    pub parent_id: Option<Box<str>>,
    pub trace_id: Option<Box<str>>,
    pub trace_parent: Option<Box<str>>,
    pub trace_state: Option<Box<str>>,
}

impl Copies {
    /// Writes them in place of what a client may have sent.
    pub(super) fn write(&self, headers: &mut Headers, place: &Remote, state: Option<&str>) {
        if let Some(name) = &self.parent_id {
            headers.set(&**name, place.span.text());
        }
        if let Some(name) = &self.trace_id {
            headers.set(&**name, place.trace.text());
        }
        if let Some(name) = &self.trace_parent {
            let sampled = place.sampled == Some(true);
            headers.set(&**name, w3c::parent_text(place.trace, place.span, sampled));
        }
        if let Some(name) = &self.trace_state {
            match state {
                Some(state) => headers.set(&**name, state),
                None => drop(headers.remove(&**name)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SpanId, TraceId};
    use super::*;

    #[test]
    fn what_is_written() {
        let copies = Copies {
            parent_id: Some("X-Parent".into()),
            trace_id: Some("X-Trace".into()),
            trace_parent: Some("X-Both".into()),
            trace_state: Some("X-State".into()),
        };
        let place = Remote {
            trace: TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
            span: SpanId::parse(b"00f067aa0ba902b7").unwrap(),
            sampled: Some(true),
            state: None,
        };
        let check = |copies: &Copies, state: Option<&str>, want: &[(&str, &str)]| {
            let mut headers: Headers = [("X-Trace", "forged"), ("X-State", "forged"), ("X-Other", "o")]
                .into_iter()
                .collect();
            copies.write(&mut headers, &place, state);
            for (name, value) in want {
                assert_eq!(headers.get_str(name).unwrap_or_default(), *value, "{name}");
            }
        };
        let both = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ids = [
            ("X-Parent", "00f067aa0ba902b7"),
            ("X-Trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("X-Both", both),
            ("X-Other", "o"),
        ];
        check(
            &copies,
            Some("ours=1"),
            &[&ids[..], &[("X-State", "ours=1")]].concat(),
        );
        check(&copies, None, &[&ids[..], &[("X-State", "")]].concat());
        check(
            &Copies::default(),
            None,
            &[("X-Trace", "forged"), ("X-Parent", "")],
        );
    }
}
