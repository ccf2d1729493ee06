//! What the gateway wrote down, asked for with its own commands.

use super::Stage;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for what is written a moment later.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// This program, and the store of the gateway.
pub struct Book {
    program: PathBuf,
    store: PathBuf,
}

impl Book {
    /// # Errors
    /// The program cannot be found.
    pub fn new(stage: &Stage) -> anyhow::Result<Book> {
        Ok(Book {
            program: std::env::current_exe().context("cannot find this program")?,
            store: stage.store.clone(),
        })
    }

    /// Runs a command about the store; gives what it printed.
    ///
    /// # Errors
    /// It ends with another exit than 0.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let done = Command::new(&self.program)
            .args(arguments)
            .arg("--store")
            .arg(&self.store)
            .output()
            .context("cannot run this program")?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let complained = String::from_utf8_lossy(&done.stderr);
        // Arguments may hold a token.
        let command = arguments.first().copied().unwrap_or_default();
        ensure!(
            done.status.success(),
            "`trilithon {command}` failed: {said}{complained}"
        );
        Ok(said)
    }

    /// The lines that `audit show` prints with these options, once there are as many.
    ///
    /// # Errors
    /// There never are.
    pub fn lines(&self, options: &[&str], count: usize) -> anyhow::Result<Vec<String>> {
        let arguments = [&["audit", "show"], options].concat();
        patiently(|| {
            let lines: Vec<String> = self.run(&arguments)?.lines().map(str::to_owned).collect();
            Ok((lines.len() >= count).then_some(lines))
        })
        .with_context(|| format!("`trilithon {}` should show {count}", arguments.join(" ")))
    }

    /// The last entry of a trace.
    ///
    /// # Errors
    /// There is none.
    pub fn entry(&self, trace: &str) -> anyhow::Result<Value> {
        let lines = self.lines(&["--trace", trace, "-n", "1", "-o", "json"], 1)?;
        let line: Value = serde_json::from_str(&lines[0])?;
        Ok(line["entry"].clone())
    }

    /// Runs a command until it succeeds: what was written this moment is signed a moment later.
    ///
    /// # Errors
    /// It never does.
    pub fn eventually(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut last = None;
        let said = patiently(|| match self.run(arguments) {
            Ok(said) => Ok(Some(said)),
            Err(error) => {
                last = Some(error);
                Ok(None)
            }
        });
        said.map_err(|late| last.unwrap_or(late))
    }
}

/// Looks until there is something.
///
/// # Errors
/// There is nothing in time, or `look` fails.
pub fn patiently<T>(mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(began.elapsed() < PATIENCE, "it did not come within {PATIENCE:?}");
        std::thread::park_timeout(PAUSE);
    }
}
