//! The stream of a session in which its server says what belongs to no answer (`GET`): some ask there what they ask for a call.

use super::super::ask::is_stream;
use super::super::server::Server;
use super::super::stream::Events;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::Leg;
use trilithon_wire::sse::Frame;

/// How long a call waits for that stream to begin. Some servers send its head with the first event only.
const BEGINNING: Duration = Duration::from_millis(250);

/// The stream, as far as there is one.
pub enum Beside {
    Opening(Pin<Box<dyn Future<Output = Response>>>),
    Open(Box<Events>),
    None,
}

impl Beside {
    /// Opens the stream of a session, and waits a little until it is open.
    pub async fn open(server: &Server, leg: &Leg, head: &Request, mut exchange: Exchange) -> Beside {
        if leg.id.is_none() {
            return Beside::None;
        }
        let req = server.listening_in(leg, head);
        let backend = server.backend.clone();
        let mut opening = Box::pin(async move { backend.call(req, &mut exchange).await });
        match tokio::time::timeout(BEGINNING, &mut opening).await {
            Ok(res) => Beside::of(res),
            Err(_) => Beside::Opening(opening),
        }
    }

    fn of(mut res: Response) -> Beside {
        match res.fault.is_none() && res.status == 200 && is_stream(&res) {
            true => Beside::Open(Box::new(Events::new(res.body.take()))),
            false => Beside::None,
        }
    }

    /// The next events of it, whole; waits for ever when there are no more.
    pub async fn said(&mut self) -> Vec<(Vec<u8>, Frame)> {
        loop {
            match self {
                Beside::Opening(opening) => {
                    let res = opening.await;
                    *self = Beside::of(res);
                }
                Beside::Open(events) => {
                    let mut said = Vec::new();
                    let more = events.more(|raw, frame| said.push((raw.to_vec(), frame.clone())));
                    if more.await.unwrap_or(true) {
                        *self = Beside::None;
                    }
                    return said;
                }
                Beside::None => return pending().await,
            }
        }
    }
}
