//! Lists in a stream of events: each event is passed on as it came, but for one that holds a list with something hidden in it.

use super::super::sieve::Sieve;
use super::listing::Listing;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Fault, FaultKind};
use trilithon_wire::sse::Frame;

impl Sieve for Listing {
    const MAX_EVENT: usize = MAX_MCP_ANSWER;

    fn event(&mut self, raw: &[u8], frame: &Frame, out: &mut Vec<u8>) {
        // Clients take messages from events of this name only.
        let is_message = frame.has_data() && frame.event(raw).is_none_or(|event| event == b"message");
        if !is_message || !may_list(raw) {
            return out.extend_from_slice(raw);
        }
        match self.without(&frame.data(raw)) {
            Ok(None) => out.extend_from_slice(raw),
            Ok(Some(shorter)) => out.extend_from_slice(&frame.with_data(raw, &shorter)),
            Err(why) if self.is_strict() => {
                tracing::warn!(%why, "an event of an MCP server may hold a list and cannot be read; it is left out");
            }
            Err(_) => out.extend_from_slice(raw),
        }
    }

    fn too_large(&mut self) -> Result<(), Fault> {
        match self.is_strict() {
            true => Err(Fault::new(
                FaultKind::TooLarge,
                "an event of the server's stream is too large to be read",
            )),
            false => Ok(()),
        }
    }
}

/// Whether an event may hold a list: it names one, or could name it in escapes.
fn may_list(raw: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [
        b"\"tools\"",
        b"\"prompts\"",
        b"\"resources\"",
        b"\"resourceTemplates\"",
        b"\\u",
    ];
    let has = |name: &[u8]| raw.windows(name.len()).any(|w| w.eq_ignore_ascii_case(name));
    !raw.is_ascii() || NAMES.iter().any(|name| has(name))
}
