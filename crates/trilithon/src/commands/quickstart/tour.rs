//! `trilithon quickstart --tour`: one agent's work, played against the quickstart that runs in this process.
//!
//! Whatever is printed is made of an answer that just came; the first that is not as it should be ends the tour, and the process with
//! exit 1.

mod agent;
mod calls;
mod play;
mod record;
mod written;

use crate::commands::ask;
use agent::Agent;
use anyhow::Context;
use record::Book;
use rustix::process::{Signal, getpid, kill_process};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Instant;

/// Where the tour is played.
pub struct Stage {
    /// Port of the entry point that everything goes through.
    pub web: u16,
    /// A token of subject `ada`.
    pub token: String,
    pub store: PathBuf,
}

/// A tour that is being played.
pub struct Tour(JoinHandle<anyhow::Result<()>>);

impl Tour {
    /// Plays as soon as the gateway answers, and then ends the process in order.
    pub fn start(stage: Stage) -> Tour {
        Tour(std::thread::spawn(move || {
            let played = play(&stage);
            if let Err(error) = &played {
                eprintln!("\nthe tour ends here: {error:#}");
            }
            // As Ctrl-C does: the gateway drains, and its store is put away.
            kill_process(getpid(), Signal::TERM).context("cannot end the gateway")?;
            played
        }))
    }

    /// What came of it, once the gateway has ended.
    ///
    /// # Errors
    /// Something was not as it should be; it was said already.
    pub fn outcome(self) -> anyhow::Result<()> {
        self.0.join().map_err(|_| anyhow::anyhow!("the tour broke off"))?
    }
}

fn play(stage: &Stage) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut agent = Agent::new(stage)?;
    let book = Book::new(stage)?;
    let steps = ask::run(play::all(&mut agent, &book))?;
    say!(
        "\nAll {steps} steps went as they should, in {:.1} s. `trilithon quickstart` serves the same to try by hand.",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
