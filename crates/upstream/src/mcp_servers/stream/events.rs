//! The events of a server's stream, one after the other.

use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Fault, FaultKind};
use trilithon_wire::sse::{Frame, Frames};

/// A body that is cut into events.
pub struct Events {
    body: Body,
    cut: Frames,
    held: Vec<u8>,
}

impl Events {
    pub fn new(body: Body) -> Events {
        Events {
            body,
            cut: Frames::new(MAX_MCP_ANSWER),
            held: Vec::new(),
        }
    }

    /// Waits for more, and gives `each` what is whole of it: all of an event, and where its parts are. True after the last one.
    /// Nothing is lost when this is dropped while it waits.
    ///
    /// # Errors
    /// The body breaks off, or an event is too large.
    pub async fn more(&mut self, mut each: impl FnMut(&[u8], &Frame)) -> Result<bool, Fault> {
        let chunk = self.body.chunk().await.transpose()?;
        let ended = chunk.is_none();
        self.held.extend_from_slice(&chunk.unwrap_or_default());
        let mut used = 0;
        loop {
            let rest = self.held.get(used..).unwrap_or_default();
            let next = self.cut.next_or_rest(rest, ended);
            let too_large = |_| {
                Fault::new(
                    FaultKind::TooLarge,
                    "an event of the server's stream is too large",
                )
            };
            let Some(frame) = next.map_err(too_large)? else {
                break;
            };
            each(rest.get(..frame.len).unwrap_or_default(), &frame);
            used += frame.len;
        }
        self.held.drain(..used);
        Ok(ended)
    }
}
