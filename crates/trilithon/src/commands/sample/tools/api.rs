//! The API that a tool asks, with a key of its own and with the caller's place in the trace.

use super::super::asked::Asked;
use crate::commands::ask::Question;
use serde_json::{Map, Value};
use trilithon_flow::target::escape_component;

/// W3C Trace Context and Baggage: members of a message's `_meta` (SEP-414), and headers.
const CONTEXT: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// Where orders are asked for.
pub struct Api {
    pub url: String,
    /// Goes as `X-API-Key`.
    pub key: Option<String>,
}

impl Api {
    /// The orders, or why there are none.
    pub async fn orders(&self, customer: Option<&str>, context: &[(&str, String)]) -> Result<Value, String> {
        let query = customer.map_or_else(String::new, |name| {
            format!("?customer={}", escape_component(name))
        });
        let url = format!("{}{query}", self.url);
        let mut headers: Vec<(&str, &str)> = context
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        headers.extend(self.key.as_deref().map(|key| ("X-API-Key", key)));
        let question = Question {
            method: "GET",
            url: &url,
            headers: &headers,
            body: &[],
        };
        let answer = question.ask().await;
        let answer = answer.map_err(|error| format!("the API does not answer: {error}"))?;
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
