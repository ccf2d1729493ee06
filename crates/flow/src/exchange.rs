//! One request and the facts known of it beside the message itself.

use crate::mcp_call::{Answering, Asked, Layout};
use crate::model_call::Tariff;
use crate::{Headers, Identity, McpCall, Record, Request, SharedCall, SharedMcpCall, SharedUndo};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// What is known of a TLS connection from a client.
#[derive(Debug, Default)]
pub struct TlsInfo {
    /// Server name asked for, lower case, without trailing dot.
    pub sni: Option<String>,
    /// `1.2`, `1.3`: as in the access log and the metrics.
    pub version: &'static str,
    /// Go's name of the cipher suite (`TLS_AES_128_GCM_SHA256`).
    pub cipher: &'static str,
    /// Name of the TLS options that were used for this connection (`default`, `strict@file`).
    pub options: Arc<str>,
    /// Subject of the client's certificate (RFC 2253), as the access log shows it.
    pub client_subject: Option<Arc<str>>,
    /// The client's certificates, DER, leaf first; empty without client authentication.
    pub client_certificates: Vec<Vec<u8>>,
    /// Who the client is by its certificate; only if that was verified.
    pub client_identity: Option<Arc<Identity>>,
}

/// What is known of a connection from a client.
pub struct Connection {
    /// Where the client is: the socket's peer, or what a trusted PROXY header said.
    pub peer: SocketAddr,
    /// The address the client came to.
    pub local: SocketAddr,
    /// `peer`'s IP as text, without zone.
    pub peer_ip: Box<str>,
    /// Name of the entry point.
    pub entry_point: Arc<str>,
    /// Absent on a clear-text connection.
    pub tls: Option<TlsInfo>,
    /// A backend connection that belongs to this client connection alone (NTLM and Negotiate authenticate connections).
    pub dedicated: RefCell<Option<Box<dyn Any>>>,
}

impl Connection {
    pub fn new(
        peer: SocketAddr,
        local: SocketAddr,
        entry_point: Arc<str>,
        tls: Option<TlsInfo>,
    ) -> Connection {
        let peer_ip = peer.ip().to_canonical().to_string().into_boxed_str();
        Connection {
            peer,
            local,
            peer_ip,
            entry_point,
            tls,
            dedicated: RefCell::new(None),
        }
    }

    /// The client's address.
    pub fn ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }
}

/// Interim responses (1xx) on their way to the client. The door sends what it finds here each time the chain waits.
#[derive(Default)]
pub struct Interim(RefCell<Vec<(u16, Headers)>>);

impl Interim {
    /// Sends an interim response.
    pub fn push(&self, status: u16, headers: Headers) {
        self.0.borrow_mut().push((status, headers));
    }
    /// Takes what is to be sent.
    pub fn take(&self) -> Vec<(u16, Headers)> {
        std::mem::take(&mut *self.0.borrow_mut())
    }
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// The facts of one exchange. Middlewares read them, and write what they find out into the [`Record`].
pub struct Exchange {
    pub connection: Rc<Connection>,
    pub interim: Rc<Interim>,
    pub record: Record,
    /// Who is asking: by a client certificate from the beginning, else once a middleware has made it out. Log, limits, policy and everything behind read this and nothing
    /// else; see [`Exchange::identify`].
    identity: Option<Arc<Identity>>,
    /// Set while a retry may still follow: what answers a failure must not be sent to the client yet.
    pub attempt: u32,
    /// `global`/entry point `notAppendXForwardedFor`: the client's address is not added to `X-Forwarded-For`.
    pub not_append_forwarded_for: bool,
    /// The request's head as the middlewares behind left it. Kept only for whoever put something here before running the
    /// rest of the chain (`errors`); see [`Exchange::keep_head`].
    pub last_head: Option<Box<Request>>,
    /// Body bytes of an upstream's answer of unknown length, counted as they come: at the end of the exchange they belong
    /// into [`Record::origin_bytes`].
    pub origin_streamed: Option<Rc<Cell<u64>>>,
    /// The call of a model that this is, once a middleware has made it out. Shared with the answer's body; at the end of
    /// the exchange it belongs into [`Record::model_call`].
    pub model_call: Option<SharedCall>,
    /// What the message to a server of tools asks for, once a middleware has read it.
    pub mcp: Option<Rc<Asked>>,
    /// The bytes that said so, for who reads them again; see [`Layout::is_of`].
    pub mcp_layout: Option<Layout>,
    /// The same message, for the record: shared with the answer's body, and moved into [`Record::mcp_call`] at the end.
    pub mcp_call: Option<SharedMcpCall>,
    /// Where a request has several messages, those: moved into the same record ([`McpCall::batch`]).
    pub mcp_batch: Vec<SharedMcpCall>,
    /// How it can be undone, where a contract says that. Shared with the answer's body, and moved into [`Record::undo`] at the end.
    pub undo: Option<SharedUndo>,
    /// Whether the observers were told of it.
    pub told: bool,
    /// Who knows what that call costs.
    pub tariff: Option<Arc<dyn Tariff>>,
}

impl Exchange {
    pub fn new(connection: Rc<Connection>, interim: Rc<Interim>) -> Exchange {
        let identity = connection
            .tls
            .as_ref()
            .and_then(|tls| tls.client_identity.clone());
        Exchange {
            connection,
            interim,
            record: Record {
                identity: identity.clone(),
                ..Record::default()
            },
            identity,
            attempt: 0,
            not_append_forwarded_for: false,
            last_head: None,
            origin_streamed: None,
            model_call: None,
            mcp: None,
            mcp_layout: None,
            mcp_call: None,
            mcp_batch: Vec::new(),
            undo: None,
            told: false,
            tariff: None,
        }
    }

    /// An exchange of the gateway's own beside this one (a mirror, an error page, an authorisation call): the same
    /// client, but a record of its own that nobody writes down.
    pub fn side(&self) -> Exchange {
        let mut side = Exchange::new(self.connection.clone(), Rc::default());
        side.record.trace = self.record.follow();
        side.not_append_forwarded_for = self.not_append_forwarded_for;
        side.identity.clone_from(&self.identity);
        side
    }

    /// Who is asking; `None` while nobody has made it out.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// Says who is asking. The record learns it at the same time, so that no log can name somebody else. The innermost
    /// authentication has the last word.
    pub fn identify(&mut self, identity: Arc<Identity>) {
        self.record.identity = Some(identity.clone());
        self.identity = Some(identity);
    }

    /// What tells this caller from others, for shares of the traffic and for limits: the identity's subject, or its
    /// credential where it has none; without an identity the client's address.
    pub fn caller(&self) -> &[u8] {
        let named = self.identity.as_ref().map(|i| [&i.subject, &i.credential_id]);
        let named = named.and_then(|names| names.into_iter().find(|n| !n.is_empty()));
        named.map_or(self.connection.peer_ip.as_bytes(), |n| n.as_bytes())
    }

    /// Takes note of the head if somebody wants it.
    #[inline]
    pub fn keep_head(&mut self, req: &Request) {
        if let Some(head) = &mut self.last_head {
            **head = req.clone_head();
        }
    }

    /// Moves what became of a call of a model or of tools into the record. The body that shares it has ended by then, or is
    /// about to.
    pub fn settle_calls(&mut self) {
        if let Some(call) = self.mcp_call.take() {
            let mut call = settled(call);
            call.batch = std::mem::take(&mut self.mcp_batch)
                .into_iter()
                .map(settled)
                .collect();
            // Of a stream that was only listened to there is nothing to tell.
            self.record.mcp_call = Some(Box::new(call)).filter(|call| **call != McpCall::default());
        }
        if let Some(undo) = self.undo.take() {
            self.record.undo = undo.borrow_mut().take().map(Box::new);
        }
        if let Some(call) = self.model_call.take() {
            let mut call =
                Rc::try_unwrap(call).map_or_else(|shared| shared.borrow().clone(), RefCell::into_inner);
            if self.record.fault.is_none() {
                self.record.fault.clone_from(&call.fault);
            }
            if let Some(tariff) = self.tariff.take() {
                tariff.reckon(&mut call, &self.record);
            }
            self.record.model_call = Some(Box::new(call));
        }
    }

    /// The client's address.
    pub fn client_ip(&self) -> IpAddr {
        self.connection.ip()
    }
}

/// One message as the record has it.
fn settled(call: SharedMcpCall) -> McpCall {
    let mut call = Rc::try_unwrap(call).map_or_else(|shared| shared.borrow().clone(), RefCell::into_inner);
    call.answering = Answering::default();
    call
}
