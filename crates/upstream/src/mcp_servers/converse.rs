//! What a server of the second era wants to know before it answers, asked of a client of the first: its questions go into the
//! stream that will hold the answer, the client's answers come back in messages of their own, and the server is asked again with
//! them.

use super::Federation;
use super::answer::server_failed_body;
use super::ask::{Failure, is_stream};
use super::server::Server;
use super::stream::{Channel, Out, Place, Teller, Telling, relay};
use super::table::Entry;
use super::underway::Ongoing;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Exchange, Request, Response};
use trilithon_mcp::bridge::Questions;
use trilithon_mcp::error;
use trilithon_mcp::{Session, outward, tag, visit};
use trilithon_wire::json;

/// How often a server may ask again before it answers.
const MOST_ROUNDS: usize = 16;

/// One message to a server that may ask before it answers it.
pub struct Conversation {
    pub federation: Arc<Federation>,
    pub server: Arc<Server>,
    pub session: Session,
    pub head: Request,
    /// The message, as the server knows its names.
    pub body: Bytes,
    pub telling: Telling,
    pub out: Out,
    pub exchange: Exchange,
    /// The call, if the client can cancel it here.
    pub ongoing: Option<Ongoing>,
}

impl Conversation {
    /// The stream of it, from the server's first answer on.
    pub fn answer(self, res: Response, keep_alive: Option<Duration>, place: Place) -> Response {
        let out = self.out.clone();
        let ongoing = self.ongoing.clone();
        let telling = self.run(res);
        let teller = Box::pin(async move {
            match ongoing {
                // Whoever cancels waits for no answer.
                Some(ongoing) => drop(ongoing.unless_cancelled(telling).await),
                None => telling.await,
            }
        }) as Teller;
        Channel::new(out, vec![teller], keep_alive, place).response()
    }

    /// Goes on from the first answer until there is one that asks nothing.
    async fn run(mut self, mut res: Response) {
        for _ in 0..MOST_ROUNDS {
            let questions = match self.hear(&mut res).await {
                Ok(Some(questions)) => questions,
                Ok(None) => return,
                Err(failure) => return self.fail(&failure),
            };
            let answers = match self.ask(&questions).await {
                Ok(answers) => answers,
                Err(failure) => return self.fail(&failure),
            };
            let Some(body) = questions.answered(&self.body, &answers) else {
                return self.fail(&Failure::Unreadable(
                    "its questions cannot be answered".to_owned(),
                ));
            };
            let (server, head) = (&self.server, &self.head);
            let asking =
                self.federation
                    .deliver(&self.session, server, head, body.into(), &mut self.exchange);
            res = match asking.await {
                Ok((_, res)) => res,
                Err(failure) => return self.fail(&failure),
            };
        }
        self.fail(&Failure::Unreadable("it asks again and again".to_owned()));
    }

    /// Passes on what the server says, up to its questions.
    async fn hear(&mut self, res: &mut Response) -> Result<Option<Questions>, Failure> {
        let broken = |fault: trilithon_flow::Fault| Failure::Broken(fault.to_string());
        if is_stream(res) && (200..300).contains(&res.status) {
            relay(&mut res.body, &mut self.telling, &self.out)
                .await
                .map_err(broken)?;
            let questions = self.telling.questions();
            return match questions.is_none() && !self.telling.is_over() {
                true => Err(Failure::Unreadable(
                    "the stream ended without an answer".to_owned(),
                )),
                false => Ok(questions),
            };
        }
        if let Some(fault) = &res.fault {
            return Err(Failure::Broken(fault.to_string()));
        }
        let doc = res.body.collect(MAX_MCP_ANSWER as u64).await.map_err(broken)?;
        if let Some(questions) = Questions::read(&doc) {
            return Ok(Some(questions));
        }
        if json::parse(&doc).map_or(true, |root| root.get("jsonrpc").is_none()) {
            return Err(Failure::Status(res.status));
        }
        let passed = outward::message(&doc, &self.server.name, &self.server.naming);
        let passed = passed.map_err(|error| Failure::Unreadable(error.to_string()))?;
        self.out.event(None, passed.doc.as_deref().unwrap_or(&doc));
        Ok(None)
    }

    /// Asks the client, and waits for all answers: name and result, as JSON.
    async fn ask(&self, questions: &Questions) -> Result<Vec<(String, String)>, Failure> {
        let entry = self.federation.table.entry(&self.session.number);
        // Whoever leaves now is to find the question when he comes back.
        self.out.keep();
        let mut waiting = Vec::new();
        for (name, method, params) in &questions.asked {
            let question = Question::new(&entry);
            let id = tag::numbered(&self.server.name, question.number);
            let numbered = visit::numbered(method, params, question.number);
            let params = numbered.as_ref().unwrap_or(params);
            let method = String::from_utf8(json::quote(method)).unwrap_or_default();
            let asked = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#);
            self.out.event(None, asked.as_bytes());
            waiting.push((name, question));
        }
        let mut answers = Vec::new();
        for (name, question) in waiting {
            let doc = question.answer().await;
            let root = json::parse(&doc).ok();
            let result = root.and_then(|root| root.get("result").map(|r| r.raw().to_owned()));
            let refused = || {
                Failure::Error(
                    error::INVALID_REQUEST,
                    format!("the client does not answer `{name}`"),
                )
            };
            answers.push((name.clone(), result.ok_or_else(refused)?));
        }
        Ok(answers)
    }

    fn fail(&self, failure: &Failure) {
        tracing::warn!(server = &*self.server.name, %failure, "a server of tools gave no answer");
        self.out.event(
            None,
            &server_failed_body(&self.server, self.telling.id(), failure),
        );
    }
}

/// A question that the client has been asked; it waits for the answer, on whichever worker that comes in.
struct Question {
    number: u64,
    entry: Arc<Entry>,
    answer: Option<oneshot::Receiver<Bytes>>,
}

impl Question {
    fn new(entry: &Arc<Entry>) -> Question {
        let (send, answer) = oneshot::channel();
        let number = fastrand::u64(1..1 << 53);
        entry.ask(number, send);
        Question {
            number,
            entry: entry.clone(),
            answer: Some(answer),
        }
    }

    async fn answer(mut self) -> Bytes {
        match self.answer.take() {
            Some(answer) => answer.await.unwrap_or_default(),
            None => Bytes::new(),
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.entry.asked(self.number);
    }
}
