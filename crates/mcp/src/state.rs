//! `requestState` (revision 2026-07-28, "Multi Round-Trip Requests"): what a client is asked to bring back when it repeats a message,
//! sealed with who it is for and which message, so that nobody else, and nothing else, can use it.

use crate::pack::{Parts, put};
use crate::{Message, Seal};
use aws_lc_rs::digest::{SHA256, digest};
use trilithon_wire::contains;
use trilithon_wire::json::{self, Splice, canonical_without, quote};

/// Members of a message that are others each time it is repeated.
const FRESH: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// A message as it was when its client was asked something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whose message it is: a hash of who sent it.
    pub principal: [u8; 16],
    /// The name of the server that was asked.
    pub server: Box<str>,
    /// [`about`] the message.
    pub about: [u8; 16],
    /// Seconds since 1970.
    pub expires: u64,
    pub of: Of,
}

/// What it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// A call that waits.
    Parked(Round),
    /// What the server itself wants to have back.
    Server(Box<str>),
}

/// One round of a call that waits in a process of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Tells processes apart that have the same secret.
    pub process: [u8; 8],
    pub call: [u8; 16],
    /// How often its client was asked.
    pub number: u64,
}

/// What a message asks for, as a digest: the same for a message that is repeated with answers.
pub fn about(message: &Message<'_>) -> [u8; 16] {
    let params = message.params().map(|params| canonical_without(&params, &FRESH));
    let text = format!("{} {}", message.method(), params.unwrap_or_default());
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    half
}

impl State {
    /// As the client is given it, for the service of this name.
    pub fn seal(&self, seal: &Seal, service: &str) -> String {
        let mut plain = Vec::with_capacity(160);
        put(&mut plain, &self.principal);
        put(&mut plain, self.server.as_bytes());
        put(&mut plain, &self.about);
        put(&mut plain, &self.expires.to_be_bytes());
        match &self.of {
            Of::Server(state) => put(&mut plain, state.as_bytes()),
            Of::Parked(round) => {
                put(&mut plain, &round.process);
                put(&mut plain, &round.call);
                put(&mut plain, &round.number.to_be_bytes());
            }
        }
        seal.seal(&purpose(service), &plain)
    }

    /// Reads it again; `None` for what is none of this service.
    pub fn open(seal: &Seal, service: &str, text: &str) -> Option<State> {
        let plain = seal.open(&purpose(service), text)?;
        let mut parts = Parts(&plain);
        let (principal, server) = (parts.array()?, parts.text()?.into());
        let (about, expires) = (parts.array()?, u64::from_be_bytes(parts.array()?));
        let first = parts.next()?;
        let of = match parts.is_empty() {
            true => Of::Server(std::str::from_utf8(first).ok()?.into()),
            false => Of::Parked(Round {
                process: first.try_into().ok()?,
                call: parts.array()?,
                number: u64::from_be_bytes(parts.array()?),
            }),
        };
        Some(State {
            principal,
            server,
            about,
            expires,
            of,
        })
    }
}

/// An answer of a server with what it wants to have back `sealed`; `None` when it wants nothing back.
pub fn given(doc: &[u8], sealed: impl FnOnce(&str) -> String) -> Option<Vec<u8>> {
    // Few answers ask for anything.
    let root = contains(doc, b"requestState").then(|| json::parse(doc).ok())??;
    let state = root.get("result")?.get("requestState")?;
    let mut splice = Splice::new();
    let sealed = sealed(&state.text()?.to_str());
    splice.replace(state.range(), quote(&sealed)).ok()?;
    Some(splice.apply(doc))
}

/// A message with what its server wants to have back, in the place of what the client brings.
pub fn brought(body: &[u8], state: &str) -> Option<Vec<u8>> {
    let root = json::parse(body).ok()?;
    let brought = root.get("params")?.get("requestState")?;
    let mut splice = Splice::new();
    splice.replace(brought.range(), quote(state)).ok()?;
    Some(splice.apply(body))
}

fn purpose(service: &str) -> String {
    format!("state {service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_comes_back() {
        let seal = Seal::new([]);
        let check = |of: Of| {
            let state = State {
                principal: [7; 16],
                server: "files".into(),
                about: [9; 16],
                expires: 1_800_000_000,
                of,
            };
            let text = state.seal(&seal, "s");
            assert_eq!(State::open(&seal, "s", &text), Some(state));
            assert_eq!(State::open(&seal, "t", &text), None);
            assert_eq!(State::open(&seal, "s", &format!("{text}A")), None);
            assert_eq!(State::open(&Seal::new([]), "s", &text), None);
        };
        check(Of::Server("".into()));
        check(Of::Server("what the server \"said\"".into()));
        check(Of::Parked(Round {
            process: [1; 8],
            call: [2; 16],
            number: 3,
        }));
        assert_eq!(State::open(&seal, "s", &seal.seal("state s", b"short")), None);
    }

    #[test]
    fn what_servers_give_goes_out_sealed_and_comes_back_open() {
        let sealed = |state: &str| format!("<{state}>");
        let check = |doc: &str, want: Option<&str>| {
            let given = given(doc.as_bytes(), sealed).map(|doc| String::from_utf8(doc).unwrap());
            assert_eq!(given.as_deref(), want, "{doc}");
        };
        check(
            r#"{"id":1,"result":{"requestState":"a\"b","x":"requestState"}}"#,
            Some(r#"{"id":1,"result":{"requestState":"<a\"b>","x":"requestState"}}"#),
        );
        check(r#"{"id":1,"result":{"x":{"requestState":"s"}}}"#, None);
        check(r#"{"id":1,"result":{"requestState":7}}"#, None);
        check(r#"{"id":1,"error":{}}"#, None);
        let again = brought(br#"{"params":{"requestState":"<s>","name":"t"}}"#, "s\"").unwrap();
        assert_eq!(
            String::from_utf8(again).unwrap(),
            r#"{"params":{"requestState":"s\"","name":"t"}}"#
        );
        assert_eq!(brought(br#"{"params":{}}"#, "s"), None);
    }

    #[test]
    fn a_message_is_the_same_when_it_is_repeated() {
        let of = |params: &str| {
            let doc = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
            about(&Message::read(doc.as_bytes()).unwrap())
        };
        let first = of(r#"{"name":"t","arguments":{"a":1,"b":[2]},"_meta":{"x":1}}"#);
        let again = of(
            r#"{"inputResponses":{"q":{}},"requestState":"s", "arguments":{"b":[2],"a":1},"name":"t","_meta":{}}"#,
        );
        assert_eq!(first, again);
        for other in [
            r#"{"name":"u","arguments":{"a":1,"b":[2]}}"#,
            r#"{"name":"t","arguments":{"a":2,"b":[2]}}"#,
            r#"{"name":"t","arguments":{"a":1,"b":[2]},"more":1}"#,
            r#"{"name":"t"}"#,
        ] {
            assert_ne!(first, of(other), "{other}");
        }
    }
}
