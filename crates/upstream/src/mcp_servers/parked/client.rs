//! Who waits for a call: the client of one round. It may be on another worker than the call.

use super::super::answer::server_failed_body;
use super::super::ask::Failure;
use super::super::server::Server;
use super::super::stream::Out;
use super::{Id, name};
use std::sync::Arc;
use tokio::sync::mpsc;
use trilithon_flow::SharedMcpCall;
use trilithon_mcp::rounds::{self, Question};
use trilithon_mcp::{Abilities, Level};

/// What is said to a client and not heard yet.
const UNHEARD: usize = 16;

/// The client, as the call sees it.
pub struct Client {
    /// The `id` of its message, as it is written.
    pub id: Box<str>,
    /// What it can be asked.
    pub abilities: Abilities,
    /// What it wants to be told of what the server logs; nothing when absent.
    pub level: Option<Level>,
    say: mpsc::Sender<Said>,
}

/// What the client of a round hears.
pub enum Said {
    /// A notification.
    Told(Vec<u8>),
    /// Questions, with which the round ends.
    Asked(Vec<u8>, Id, usize),
    /// The answer.
    Answered(Vec<u8>),
}

impl Said {
    /// Whether the round ends with it.
    pub fn is_last(&self) -> bool {
        !matches!(self, Said::Told(_))
    }

    /// The message; the record is told what is asked.
    pub fn doc(self, record: Option<&SharedMcpCall>) -> Vec<u8> {
        match self {
            Said::Told(doc) | Said::Answered(doc) => doc,
            Said::Asked(doc, call, count) => {
                if let Some(record) = record {
                    let mut record = record.borrow_mut();
                    record.parked = Some(name(&call));
                    record.asked = u64::try_from(count).unwrap_or(u64::MAX);
                }
                doc
            }
        }
    }
}

/// The client has left.
pub struct Left;

impl Client {
    pub fn new(id: &str, abilities: Abilities, level: Option<Level>) -> (Client, mpsc::Receiver<Said>) {
        let (say, heard) = mpsc::channel(UNHEARD);
        let client = Client {
            id: id.into(),
            abilities,
            level,
            say,
        };
        (client, heard)
    }

    /// Waits until the client has left.
    pub async fn left(&self) {
        self.say.closed().await;
    }

    /// # Errors
    /// The client has left.
    pub async fn tell(&self, doc: Vec<u8>) -> Result<(), Left> {
        self.say.send(Said::Told(doc)).await.map_err(|_| Left)
    }

    /// # Errors
    /// The client has left.
    pub async fn answer(&self, doc: Vec<u8>) -> Result<(), Left> {
        self.say.send(Said::Answered(doc)).await.map_err(|_| Left)
    }

    /// # Errors
    /// The client has left.
    pub async fn ask(&self, questions: &[Question], state: &str, call: Id) -> Result<(), Left> {
        let doc = rounds::input_required(&self.id, questions, Some(state));
        let asked = Said::Asked(doc, call, questions.len());
        self.say.send(asked).await.map_err(|_| Left)
    }
}

/// Writes what a call says into the stream of its client, from `first` up to the end of the round.
pub async fn hear(
    mut first: Option<Said>,
    mut heard: mpsc::Receiver<Said>,
    out: Out,
    server: Arc<Server>,
    id: Box<str>,
    record: Option<SharedMcpCall>,
) {
    loop {
        let said = match first.take() {
            None => heard.recv().await,
            first => first,
        };
        let Some(said) = said else { break };
        out.room().await;
        let is_last = said.is_last();
        out.event(None, &said.doc(record.as_ref()));
        if is_last {
            return;
        }
    }
    // Its worker has ended.
    let why = Failure::Broken("the call has ended".to_owned());
    out.event(None, &server_failed_body(&server, Some(&id), &why));
}
