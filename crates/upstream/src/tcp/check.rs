//! The active check of a TCP server: connect, say something, compare the answer. Each step is optional but the first.

use super::Target;
use super::dial::reach;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trilithon_model::dynamic::tcp::HealthCheck;

/// How one server is asked.
pub struct Check {
    target: Target,
    port: u16,
    send: String,
    expect: String,
}

impl Check {
    pub fn new(config: &HealthCheck, target: Target) -> Check {
        let given = u16::try_from(config.port).ok().filter(|port| *port != 0);
        Check {
            port: given.unwrap_or(target.server.port),
            target,
            send: config.send.clone(),
            expect: config.expect.clone(),
        }
    }

    /// Asks once. The caller bounds the time.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub async fn run(&self) -> Result<(), String> {
        let failed = |e: std::io::Error| e.to_string();
        let mut stream = reach(&self.target, self.port, None).await.map_err(failed)?;
        if !self.send.is_empty() {
            stream.write_all(self.send.as_bytes()).await.map_err(failed)?;
            stream.flush().await.map_err(failed)?;
        }
        let mut answer = vec![0; self.expect.len()];
        stream.read_exact(&mut answer).await.map_err(failed)?;
        if answer == self.expect.as_bytes() {
            return Ok(());
        }
        Err("unexpected health check response".to_owned())
    }
}
