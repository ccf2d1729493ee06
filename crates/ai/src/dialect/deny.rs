//! Answers of the gateway's own that look like a model's.

/// What is said in place of a model.
#[derive(Clone, Copy, Debug)]
pub struct Denial<'a> {
    /// The text of the answer.
    pub message: &'a str,
    /// The model that was asked for; empty when none was named.
    pub model: &'a str,
    /// The client asked for a stream.
    pub stream: bool,
    /// Now, in seconds since 1970.
    pub created: u64,
    /// Makes the answer's id one of its own.
    pub nonce: u64,
}

/// Adds an event to a stream.
pub(super) fn push_event(out: &mut Vec<u8>, name: Option<&str>, data: &serde_json::Value) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, EventKind};
    use super::*;
    use trilithon_flow::Channel;
    use trilithon_wire::sse::Frames;

    const DENIAL: Denial<'_> = Denial {
        message: "not \"that\"",
        model: "m",
        stream: false,
        created: 7,
        nonce: 1,
    };

    #[test]
    fn it_reads_as_an_answer() {
        for dialect in Dialect::ALL {
            let body = dialect.denial(&DENIAL);
            let answer = dialect.answer(&body).unwrap();
            assert!(answer.id.unwrap().ends_with("_0000000000000001") || dialect == Dialect::Chat);
            assert_eq!(
                (answer.model.as_deref(), answer.finish_reasons.len()),
                (Some("m"), 1),
                "{dialect:?}"
            );
            assert_eq!(
                (answer.slots.len(), answer.slots[0].channel),
                (1, Channel::Assistant)
            );
            assert_eq!(&body[answer.slots[0].range.clone()], br#"not \"that\""#);
            assert_eq!(dialect.usage(answer.reported).unwrap().total(), 0);
        }
    }

    #[test]
    fn it_reads_as_a_stream() {
        for dialect in Dialect::ALL {
            let stream = dialect.denial(&Denial {
                stream: true,
                ..DENIAL
            });
            let (mut rest, mut cut, mut text) = (&stream[..], Frames::new(1 << 16), String::new());
            let (mut finished, mut last) = (0, EventKind::Other);
            while let Some(frame) = cut.next(rest).unwrap() {
                let data = frame.data(rest);
                let event = dialect.event(&data).unwrap();
                let told = event.deltas.iter().filter(|d| !d.restates);
                told.for_each(|d| text += std::str::from_utf8(&data[d.range.clone()]).unwrap());
                finished += event.finish.len();
                last = event.kind;
                rest = &rest[frame.len..];
            }
            assert!(rest.is_empty(), "{dialect:?}");
            assert_eq!(
                (text.as_str(), finished, last),
                (r#"not \"that\""#, 1, EventKind::Done),
                "{dialect:?}"
            );
        }
    }
}
