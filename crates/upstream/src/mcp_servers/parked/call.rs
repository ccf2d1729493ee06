//! A call under way at a server of the first era, for a client of the second: the server's stream is heard here to its end, whoever
//! the client of the round is, and while there is none.

use super::super::Federation;
use super::super::answer::server_failed_body;
use super::super::ask::Failure;
use super::super::resume::now;
use super::super::send::Down;
use super::super::server::Server;
use super::super::stream::Events;
use super::client::Left;
use super::heard::Heard;
use super::{Client, Id, Parked, Resumed, Waiting, name};
use aws_lc_rs::rand;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use trilithon_flow::{Body, Exchange, Method, Request};
use trilithon_mcp::error::INTERNAL_ERROR;
use trilithon_mcp::state::{Of, Round, State};
use trilithon_mcp::{bridge, error};

/// Questions that come within this time are asked together.
const TOGETHER: Duration = Duration::from_millis(50);

/// What stays the same in all rounds.
pub struct Call {
    pub federation: Arc<Federation>,
    pub server: Arc<Server>,
    pub down: Down,
    pub head: Request,
    pub exchange: Exchange,
    /// The message's method.
    pub method: Box<str>,
    /// What the message is about, as a digest.
    pub about: [u8; 16],
    /// Whose it is.
    pub principal: [u8; 16],
    /// Who may have so many that wait.
    pub caller: [u8; 16],
}

struct Running {
    call: Call,
    id: Id,
    parked: Arc<Parked>,
    events: Events,
    heard: Heard,
    round: u64,
    /// Why nothing more will be heard.
    ended: Option<Failure>,
}

impl Call {
    /// Hears the server's answer to its end, for `client` first. Whoever leaves while it is heard cancels the call.
    pub async fn run(self, body: Body, client: Client) {
        let mut id = [0; 16];
        rand::fill(&mut id).expect("the system gives random bytes");
        let mut heard = Heard::new(self.server.clone());
        heard.turn_to(&client);
        let running = Running {
            id,
            parked: self.federation.parked.clone(),
            events: Events::new(body),
            heard,
            round: 0,
            ended: None,
            call: self,
        };
        running.run(client).await;
    }
}

impl Running {
    async fn run(mut self, mut client: Client) {
        loop {
            match self.tell(&client).await {
                Ok(None) => {}
                Ok(Some(answer)) => {
                    drop(client.answer(answer).await);
                    return;
                }
                // What is left of the call is cancelled when it is dropped.
                Err(Left) => return,
            }
            match self.park(client).await {
                Some(next) => client = next,
                None => return,
            }
        }
    }

    /// Tells the client what is heard; -> the answer, or nothing when the client is to be asked first.
    async fn tell(&mut self, client: &Client) -> Result<Option<Vec<u8>>, Left> {
        loop {
            if !self.heard.questions.is_empty() {
                self.gather(client).await?;
            }
            self.reply().await;
            while let Some(doc) = self.heard.next() {
                client.tell(doc).await?;
            }
            if let Some(answer) = self.answer(client) {
                return Ok(Some(answer));
            }
            if !self.heard.questions.is_empty() {
                return Ok(None);
            }
            tokio::select! {
                () = client.left() => return Err(Left),
                () = self.hear() => {}
            }
        }
    }

    /// Hears for a moment whether there are more questions: some servers ask several at once.
    async fn gather(&mut self, client: &Client) -> Result<(), Left> {
        let mut over = std::pin::pin!(sleep(TOGETHER));
        loop {
            let may_hear = self.ended.is_none() && self.heard.has_room();
            tokio::select! {
                () = client.left() => return Err(Left),
                () = &mut over => return Ok(()),
                () = self.hear(), if may_hear => {}
            }
        }
    }

    /// The answer for the client, if there is one, or a reason why there will be none.
    fn answer(&mut self, client: &Client) -> Option<Vec<u8>> {
        let failure = match self.heard.answer.take() {
            Some(doc) => {
                match bridge::modern_answer(&doc, &client.id, &self.call.method, || client.abilities) {
                    Ok(answer) => {
                        self.call.down.cancel.answered();
                        return Some(answer);
                    }
                    Err(error) => Failure::Unreadable(error.to_string()),
                }
            }
            None => self.ended.clone()?,
        };
        let server = &self.call.server;
        tracing::warn!(server = &*server.name, %failure, "a server of tools did not end its answer");
        Some(server_failed_body(server, Some(&client.id), &failure))
    }

    /// Hears more of the answer, or of what is said beside it.
    async fn hear(&mut self) {
        let heard = &mut self.heard;
        let more = tokio::select! {
            more = self.events.more(|raw, frame| heard.event(raw, frame)), if self.ended.is_none() => more,
            said = self.call.down.beside.said() => {
                return said.iter().for_each(|(raw, frame)| self.heard.event_beside(raw, frame));
            }
        };
        match more {
            Ok(false) => {}
            Ok(true) => {
                let why = "the stream ended without an answer".to_owned();
                self.ended = Some(Failure::Unreadable(why));
            }
            Err(fault) => self.ended = Some(Failure::Broken(fault.to_string())),
        }
    }

    /// Tells those who listen what is news, and says to the server what the gateway says itself.
    async fn reply(&mut self) {
        let news = self.heard.take_news();
        if !news.is_empty() {
            let of = (self.call.down.session, (&*self.call.server.name).into());
            for doc in news {
                self.call.federation.lines.tell(&of, &doc);
            }
        }
        for doc in std::mem::take(&mut self.heard.replies) {
            let call = &mut self.call;
            let req = call
                .server
                .request_in(call.down.cancel.leg(), &call.head, Method::Post, doc);
            let saying = call.server.backend.call(req, &mut call.exchange);
            drop(tokio::time::timeout(call.federation.timeout, saying).await);
        }
    }

    /// Asks the client, and waits for whoever brings the answers.
    async fn park(&mut self, client: Client) -> Option<Client> {
        self.round += 1;
        let questions = self.heard.take_questions();
        let (resume, mut resumed) = oneshot::channel();
        let parked = self.parked.room(&questions).and_then(|room| {
            let waiting = Waiting {
                round: self.round,
                caller: self.call.caller,
                since: Instant::now(),
                leg: self.call.down.cancel.leg().clone(),
                questions: questions.clone(),
                _room: room,
                resume,
            };
            self.parked.park(self.call.federation.parking, self.id, waiting)
        });
        if parked.is_err() {
            let why = "too many calls wait for what their clients were asked";
            drop(
                client
                    .answer(error::body(Some(&client.id), INTERNAL_ERROR, why))
                    .await,
            );
            return None;
        }
        if client.ask(&questions, &self.state(), self.id).await.is_err() {
            self.parked.take(&self.id, self.round);
            return None;
        }
        drop(client);
        let mut late = std::pin::pin!(sleep(self.call.federation.parking.max_age));
        let mut in_time = true;
        loop {
            let may_hear = self.ended.is_none() && self.heard.has_room();
            tokio::select! {
                back = &mut resumed => {
                    let Resumed { client, left } = back.ok()?;
                    self.heard.turn_to(&client);
                    self.heard.ask_again(left);
                    return Some(client);
                }
                () = &mut late, if in_time => {
                    if self.parked.expire(&self.id) {
                        self.tell_of_expiry();
                        return None;
                    }
                    // Its client is back, and about to be heard.
                    in_time = false;
                }
                () = self.hear(), if may_hear => {
                    self.reply().await;
                }
            }
        }
    }

    fn state(&self) -> String {
        let call = &self.call;
        let state = State {
            principal: call.principal,
            server: (&*call.server.name).into(),
            about: call.about,
            expires: now() + call.federation.parking.max_age.as_secs().max(1),
            of: Of::Parked(Round {
                process: self.parked.process,
                call: self.id,
                number: self.round,
            }),
        };
        state.seal(&call.federation.seal, &call.federation.name)
    }

    fn tell_of_expiry(&self) {
        tracing::info!(
            server = &*self.call.server.name,
            call = &*name(&self.id),
            round = self.round,
            "a call of a tool is cancelled: its client did not come back with what it was asked"
        );
    }
}
