//! The API that a tool asks, with a key of its own and with the caller's place in the trace.

use super::super::asked::Asked;
use crate::commands::ask::{self, Server};
use anyhow::Context;
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use trilithon_flow::target::escape_component;
use trilithon_flow::{Headers, Method};

/// W3C Trace Context and Baggage: members of a message's `_meta` (SEP-414), and headers.
const CONTEXT: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// Where orders are asked for.
pub struct Api {
    server: Server,
    /// Goes as `X-API-Key`.
    key: Option<String>,
}

impl Api {
    /// # Errors
    /// `url` is none.
    pub fn new(url: &str, key: Option<String>) -> anyhow::Result<Api> {
        let server = Server::at(url).context("`--api`")?;
        Ok(Api { server, key })
    }

    /// The orders, or why there are none.
    pub async fn orders(&self, customer: Option<&str>, context: &[(&str, String)]) -> Result<Value, String> {
        let mut target = self.server.target();
        if let Some(name) = customer {
            target.push(if target.contains('?') { '&' } else { '?' });
            target += &format!("customer={}", escape_component(name));
        }
        let mut headers = Headers::new();
        for (name, value) in context {
            headers.append(name, value);
        }
        if let Some(key) = &self.key {
            headers.append("X-API-Key", key);
        }
        let server = self.server.clone();
        // The gateway's client stays on one thread; samples do not.
        let asking =
            spawn_blocking(move || ask::run(async { server.ask(Method::Get, &target, headers, None).await }));
        let answer = asking.await.map_err(anyhow::Error::from).flatten();
        let answer = answer.map_err(|error| format!("the API does not answer: {error:#}"))?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map_err(|_| "the API answered no JSON".to_owned()),
            status => Err(format!("the API answered {status}")),
        }
    }
}

/// The caller's place in its trace: what the message says, else what the headers say.
pub fn context(params: &Map<String, Value>, asked: &Asked) -> Vec<(&'static str, String)> {
    let said = |name: &&str| params.get("_meta")?.get(*name)?.as_str().map(str::to_owned);
    let is_said = CONTEXT.iter().any(|name| said(name).is_some());
    let of = |name: &'static str| {
        let value = match is_said {
            true => said(&name),
            false => asked.headers.get_str(name).map(str::to_owned),
        };
        // No other bytes belong into a header.
        Some((
            name,
            value.filter(|v| v.bytes().all(|b| (b' '..=b'~').contains(&b)))?,
        ))
    };
    CONTEXT.into_iter().filter_map(of).collect()
}
