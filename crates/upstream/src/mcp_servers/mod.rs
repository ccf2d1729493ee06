//! `mcpServers`: several servers of the Model Context Protocol as one. The gateway is the server that clients see, and the
//! client that servers see.
//!
//! What a message names says which server it is for ([`trilithon_mcp::Naming`]); lists are asked of all and made one. A
//! session of a client is in the id that the client has, sealed; this process only remembers what came after the id was
//! given ([`table`]). Messages are changed where names stand, and nowhere else.

mod all;
mod answer;
mod ask;
mod ask_all;
mod broadcast;
mod build;
mod converse;
mod cross;
mod discover;
mod generations;
mod initialize;
mod kept;
mod legs;
mod lines;
mod list;
mod listen;
mod listen_up;
mod opened;
mod parked;
mod pass_on;
mod post;
mod presence;
mod remember;
mod resume;
mod room;
mod route;
mod send;
mod server;
mod states;
mod stream;
mod subscribe;
mod table;
mod told;
mod underway;

use crate::service::Backend;
use kept::Tapes;
use lines::Lines;
use opened::Opened;
use parked::{Bounds, Parked, Turns};
use server::Server;
use std::sync::Arc;
use std::time::Duration;
use stream::Places;
use table::Table;
use trilithon_flow::{Exchange, Method, Reply, Request, Response, Service};
use trilithon_mcp::Seal;

/// An `mcpServers` service.
pub struct McpServers(Arc<Federation>);

/// The servers and what is known of them; streams hold it too, which outlive an exchange.
struct Federation {
    /// Qualified. Ids are sealed for it.
    name: Box<str>,
    servers: Vec<Arc<Server>>,
    seal: Arc<Seal>,
    opened: Opened,
    table: Arc<Table>,
    places: Arc<Places>,
    parked: Arc<Parked>,
    parking: Bounds,
    tapes: Arc<Tapes>,
    turns: Arc<Turns>,
    lines: Arc<Lines>,
    /// Seconds that a session lasts.
    max_age: u64,
    timeout: Duration,
    max_body: u64,
    keep_alive: Option<Duration>,
}

impl Federation {
    /// The server that clients could as well ask themselves: all that it says is its own.
    fn only(&self) -> Option<&Arc<Server>> {
        match &self.servers[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    async fn serve(self: &Arc<Federation>, req: Request, cx: &mut Exchange) -> Response {
        match req.method {
            Method::Post => self.post(req, cx).await,
            Method::Get => self.get(&req, cx).await,
            Method::Delete => self.delete(&req, cx).await,
            _ => answer::method_not_allowed("GET, POST, DELETE"),
        }
    }
}

impl Service for McpServers {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(self.0.serve(req, cx))
    }
}

impl Backend for McpServers {
    fn status_refusal(&self) -> String {
        "an `mcpServers` service does not report its health".to_owned()
    }
}

#[cfg(test)]
mod tests;
