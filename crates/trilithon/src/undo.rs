//! The gateway's half of `trilithon undo`: looks the entry up in its own audit log, gives out the ticket that marks the compensating call,
//! and says where that is to be sent. The call itself comes in like any other.

use anyhow::Context;
use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use trilithon_engine::entry_point::EntryPoint;
use trilithon_flow::undo::Tickets;
use trilithon_ledger::AuditLog;
use trilithon_ledger::audit::undo::{self, Undoable};

/// What is to be undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The entry: `LOG/INDEX`, or an index in the last log.
    pub entry: String,
    /// Only look.
    pub dry_run: bool,
    /// Also when somebody began before and nothing says how that ended.
    pub again: bool,
}

/// How to undo it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The entry that is undone.
    pub id: String,
    /// What it says.
    pub entry: Value,
    /// The compensating call.
    pub call: Map<String, Value>,
    /// Where the entry point listens.
    pub address: Option<SocketAddr>,
    /// Marks the call. `None` when it is not to be sent.
    pub ticket: Option<String>,
}

/// Who looks and gives out.
pub struct Undoer {
    audit: Arc<AuditLog>,
    tickets: Arc<Tickets>,
    doors: HashMap<Arc<str>, SocketAddr>,
}

impl Undoer {
    /// For the entry points that these sockets belong to.
    pub fn new(
        audit: Arc<AuditLog>,
        tickets: Arc<Tickets>,
        sockets: &[(Arc<EntryPoint>, TcpListener)],
    ) -> Undoer {
        let door = |(entry_point, socket): &(Arc<EntryPoint>, TcpListener)| {
            Some((entry_point.name.clone(), reachable(socket.local_addr().ok()?)))
        };
        Undoer {
            audit,
            tickets,
            doors: sockets.iter().filter_map(door).collect(),
        }
    }

    /// Finds what undoes an entry, once all entries so far are signed. Unless it only looks, it writes that the undo begins before it
    /// gives out the ticket: a process that ends in between leaves word.
    ///
    /// # Errors
    /// Why it cannot be undone.
    pub fn plan(&self, order: &Order, uid: u32) -> anyhow::Result<Plan> {
        self.audit.settle();
        let found = undo::find(self.audit.book(), self.audit.public(), &order.entry, order.again)
            .context("the audit log cannot be read")?;
        let Undoable { id, entry, call } =
            found.map_err(|why| anyhow::anyhow!("entry {}: {why}", order.entry))?;
        let ticket = match order.dry_run {
            true => None,
            false => Some(self.ticket(&id, order.again, uid)?),
        };
        let door = entry["request"]["entryPoint"].as_str().unwrap_or_default();
        Ok(Plan {
            address: self.doors.get(door).copied(),
            id,
            entry,
            call,
            ticket,
        })
    }

    fn ticket(&self, id: &str, again: bool, uid: u32) -> anyhow::Result<String> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).ok().context("there is no randomness")?;
        let secret = bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let given = self.tickets.give_out(&secret, id, again);
        given.map_err(|why| anyhow::anyhow!("entry {id}: {why}"))?;
        self.audit.record(undo::begun(id, uid));
        self.audit.settle();
        Ok(secret)
    }
}

/// An address that this machine reaches: a socket that listens everywhere is reached on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
