//! Where a client is in a stream, in the `id` of its events: with it a stream is taken up again where it broke off
//! (revision 2025-11-25, "Resumability and Redelivery").

use crate::message::is_id;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use trilithon_wire::json;

/// Which kind of stream it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The answer to one message, of one server: the message's `id`, as it is written.
    Answer(Box<str>),
    /// What is listened to beside: of all servers.
    Listening,
}

/// A place in a stream: the last event of each server in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventId {
    pub stream: Stream,
    /// The server's name -> the id that it gave its event. Header values, so that they can be sent back.
    pub seen: BTreeMap<Box<str>, Box<str>>,
    /// Where it is kept by the gateway too.
    pub kept: Option<Kept>,
}

/// A place in what the gateway keeps of a stream itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The number of the stream, made by chance.
    pub stream: u64,
    /// The number of the last event, from 0 on.
    pub event: u64,
}

impl Kept {
    fn read(text: &str) -> Option<Kept> {
        let (stream, event) = text.split_once('.')?;
        Some(Kept {
            stream: u64::from_str_radix(stream, 16).ok()?,
            event: event.parse().ok()?,
        })
    }
}

impl EventId {
    pub fn new(stream: Stream) -> EventId {
        EventId {
            stream,
            seen: BTreeMap::new(),
            kept: None,
        }
    }

    /// Takes note of an event; false for an id that no header can hold, with which nobody could come back.
    pub fn see(&mut self, server: &str, id: &[u8]) -> bool {
        match header_value(id) {
            Some(id) => {
                self.seen.insert(server.into(), id.into());
                true
            }
            None => false,
        }
    }

    /// `l,files=MTI,mail=OQ`; `aNw,files=MTI` in the answer to message 7, and `aNw.1f.3` for event 3 of it where the gateway keeps it.
    pub fn write(&self) -> String {
        let mut text = match &self.stream {
            Stream::Answer(id) => format!("a{}", BASE64.encode(&**id)),
            Stream::Listening => "l".to_owned(),
        };
        if let Some(kept) = self.kept {
            // Writing to a text does not fail.
            let _ = write!(text, ".{:x}.{}", kept.stream, kept.event);
        }
        for (server, id) in &self.seen {
            text.push(',');
            text.push_str(server);
            text.push('=');
            BASE64.encode_string(&**id, &mut text);
        }
        text
    }

    /// Reads what a client comes back with; `None` for what is none.
    pub fn read(text: &str) -> Option<EventId> {
        let mut parts = text.split(',');
        let first = parts.next()?;
        let (stream, kept) = match first.split_once('.') {
            Some((stream, kept)) => (stream, Some(Kept::read(kept)?)),
            None => (first, None),
        };
        let stream = match stream.split_at_checked(1)? {
            ("a", id) => Stream::Answer(message_id(id)?),
            ("l", "") => Stream::Listening,
            _ => return None,
        };
        let mut id = EventId {
            kept,
            ..EventId::new(stream)
        };
        for part in parts {
            let (server, of_server) = part.split_once('=')?;
            if !id.see(server, &BASE64.decode(of_server).ok()?) {
                return None;
            }
        }
        Some(id)
    }
}

/// The `id` of a message: clients may come back with anything.
fn message_id(text: &str) -> Option<Box<str>> {
    let id = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let is_one = json::parse(id.as_bytes()).is_ok_and(|value| is_id(&value) && value.raw() == id);
    is_one.then(|| id.into())
}

/// Text that stands in a header: visible ASCII and spaces within.
fn header_value(id: &[u8]) -> Option<&str> {
    let fits = !id.is_empty() && id.trim_ascii() == id && id.iter().all(|b| (0x20..0x7f).contains(b));
    fits.then(|| std::str::from_utf8(id).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let mut id = EventId::new(Stream::Listening);
        assert!(id.see("mail", b"9") && id.see("files", b"12") && id.see("mail", b"10"));
        assert_eq!(id.write(), "l,files=MTI,mail=MTA");
        assert_eq!(EventId::read(&id.write()), Some(id));
        let mut id = EventId::new(Stream::Answer("\"x\"".into()));
        assert!(id.see("files", b"12"));
        assert_eq!(EventId::read(&id.write()), Some(id.clone()));
        assert_eq!(EventId::new(Stream::Answer("7".into())).write(), "aNw");
        let kept = Some(Kept { stream: 31, event: 3 });
        id.kept = kept;
        assert_eq!(id.write(), "aIngi.1f.3,files=MTI");
        assert_eq!(EventId::read(&id.write()), Some(id));
    }

    #[test]
    fn what_cannot_be_sent_back_is_no_place() {
        let mut id = EventId::new(Stream::Listening);
        for bad in [&b""[..], b"a\r\nX: 1", b" a", "é".as_bytes(), b"\0"] {
            assert!(!id.see("s", bad), "{bad:?}");
        }
        for text in [
            "",
            "x",
            "12",
            "a,files",
            "a,files=!",
            "a,files=",
            "a,files=DQo",
            "l.1",
            "l.x.1",
            "l.1.",
            "l.1.1.1",
            "l.11111111111111111.1",
            "l,",
        ] {
            assert_eq!(EventId::read(text), None, "{text}");
        }
    }
}
