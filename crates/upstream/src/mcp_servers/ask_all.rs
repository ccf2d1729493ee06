//! Asking all servers at once, and waiting for those that are there.

use super::Federation;
use super::all::all;
use super::ask::{self, Failure};
use super::post::Call;
use super::presence::{Look, Turn};
use super::server::Server;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::Instant;
use trilithon_flow::{Exchange, Method, Request};
use trilithon_mcp::Session;

/// What each server that was asked answered.
pub type Answers<'f> = Vec<(&'f Arc<Server>, Result<Bytes, Failure>)>;

impl Federation {
    /// What to do with each server when all are asked. Where none answers there is nothing to give without them: they are asked as
    /// if they did.
    pub fn turns(&self) -> Vec<(&Arc<Server>, Turn)> {
        let none_is_there = self.none_is_there();
        let now = Instant::now();
        let turn = |server: &Arc<Server>| match none_is_there {
            true => Turn::Ask,
            false => server.presence.turn(now),
        };
        self.servers.iter().map(|server| (server, turn(server))).collect()
    }

    /// Servers that are not to be waited for.
    pub fn away(&self) -> Vec<&Arc<Server>> {
        let away = |server: &&Arc<Server>| server.presence.is_away();
        match self.none_is_there() {
            true => Vec::new(),
            false => self.servers.iter().filter(away).collect(),
        }
    }

    fn none_is_there(&self) -> bool {
        self.servers.iter().all(|server| server.presence.is_away())
    }

    /// Asks all servers at once that `body` has something for.
    pub async fn ask_all<'f>(
        self: &'f Arc<Federation>,
        call: &Call<'_>,
        session: Option<&Session>,
        body: impl Fn(&Arc<Server>) -> Option<Bytes>,
        cx: &mut Exchange,
    ) -> Answers<'f> {
        let asked = self.turns().into_iter().filter_map(|(server, turn)| {
            let body = body(server)?;
            let mut side = cx.side();
            Some(async move {
                let answer = match turn {
                    Turn::Ask => {
                        self.ask_in_time(server, session, call.head, body, &mut side)
                            .await
                    }
                    Turn::Look(look) => {
                        self.ask_beside(Some(look), server, session, call.head, body, side);
                        Err(Failure::Away)
                    }
                    Turn::Leave => Err(Failure::Away),
                };
                (server, answer)
            })
        });
        all(asked.collect::<Vec<_>>()).await
    }

    /// Asks one server that nobody waits for.
    pub fn ask_beside(
        self: &Arc<Federation>,
        look: Option<Look>,
        server: &Arc<Server>,
        session: Option<&Session>,
        head: &Request,
        body: Bytes,
        mut cx: Exchange,
    ) {
        let (federation, server) = (self.clone(), server.clone());
        let (session, head) = (session.cloned(), head.clone_head());
        tokio::task::spawn_local(async move {
            let _look = look;
            let asking = federation.ask_in_time(&server, session.as_ref(), &head, body, &mut cx);
            drop(asking.await);
        });
    }

    async fn ask_in_time(
        &self,
        server: &Server,
        session: Option<&Session>,
        head: &Request,
        body: Bytes,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        let asking = self.ask(server, session, head, body, cx);
        let answer = tokio::time::timeout(self.timeout, asking).await;
        let answer = answer.unwrap_or(Err(Failure::TooLate));
        server.note(answer.as_ref().err());
        answer
    }

    /// Asks one server, and reads its answer.
    ///
    /// # Errors
    /// It gives none.
    pub async fn ask(
        &self,
        server: &Server,
        session: Option<&Session>,
        head: &Request,
        body: Bytes,
        cx: &mut Exchange,
    ) -> Result<Bytes, Failure> {
        let bridge = match session {
            Some(_) => None,
            None => self.bridge(server, head, &body, cx).await?,
        };
        let mut res = match (session, &bridge) {
            (Some(session), _) => self.deliver(session, server, head, body, cx).await?.1,
            (None, Some(bridge)) => {
                let body = bridge.renumbered(&body).into();
                self.deliver(&bridge.session, server, head, body, cx).await?.1
            }
            (None, None) => {
                server
                    .backend
                    .call(server.request(head, Method::Post, body), cx)
                    .await
            }
        };
        ask::answer(&mut res).await
    }
}
