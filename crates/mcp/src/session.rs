//! A client's session with several servers: all that is known of it, in the id that the client is given.

use crate::Seal;
use crate::pack::{Parts, put};

/// Bytes of an id above which the sessions of the servers are left out of it. They are then opened anew when they are needed.
/// Servers take heads of 8 KiB and more.
const MAX_ID: usize = 4096;

/// One session of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Made by chance: what the process knows of it besides is found by this.
    pub number: [u8; 16],
    /// Whose it is: a hash of who asked for it.
    pub principal: [u8; 16],
    /// Seconds since 1970.
    pub created: u64,
    /// The parameters of the client's `initialize`, as JSON: servers are told the same when their sessions are opened.
    pub hello: Box<str>,
    /// The servers' sessions that were open when the id was made.
    pub legs: Vec<Leg>,
}

/// The session that one server gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The server's name.
    pub server: Box<str>,
    /// `None` for a server that keeps no sessions.
    pub id: Option<Box<str>>,
    /// The revision that was agreed on with it.
    pub version: Box<str>,
}

impl Session {
    /// The id, for the service of this name. Sessions of servers that it has no room for are dropped.
    pub fn seal(&mut self, seal: &Seal, service: &str) -> String {
        let mut plain = Vec::with_capacity(512);
        put(&mut plain, &self.number);
        put(&mut plain, &self.principal);
        put(&mut plain, &self.created.to_be_bytes());
        put(&mut plain, self.hello.as_bytes());
        let alone = plain.len();
        for leg in &self.legs {
            put(&mut plain, leg.server.as_bytes());
            put(&mut plain, leg.version.as_bytes());
            // Ids are not empty.
            put(&mut plain, leg.id.as_deref().unwrap_or_default().as_bytes());
        }
        if plain.len() > MAX_ID / 4 * 3 {
            plain.truncate(alone);
            self.legs.clear();
        }
        seal.seal(&about(service), &plain)
    }

    /// Reads an id again; `None` for what is none of this service.
    pub fn open(seal: &Seal, service: &str, id: &str) -> Option<Session> {
        let plain = seal.open(&about(service), id)?;
        let mut parts = Parts(&plain);
        let mut session = Session {
            number: parts.array()?,
            principal: parts.array()?,
            created: u64::from_be_bytes(parts.array()?),
            hello: parts.text()?.into(),
            legs: Vec::new(),
        };
        while !parts.is_empty() {
            let (server, version, id) = (parts.text()?, parts.text()?, parts.text()?);
            session.legs.push(Leg {
                server: server.into(),
                version: version.into(),
                id: Some(id).filter(|id| !id.is_empty()).map(Into::into),
            });
        }
        Some(session)
    }

    /// The session of one server, as far as the id knows it.
    pub fn leg(&self, server: &str) -> Option<&Leg> {
        self.legs.iter().find(|leg| &*leg.server == server)
    }
}

fn about(service: &str) -> String {
    format!("session {service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(servers: usize) -> Session {
        let leg = |n: usize| Leg {
            server: format!("server-{n}").into(),
            id: (n != 1).then(|| format!("{n:032}").into()),
            version: "2025-11-25".into(),
        };
        Session {
            number: [7; 16],
            principal: [9; 16],
            created: 1_700_000_000,
            hello: r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#.into(),
            legs: (0..servers).map(leg).collect(),
        }
    }

    #[test]
    fn an_id_holds_the_session() {
        let seal = Seal::new([]);
        let mut five = session(5);
        let id = five.seal(&seal, "tools@file");
        assert!(id.len() < 700, "{}", id.len());
        assert_eq!(Session::open(&seal, "tools@file", &id), Some(five.clone()));
        assert_eq!(five.leg("server-1").unwrap().id, None);
        assert_eq!(five.leg("server-9"), None);
        assert_eq!(Session::open(&seal, "other@file", &id), None);
        assert_eq!(Session::open(&seal, "tools@file", "s1"), None);
        let cursor = seal.seal("cursor tools@file", b"");
        assert_eq!(Session::open(&seal, "tools@file", &cursor), None);
    }

    #[test]
    fn an_id_stays_short() {
        let seal = Seal::new([]);
        let mut many = session(64);
        let id = many.seal(&seal, "s");
        assert!(id.len() <= MAX_ID, "{}", id.len());
        let read = Session::open(&seal, "s", &id).unwrap();
        assert!(read.legs.is_empty() && read == many, "{read:?}");
    }
}
