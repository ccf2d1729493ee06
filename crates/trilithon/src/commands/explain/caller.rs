//! Who asks, as `explain` is told: what an authentication would have made out.

use serde_json::{Map, Value};
use std::sync::Arc;
use trilithon_flow::{Credential, Identity};

/// What is said of the caller; nothing means that nobody is made out.
#[derive(Default)]
pub struct Caller {
    claims: Option<Map<String, Value>>,
    subject: Option<String>,
    issuer: Option<String>,
    application: Option<String>,
    groups: Vec<String>,
}

const OPTIONS: [&str; 5] = [
    "--jwt-claims",
    "--subject",
    "--issuer",
    "--application",
    "--group",
];

impl Caller {
    /// Whether an option is one of these.
    pub fn knows(option: &str) -> bool {
        OPTIONS.contains(&option)
    }

    /// Takes one option.
    ///
    /// # Errors
    /// Claims that are no JSON object.
    pub fn take(&mut self, option: &str, value: String) -> anyhow::Result<()> {
        match option {
            "--jwt-claims" => {
                let claims = serde_json::from_str(&value);
                let claims = claims.map_err(|e| anyhow::anyhow!("`--jwt-claims` is no JSON object: {e}"))?;
                self.claims = Some(claims);
            }
            "--subject" => self.subject = Some(value),
            "--issuer" => self.issuer = Some(value),
            "--application" => self.application = Some(value),
            _ => self.groups.push(value),
        }
        Ok(())
    }

    /// The identity. What is not said is taken from the claims that say it in a token.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        let said = [&self.subject, &self.issuer, &self.application];
        if self.claims.is_none() && self.groups.is_empty() && said.iter().all(|s| s.is_none()) {
            return None;
        }
        let claims = self.claims.clone().unwrap_or_default();
        let claim = |names: &[&str]| {
            let found = names.iter().find_map(|n| claims.get(*n)?.as_str());
            found.unwrap_or_default().to_owned()
        };
        let or = |said: &Option<String>, names: &[&str]| said.clone().unwrap_or_else(|| claim(names));
        let credential = if self.claims.is_some() {
            Credential::Jwt
        } else {
            Credential::Forward
        };
        let mut identity = Identity::new(credential, or(&self.subject, &["sub"]));
        identity.issuer = or(&self.issuer, &["iss"]).into();
        identity.application = or(&self.application, &["azp", "client_id"]).into();
        identity.credential_id = claim(&["jti"]).into();
        identity.groups = self.groups.iter().map(|g| g.as_str().into()).collect();
        if self.groups.is_empty() {
            let listed = claims
                .get("groups")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            identity.groups = listed.filter_map(Value::as_str).map(Into::into).collect();
        }
        identity.claims = claims;
        Some(Arc::new(identity))
    }
}
