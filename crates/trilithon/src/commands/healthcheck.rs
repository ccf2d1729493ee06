//! `trilithon healthcheck [flags]`: asks a running gateway of the same configuration for `/ping`.

use crate::install;
use anyhow::Context;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

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
    let config = &loaded.config;
    let ping = config
        .ping
        .as_ref()
        .context("please enable `ping` to use healthcheck")?;
    let entry_point = config
        .entry_points
        .get(&ping.entry_point)
        .with_context(|| format!("there is no entry point `{}`", ping.entry_point))?;
    let mut address = entry_point.parsed_address().map_err(anyhow::Error::msg)?;
    if matches!(address.host.as_str(), "" | "0.0.0.0" | "::") {
        address.host = "127.0.0.1".into();
    }
    let base = config
        .api
        .as_ref()
        .map_or("/", |a| a.base_path.as_str())
        .trim_end_matches('/');
    let _ = base;
    let url = format!("http://{}/ping", address.host_port());
    match ask(&address.host_port()) {
        Ok(200) => {
            say!("OK: {url}");
            Ok(ExitCode::SUCCESS)
        }
        Ok(status) => {
            say!("Bad healthcheck status: {status}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            say!("Error calling healthcheck: {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn ask(address: &str) -> anyhow::Result<u16> {
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
    let mut head = [0u8; 12];
    tcp.read_exact(&mut head)?;
    std::str::from_utf8(&head[9..])?
        .parse()
        .context("the answer is no HTTP")
}
