//! `trilithon healthcheck [flags]`: asks a running gateway of the same configuration for `/ping`.

use crate::install;
use anyhow::Context;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;
use trilithon_model::install::Static;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a status line.
const MAX_LINE: u64 = 1024;

/// Exit 0 when the answer is 200, 1 otherwise.
///
/// # Errors
/// The configuration has no ping, or nobody answers.
pub fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let loaded = install::from_process(args);
    if loaded.problems.has_errors() {
        install::print(&loaded.problems);
        return Ok(ExitCode::FAILURE);
    }
    match check(&loaded.config) {
        Ok((200, _, url)) => {
            say!("OK: {url}");
            Ok(ExitCode::SUCCESS)
        }
        Ok((status, reason, _)) => {
            say!("Bad healthcheck status: {status} {reason}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            say!("Error calling healthcheck: {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The status, its reason, and the URL that was asked.
fn check(config: &Static) -> anyhow::Result<(u16, String, String)> {
    let ping = config
        .ping
        .as_ref()
        .context("please enable `ping` to use health check")?;
    let entry_point = config
        .entry_points
        .get(&ping.entry_point)
        .with_context(|| format!("ping: missing {} entry point", ping.entry_point))?;
    let mut address = entry_point.parsed_address().map_err(anyhow::Error::msg)?;
    let url = format!("http://{}/ping", address.host_port());
    if matches!(address.host.as_str(), "" | "0.0.0.0" | "::") {
        address.host = "127.0.0.1".into();
    }
    let (status, reason) = ask(&address.host_port())?;
    Ok((status, reason, url))
}

fn ask(address: &str) -> anyhow::Result<(u16, String)> {
    let to = address
        .to_socket_addrs()?
        .next()
        .context("the address names no host")?;
    let mut tcp = TcpStream::connect_timeout(&to, TIMEOUT)?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    tcp.set_write_timeout(Some(TIMEOUT))?;
    write!(
        tcp,
        "HEAD /ping HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut line = String::new();
    BufReader::new(tcp.take(MAX_LINE)).read_line(&mut line)?;
    let mut words = line.trim_end().splitn(3, ' ').skip(1);
    let status = words
        .next()
        .and_then(|s| s.parse().ok())
        .context("the answer is no HTTP")?;
    Ok((status, words.next().unwrap_or_default().to_owned()))
}
