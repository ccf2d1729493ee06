//! Events of a server on their way into a stream.

use super::super::answer::server_failed_body;
use super::super::ask::Failure;
use super::{Out, Telling};
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Fault, FaultKind};
use trilithon_wire::sse::Frames;

/// Passes on the events of a body until its end.
///
/// # Errors
/// It breaks off, or an event is too large.
pub async fn relay(body: &mut Body, telling: &mut Telling, out: &Out) -> Result<(), Fault> {
    let mut cut = Frames::new(MAX_MCP_ANSWER);
    let mut held: Vec<u8> = Vec::new();
    loop {
        out.room().await;
        let chunk = body.chunk().await.transpose()?;
        let ended = chunk.is_none();
        held.extend_from_slice(&chunk.unwrap_or_default());
        let mut used = 0;
        loop {
            let rest = held.get(used..).unwrap_or_default();
            let next = cut.next_or_rest(rest, ended);
            let too_large = |_| {
                Fault::new(
                    FaultKind::TooLarge,
                    "an event of the server's stream is too large",
                )
            };
            let Some(frame) = next.map_err(too_large)? else {
                break;
            };
            let raw = rest.get(..frame.len).unwrap_or_default();
            telling.event(raw, &frame, out);
            used += frame.len;
        }
        held.drain(..used);
        if ended {
            return Ok(());
        }
    }
}

/// Passes on the answer to one message. When it breaks off, and nothing says where the client could come back, the client is told.
pub async fn answer(mut body: Body, mut telling: Telling, out: Out) {
    let ended = relay(&mut body, &mut telling, &out).await;
    if telling.is_over() || telling.last.is_some() {
        return;
    }
    let why = match ended {
        Ok(()) => Failure::Unreadable("the stream ended without an answer".to_owned()),
        Err(fault) => Failure::Broken(fault.to_string()),
    };
    tracing::warn!(server = &*telling.server().name, %why, "a server of tools did not end its answer");
    if let Some(id) = telling.id() {
        out.event(None, &server_failed_body(telling.server(), Some(id), &why));
    }
}
