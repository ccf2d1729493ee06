//! Events of a server on their way into a stream.

use super::super::answer::server_failed_body;
use super::super::ask::Failure;
use super::{Events, Out, Telling};
use trilithon_flow::{Body, Fault};

/// Passes on the events of a body until its end.
///
/// # Errors
/// It breaks off, or an event is too large.
pub async fn relay(body: &mut Body, telling: &mut Telling, out: &Out) -> Result<(), Fault> {
    let mut events = Events::new(body.take());
    loop {
        out.room().await;
        let ended = events.more(|raw, frame| telling.event(raw, frame, out)).await?;
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
