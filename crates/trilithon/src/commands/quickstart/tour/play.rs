//! The steps of the tour, in order. Each says what it asks, what came, and what was written down of it.

use super::agent::Agent;
use super::record::Book;
use super::{calls, written};
use anyhow::ensure;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longest wait for the gateway to answer, and for spans to be sent.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What must not reach a model. It is the key that its vendor prints in examples.
pub const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";
/// More calls than any budget of the quickstart lets through.
pub const MANY: usize = 20;

/// Plays all; gives how many steps there were.
///
/// # Errors
/// What is not as it should be.
pub async fn all(agent: &mut Agent, book: &Book) -> anyhow::Result<usize> {
    ready(agent).await?;
    say!(
        "One agent's work through the gateway: models, tools and an API, all on this machine.\n\
         Every line is made of an answer that just came."
    );
    let mut steps = Steps(0);
    let wanted = calls::model(&mut steps, agent).await?;
    calls::tool(&mut steps, agent, &wanted).await?;
    calls::trace(&mut steps, agent).await?;
    let entry = written::audit(&mut steps, book, &wanted)?;
    written::denied(&mut steps, agent, book).await?;
    written::undone(&mut steps, agent, book).await?;
    calls::masked(&mut steps, agent, book).await?;
    calls::budget(&mut steps, agent).await?;
    calls::failover(&mut steps, agent, book).await?;
    written::proof(&mut steps, book, &entry)?;
    Ok(steps.0)
}

/// How many steps there were.
pub struct Steps(usize);

impl Steps {
    pub fn next(&mut self, title: &str) {
        self.0 += 1;
        say!("\n{}. {title}", self.0);
    }
}

pub fn asked(text: &str) {
    say!("   > {text}");
}

pub fn came(text: &str) {
    say!("   < {text}");
}

/// Waits for the gateway. Another one on the same port does not know the token.
async fn ready(agent: &Agent) -> anyhow::Result<()> {
    let began = Instant::now();
    while !agent.get("/staff").await.is_ok_and(|answer| answer.status == 200) {
        ensure!(began.elapsed() < PATIENCE, "the gateway does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
