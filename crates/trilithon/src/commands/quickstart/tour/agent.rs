//! The agent of the tour: a client of models and of tools that takes part in tracing, as any SDK with OpenTelemetry does.

use super::Stage;
use crate::commands::ask::{Answer, Server};
use anyhow::Context;
use aws_lc_rs::rand::fill;
use serde_json::{Value, json};
use trilithon_flow::{Headers, Method};

/// The revision of the Model Context Protocol that it speaks.
const REVISION: &str = "2026-07-28";

/// Who asks, and in which trace.
pub struct Agent {
    gateway: Server,
    authorization: String,
    /// W3C trace id.
    pub trace: String,
}

/// A call of a tool that a model wants.
pub struct Wanted {
    pub id: String,
    pub tool: String,
    pub arguments: Value,
}

impl Agent {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(stage: &Stage) -> anyhow::Result<Agent> {
        Ok(Agent {
            gateway: Server::at(&format!("http://127.0.0.1:{}", stage.web))?,
            authorization: format!("Bearer {}", stage.token),
            trace: random(16)?,
        })
    }

    /// What follows is another trace.
    ///
    /// # Errors
    /// As [`Agent::new`].
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.trace = random(16)?;
        Ok(())
    }

    /// The header that says who asks, for those who ask with a command.
    pub fn authorization_line(&self) -> String {
        format!("Authorization: {}", self.authorization)
    }

    /// A span of its own: the parent of what it asks for.
    fn place(&self) -> anyhow::Result<String> {
        Ok(format!("00-{}-{}-01", self.trace, random(8)?))
    }

    /// Asks for a page.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::Get, path, &[], None).await
    }

    /// Asks the model behind the route `name`, which may call `tools`; gives the status and the answer.
    ///
    /// # Errors
    /// Nobody answers, or not with JSON.
    pub async fn ask(&self, name: &str, text: &str, tools: &Value) -> anyhow::Result<(u16, Value)> {
        let mut body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]});
        if tools.as_array().is_some_and(|tools| !tools.is_empty()) {
            body["tools"] = tools.clone();
        }
        let place = self.place()?;
        let path = format!("/{name}/v1/chat/completions");
        let headers = [("traceparent", &*place), ("Content-Type", "application/json")];
        let answer = self
            .send(Method::Post, &path, &headers, Some(body.to_string()))
            .await?;
        Ok((answer.status, parsed(&answer)?))
    }

    /// Sends a message to the server of tools. Where in the trace it is asked stands in `_meta`, as does the id of the tool call.
    ///
    /// # Errors
    /// Nobody answers, or not with JSON.
    pub async fn message(
        &self,
        method: &str,
        params: &Value,
        call: Option<&str>,
    ) -> anyhow::Result<(u16, Value)> {
        let mut params = params.clone();
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!(REVISION);
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        meta["traceparent"] = json!(self.place()?);
        if let Some(id) = call {
            meta["gen_ai.tool.call.id"] = json!(id);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let headers = [
            ("MCP-Protocol-Version", REVISION),
            ("Mcp-Method", method),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        let answer = self.send(Method::Post, "/mcp", &headers, Some(body)).await?;
        Ok((answer.status, parsed(&answer)?))
    }

    /// Calls a tool as a model wants it.
    ///
    /// # Errors
    /// As [`Agent::message`].
    pub async fn call(&self, wanted: &Wanted) -> anyhow::Result<(u16, Value)> {
        let params = json!({"name": wanted.tool, "arguments": wanted.arguments});
        self.message("tools/call", &params, Some(&wanted.id)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let what = format!("cannot ask for {} {path}", method.as_str());
        let mut all = Headers::new();
        all.append("Authorization", &self.authorization);
        for (name, value) in headers {
            all.append(name, value);
        }
        self.gateway.ask(method, path, all, body).await.context(what)
    }
}

impl Wanted {
    /// The first tool call of a model's answer.
    pub fn of(answer: &Value) -> Option<Wanted> {
        let call = &answer["choices"][0]["message"]["tool_calls"][0];
        let arguments = call["function"]["arguments"].as_str()?;
        Some(Wanted {
            id: call["id"].as_str()?.to_owned(),
            tool: call["function"]["name"].as_str()?.to_owned(),
            arguments: serde_json::from_str(arguments).ok()?,
        })
    }
}

fn parsed(answer: &Answer) -> anyhow::Result<Value> {
    serde_json::from_slice(&answer.body)
        .with_context(|| format!("the answer ({}) is no JSON: {}", answer.status, answer.text()))
}

/// So many random bytes in hexadecimal digits.
fn random(bytes: usize) -> anyhow::Result<String> {
    let mut all = vec![0; bytes];
    fill(&mut all).context("cannot make an id")?;
    Ok(all.iter().map(|byte| format!("{byte:02x}")).collect())
}
