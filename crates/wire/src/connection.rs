//! What the options of `Connection` say (RFC 9110 §7.6.1).

use crate::known::Known;

/// The options of all `Connection` fields of one message.
#[derive(Default)]
pub struct ConnectionOptions {
    pub close: bool,
    pub keep_alive: bool,
    pub upgrade: bool,
    /// Names that are not hop-by-hop by themselves.
    pub named: bool,
}

impl ConnectionOptions {
    /// Takes one field.
    #[inline]
    pub fn add(&mut self, value: &[u8]) {
        match value {
            b"keep-alive" => self.keep_alive = true,
            b"close" => self.close = true,
            _ => self.add_list(value),
        }
    }

    fn add_list(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',') {
            self.add_option(option.trim_ascii());
        }
    }

    fn add_option(&mut self, option: &[u8]) {
        if option.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
        } else if option.eq_ignore_ascii_case(b"close") {
            self.close = true;
        } else if option.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if !option.is_empty() && !Known::of(option).is_hop_by_hop() {
            self.named = true;
        }
    }

    /// Whether the sender is ready for another message; `close` wins.
    pub fn persists(&self, http10: bool) -> bool {
        !self.close && (!http10 || self.keep_alive)
    }
}

/// The protocols of an `Upgrade` field that may be asked of a server: all but HTTP/2 in clear text, which would take the
/// connection out of sight.
pub fn protocols(upgrade: &[u8]) -> impl Iterator<Item = &[u8]> {
    let protocols = upgrade.split(|&b| b == b',').map(<[u8]>::trim_ascii);
    protocols.filter(|p| !p.is_empty() && !p.eq_ignore_ascii_case(b"h2c"))
}

/// Whether an `Upgrade` field names such a protocol.
pub fn switches(upgrade: &[u8]) -> bool {
    protocols(upgrade).next().is_some()
}
