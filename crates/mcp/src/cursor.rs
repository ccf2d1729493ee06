//! Where a client is in lists of several servers: one text for it, one place for each server that has more.

use crate::pack::{Parts, put};
use crate::{List, Seal};

/// Places of servers that have more: the server's name and the cursor that it gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub Vec<(Box<str>, Box<str>)>);

impl Cursor {
    /// As the client is given it; `None` when nobody has more.
    pub fn seal(&self, seal: &Seal, service: &str, list: List) -> Option<String> {
        let mut plain = Vec::new();
        for (server, cursor) in &self.0 {
            put(&mut plain, server.as_bytes());
            put(&mut plain, cursor.as_bytes());
        }
        (!plain.is_empty()).then(|| seal.seal(&about(service, list), &plain))
    }

    /// Reads it again; `None` for what is no cursor of this list of this service.
    pub fn open(seal: &Seal, service: &str, list: List, text: &str) -> Option<Cursor> {
        let plain = seal.open(&about(service, list), text)?;
        let mut parts = Parts(&plain);
        let mut all = Vec::new();
        while !parts.is_empty() {
            all.push((parts.text()?.into(), parts.text()?.into()));
        }
        Some(Cursor(all))
    }

    /// Where a server goes on.
    pub fn of(&self, server: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| &**name == server)?;
        Some(&found.1)
    }
}

fn about(service: &str, list: List) -> String {
    format!("cursor {} {service}", list.method())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let seal = Seal::new([]);
        let cursor = Cursor(vec![("a".into(), "7".into()), ("c".into(), "".into())]);
        let text = cursor.seal(&seal, "s", List::Tools).unwrap();
        let read = Cursor::open(&seal, "s", List::Tools, &text);
        assert_eq!(read.as_ref(), Some(&cursor));
        let read = read.unwrap();
        assert_eq!(
            (read.of("a"), read.of("b"), read.of("c")),
            (Some("7"), None, Some(""))
        );
        assert_eq!(Cursor::open(&seal, "s", List::Prompts, &text), None);
        assert_eq!(Cursor::open(&seal, "t", List::Tools, &text), None);
        assert_eq!(Cursor::open(&seal, "s", List::Tools, "7"), None);
        assert_eq!(Cursor::default().seal(&seal, "s", List::Tools), None);
    }
}
