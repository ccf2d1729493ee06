//! Requests to the gateway's own entry point, as whoever undoes.

use crate::commands::ask::{Answer, Server, Trust};
use crate::undo::Plan;
use anyhow::Context;
use serde_json::Value;
use trilithon_flow::undo::TICKET;
use trilithon_flow::{Headers, Known, Method};
use trilithon_wire::headers::is_token;

/// Who sends: to one host of one entry point, with the headers of whoever undoes.
pub struct Client {
    server: Server,
    headers: Vec<(String, String)>,
}

/// What came of the call that undoes: what was said, good or bad.
pub type Outcome = Result<String, String>;

impl Client {
    /// # Errors
    /// The entry point is not there any more; a header that is none.
    pub fn new(plan: &Plan, headers: &[(String, String)], trust: &Trust) -> anyhow::Result<Client> {
        let request = &plan.entry["request"];
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let address = plan.address.with_context(|| {
            format!(
                "this gateway has no entry point `{}` any more",
                text("entryPoint")
            )
        })?;
        for (name, value) in headers {
            let fits = !name.is_empty() && name.bytes().all(is_token) && !value.contains(['\r', '\n', '\0']);
            anyhow::ensure!(fits, "`{name}` is no header");
        }
        let scheme = match &*text("scheme") {
            "https" => "https",
            _ => "http",
        };
        Ok(Client {
            server: Server::as_host(&format!("{scheme}://{address}"), text("host"), trust)?,
            headers: headers.to_vec(),
        })
    }

    /// The call of a plain contract.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn compensate(&self, plan: &Plan, ticket: &str) -> anyhow::Result<Outcome> {
        let text = |name: &str| plan.call.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut headers = Headers::new();
        for (name, value) in plan
            .call
            .get("headers")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            headers.append(name, value.as_str().unwrap_or_default());
        }
        headers.append(TICKET, ticket);
        let body = plan.call.get("body").map(Value::to_string);
        if body.is_some() {
            headers.set_known(Known::ContentType, "application/json");
        }
        let method = Method::of(text("method").as_bytes());
        let said = self.send(method, text("path"), headers, body).await?;
        let what = format!("{} {}", said.status, trilithon_flow::status::text(said.status));
        Ok(match said.status {
            200..400 => Ok(what),
            _ => Err(format!("{what}{}", said.words())),
        })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: Headers,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        for (name, value) in &self.headers {
            headers.set(name, value);
        }
        self.server.ask(method, path, headers, body).await
    }
}
