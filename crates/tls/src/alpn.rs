//! Application protocols: what is offered, and when not to insist.

/// The protocol of the TLS-ALPN-01 challenge. It is not offered while no resolver answers it: a client that asks for it
/// alone must not reach a router.
const CHALLENGE: &str = "acme-tls/1";
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The protocols of a set of options, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocols(Vec<Vec<u8>>);

impl Protocols {
    /// An empty list stands for the default one.
    pub fn new(names: &[String]) -> Protocols {
        let named = names
            .iter()
            .filter(|n| *n != CHALLENGE)
            .map(|n| n.clone().into_bytes());
        if names.is_empty() {
            Protocols(vec![H2.to_vec(), HTTP1.to_vec()])
        } else {
            Protocols(named.collect())
        }
    }

    /// What rustls is told when nothing is known of the client.
    ///
    /// With `h2` and without `http/1.1`, a client that offers only `http/1.1` still connects in Go; where the offer is
    /// not known that takes the name in the list.
    pub fn offered(&self) -> Vec<Vec<u8>> {
        let mut list = self.0.clone();
        if self.lacks_http1() {
            list.push(HTTP1.to_vec());
        }
        list
    }

    /// What rustls is told when the client's offer is known: nothing, if it is to connect without an agreement.
    pub fn strict(&self) -> Vec<Vec<u8>> {
        self.0.clone()
    }

    /// Whether this client connects although no protocol is agreed on.
    pub fn lets_pass(&self, offer: &[Vec<u8>]) -> bool {
        self.lacks_http1() && offer.iter().any(|o| o == HTTP1) && !offer.iter().any(|o| self.0.contains(o))
    }

    /// Whether there is `h2` without `http/1.1`.
    pub fn lacks_http1(&self) -> bool {
        self.0.iter().any(|p| p == H2) && !self.0.iter().any(|p| p == HTTP1)
    }
}
