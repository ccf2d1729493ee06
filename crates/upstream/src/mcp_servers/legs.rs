//! Sessions with servers: found, opened when they are first needed, and opened anew when the server has lost them.

use super::Federation;
use super::ask::{self, Failure};
use super::cross::{is_modern, upward};
use super::server::{Server, enter};
use super::told::Outcome;
use bytes::Bytes;
use trilithon_flow::{Exchange, Method, Request, Response};
use trilithon_mcp::merge::Hello;
use trilithon_mcp::{Era, Leg, Session, header};

/// What the server is told when its answer to `initialize` is there.
const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

impl Federation {
    /// The session with a server, if one is open.
    pub fn leg_at_hand(&self, session: &Session, server: &Server) -> Option<Leg> {
        let entry = self.table.find(&session.number);
        let later = entry.and_then(|entry| entry.leg(&server.name));
        later.or_else(|| session.leg(&server.name).cloned())
    }

    /// The session with a server; it is opened if there is none, or if it is the one that was `lost`.
    ///
    /// # Errors
    /// The server opens none.
    pub async fn leg(
        &self,
        session: &Session,
        server: &Server,
        lost: Option<&Leg>,
        head: &Request,
        cx: &Exchange,
    ) -> Result<Leg, Failure> {
        let at_hand = self.leg_at_hand(session, server);
        if let Some(leg) = at_hand.filter(|leg| Some(leg) != lost) {
            return Ok(leg);
        }
        Box::pin(self.leg_anew(session, server, lost, head, cx)).await
    }

    /// The same, where none is at hand.
    async fn leg_anew(
        &self,
        session: &Session,
        server: &Server,
        lost: Option<&Leg>,
        head: &Request,
        cx: &Exchange,
    ) -> Result<Leg, Failure> {
        let entry = self.table.entry(&session.number);
        let slot = entry.slot(&server.name);
        let _opening = slot.opening.lock().await;
        // Somebody else may have opened it while this one waited.
        if let Some(leg) = slot.get().filter(|leg| Some(leg) != lost) {
            return Ok(leg);
        }
        if entry.has_ended() {
            return Err(Failure::Ended);
        }
        let (leg, doc) = self.open(server, &session.hello, head, &mut cx.side()).await?;
        server.said.set(doc);
        // Before anybody says anything else in it.
        self.say_again(server, &leg, &entry, &slot, head, &mut cx.side())
            .await;
        slot.set(leg.clone());
        if lost.is_some() {
            server.told.count(Outcome::Reopened);
        }
        Ok(leg)
    }

    /// Opens a session with a server, as the client opened its own with the gateway.
    ///
    /// # Errors
    /// It opens none.
    pub async fn open(
        &self,
        server: &Server,
        hello: &str,
        head: &Request,
        cx: &mut Exchange,
    ) -> Result<(Leg, Bytes), Failure> {
        let opening = async {
            if server.speaks_only(Era::Modern) {
                return self.open_modern(server, hello, head, cx).await;
            }
            match self.open_legacy(server, hello, head, cx).await {
                // It may be newer than the client.
                Err(no) if no.is_a_no() && server.is_modern() != Some(false) => {
                    let modern = self.open_modern(server, hello, head, cx).await;
                    modern.map_err(|_| no)
                }
                opened => opened,
            }
        };
        let opened = tokio::time::timeout(self.timeout, opening).await;
        let opened = opened.unwrap_or(Err(Failure::TooLate));
        server.note(opened.as_ref().err());
        opened
    }

    async fn open_legacy(
        &self,
        server: &Server,
        hello: &str,
        head: &Request,
        cx: &mut Exchange,
    ) -> Result<(Leg, Bytes), Failure> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{hello}}}"#);
        let mut res = server.backend.call(server.own_request(head, body), cx).await;
        let doc = ask::answer(&mut res).await?;
        let said = Hello::read(&server.name, &doc);
        let version = said.as_ref().and_then(Hello::version);
        let version = version.filter(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_graphic()));
        let no_version = || Failure::Unreadable("it names no revision".to_owned());
        let id = res.headers.get_str(header::SESSION_ID);
        let leg = Leg {
            server: (&*server.name).into(),
            id: id.filter(|id| !id.is_empty()).map(Into::into),
            version: version.ok_or_else(no_version)?.into(),
        };
        let mut req = server.own_request(head, INITIALIZED);
        enter(&leg, &mut req);
        // What it says to that is no answer to anything.
        server.backend.call(req, cx).await.body.take();
        Ok((leg, doc))
    }

    /// There is nothing to open with a server of the second era; it only says what it can.
    async fn open_modern(
        &self,
        server: &Server,
        hello: &str,
        head: &Request,
        cx: &mut Exchange,
    ) -> Result<(Leg, Bytes), Failure> {
        let doc = self.ask_what_it_can(server, hello, head, cx).await?;
        let leg = Leg {
            server: (&*server.name).into(),
            id: None,
            version: Era::FIRST_MODERN.into(),
        };
        Ok((leg, doc))
    }

    /// Sends a message of the client in the session with a server. When the server does not know that session any more it did not
    /// look at the message: it is sent again, once, in a new one.
    ///
    /// # Errors
    /// There is no session to send it in.
    pub async fn deliver(
        &self,
        session: &Session,
        server: &Server,
        head: &Request,
        body: Bytes,
        cx: &mut Exchange,
    ) -> Result<(Leg, Response), Failure> {
        let leg = self.leg(session, server, None, head, cx).await?;
        if is_modern(&leg) {
            let entry = self.table.find(&session.number);
            let level = entry.and_then(|entry| entry.level());
            let req = upward(server, session, level.as_deref(), head, &body)?;
            return Ok((leg, server.backend.call(req, cx).await));
        }
        let req = server.request_in(&leg, head, Method::Post, body.clone());
        let res = server.backend.call(req, cx).await;
        if !is_lost(&leg, &res) {
            return Ok((leg, res));
        }
        drop(res);
        let leg = self.leg(session, server, Some(&leg), head, cx).await?;
        // Nothing of the answer that nobody got is the exchange's.
        (cx.record.fault, cx.origin_streamed) = (None, None);
        let req = server.request_in(&leg, head, Method::Post, body);
        let res = server.backend.call(req, cx).await;
        match is_lost(&leg, &res) {
            true => Err(Failure::Status(res.status)),
            false => Ok((leg, res)),
        }
    }
}

/// Whether a server says that it does not know the session.
pub fn is_lost(leg: &Leg, res: &Response) -> bool {
    res.status == 404 && leg.id.is_some()
}
