//! Building the service: what the configuration may say, and what outlives a reload.

use super::kept::{self, Tapes};
use super::lines::Lines;
use super::opened::Opened;
use super::parked::{Bounds, Parked, Turns};
use super::server::Server;
use super::stream::Places;
use super::table::Table;
use super::{Federation, McpServers};
use crate::service::Child;
use std::sync::Arc;
use trilithon_flow::{BuildError, Keep};
use trilithon_mcp::{Naming, Seal};
use trilithon_model::dynamic::http::McpServers as Config;

const MOST_SERVERS: usize = 64;
/// Bytes of a secret that cannot be guessed, if it was made by chance.
const SHORTEST_SECRET: usize = 32;
/// Longest prefix or name of a server: names of tools have 128 characters in all.
const LONGEST_NAME: usize = 64;

impl McpServers {
    /// The service with the qualified name `name`. `children` are the services of the configuration's servers, in order.
    ///
    /// # Errors
    /// No server or too many; names, prefixes or a separator that clients would not take, or that are there twice; a secret that
    /// is too short; numbers that are none.
    pub fn build(
        name: &str,
        config: &Config,
        children: Vec<Child>,
        keep: &Keep,
    ) -> Result<McpServers, BuildError> {
        check_servers(config)?;
        let sessions = config.sessions.clone().unwrap_or_default();
        for secret in &sessions.secrets {
            if secret.expose().len() < SHORTEST_SECRET {
                return Err(BuildError::new(format!(
                    "a secret in `sessions.secrets` is shorter than {SHORTEST_SECRET} bytes"
                ))
                .help("make one with `openssl rand -base64 32`"));
            }
        }
        let max_age = sessions.max_age.to_std().as_secs();
        let waiting = config.parked_calls.clone().unwrap_or_default();
        if max_age == 0 || config.timeout.to_std().is_zero() || waiting.max_age.to_std().is_zero() {
            return Err(BuildError::new(
                "`sessions.maxAge`, `parkedCalls.maxAge` and `timeout` must be longer than zero",
            )
            .help("write times such as `24h` and `10s`"));
        }
        let number = |option: &str, value: i64| {
            let fits = u64::try_from(value).ok().filter(|n| *n > 0);
            fits.ok_or_else(|| {
                BuildError::new(format!("`{option}` is {value}")).help("write a number from 1 on")
            })
        };
        let max_streams = number("maxStreams", config.max_streams)?;
        let count = |option: &str, value: i64| {
            number(option, value).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        };
        let bounds = Bounds {
            max: count("parkedCalls.max", waiting.max)?,
            max_per_caller: count("parkedCalls.maxPerCaller", waiting.max_per_caller)?,
            max_age: waiting.max_age.to_std(),
        };
        let replay = config.replay.clone().unwrap_or_default();
        let kept = kept::Bounds {
            max_age: replay.max_age.to_std(),
            max_stream_bytes: count("replay.maxStreamBytes", replay.max_stream_bytes)?,
            max_bytes: count("replay.maxBytes", replay.max_bytes)?,
            max_per_caller: count("replay.maxPerCaller", replay.max_per_caller)?,
        };
        let servers = config.servers.iter().zip(children).map(|(server, child)| {
            let naming = Naming::new(prefix(config, server), &config.separator);
            Arc::new(Server::build(name, server, naming, child.backend, keep))
        });
        let secrets = sessions.secrets.iter().map(|s| s.expose().as_bytes());
        Ok(McpServers(Arc::new(Federation {
            name: name.into(),
            servers: servers.collect(),
            seal: keep.get(name, &sessions.secrets, || Seal::new(secrets)),
            opened: Opened::default(),
            table: keep.get(name, &(), Table::default),
            parked: keep.get(name, &(), || Parked::new(name)),
            parking: bounds,
            turns: keep.get(name, &(), Turns::default),
            lines: keep.get(name, &(), Lines::default),
            places: keep.get(name, &max_streams, || Places::new(max_streams)),
            tapes: keep.get(name, &kept, || Tapes::new(kept)),
            max_age,
            timeout: config.timeout.to_std(),
            max_body: number("maxRequestBodySize", config.max_request_body_size)?,
            keep_alive: Some(config.keep_alive.to_std()).filter(|d| !d.is_zero()),
        })))
    }
}

/// The prefix of a server, which has its name for one where there are others.
fn prefix<'c>(config: &'c Config, server: &'c trilithon_model::dynamic::http::McpServer) -> &'c str {
    match &server.prefix {
        Some(prefix) => prefix,
        None if config.servers.len() == 1 => "",
        None => &server.name,
    }
}

fn check_servers(config: &Config) -> Result<(), BuildError> {
    let count = config.servers.len();
    if count == 0 || count > MOST_SERVERS {
        return Err(BuildError::new(format!(
            "`mcpServers` has {count} servers, not 1 to {MOST_SERVERS}"
        ))
        .help("name the services to ask in `servers`"));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if config.separator.is_empty() || !config.separator.bytes().all(fits) {
        return Err(BuildError::new(format!(
            "`separator` is `{}`, which clients take in no name",
            config.separator
        ))
        .help("write `_`, `.` or `-`, or several of them")
        .at(&config.separator, 0));
    }
    let mut names: Vec<String> = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    for server in &config.servers {
        let prefix = prefix(config, server);
        check_name("name", &server.name)?;
        if !prefix.is_empty() {
            check_name("prefix", prefix)?;
        }
        for (seen, option, written) in [
            (&mut names, "name", &*server.name),
            (&mut prefixes, "prefix", prefix),
        ] {
            // Addresses do not tell case apart, and a prefix stands in them.
            let small = written.to_ascii_lowercase();
            if seen.contains(&small) {
                return Err(
                    BuildError::new(format!("two servers have the {option} `{written}`"))
                        .help("give each server its own; one may have an empty prefix")
                        .at(written, 0),
                );
            }
            seen.push(small);
        }
    }
    Ok(())
}

/// Names stand in addresses as a scheme does (RFC 3986 §3.1), and in the ids of events.
fn check_name(option: &str, written: &str) -> Result<(), BuildError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let good = written.len() <= LONGEST_NAME
        && written.bytes().all(fits)
        && written.starts_with(|c: char| c.is_ascii_alphabetic());
    match good {
        true => Ok(()),
        false => Err(
            BuildError::new(format!("`servers.{option}` is `{written}`")).help(format!(
                "write a letter, then letters, digits, `-` and `.`, at most {LONGEST_NAME}"
            )),
        ),
    }
}
