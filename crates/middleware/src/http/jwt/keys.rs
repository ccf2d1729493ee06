//! Where the keys for tokens come from: the configuration, or the issuers.

use super::super::forward_auth::tls_settings;
use super::remote::{Fetch, Remote};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trilithon_flow::limits::MAX_ISSUERS;
use trilithon_flow::{Build, BuildError, Keep};
use trilithon_model::FileOrContent;
use trilithon_model::dynamic::http::{ClientConfig, Jwt as Config};
use trilithon_policy::token::{Key, KeySet, Origin, Refusal, Token, TokenClaims};
use trilithon_upstream::tls::{TlsSettings, read};

/// The keys of one middleware.
pub struct Keys {
    local: Vec<Key>,
    /// Sets of named issuers.
    issuers: Vec<(Box<str>, Arc<Remote>)>,
    /// The set for tokens of all others.
    others: Option<Arc<Remote>>,
    /// Sets of issuers that tokens name.
    named: Option<Arc<Named>>,
}

/// Why a token's signature is not verified.
pub enum Unverified {
    Refused(Refusal),
    /// The issuer's keys cannot be had: nothing is known of the token.
    NoKeys,
}

impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Unverified {
        Unverified::Refused(refusal)
    }
}

impl Keys {
    /// Reads what the configuration names, and starts to fetch the rest. Says also which texts the keys were made of:
    /// files change without their names.
    ///
    /// # Errors
    /// No keys at all, and keys or addresses that cannot be read.
    pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<(Keys, Vec<String>), BuildError> {
        let mut contents = Vec::new();
        let local = local(config, &mut contents)?;
        let client = Client::of(config.client_config.as_ref())?;
        let mut keys = Keys {
            local,
            issuers: Vec::new(),
            others: None,
            named: None,
        };
        for trusted in &config.trusted_issuers {
            let url = joined(&trusted.jwks_url, &trusted.issuer)?;
            let remote = client.remote(&url, cx)?;
            match trusted.issuer.as_str() {
                "" if keys.others.is_some() => {
                    return Err(BuildError::new(
                        "more than one of `trustedIssuers` has no `issuer`",
                    ));
                }
                "" => keys.others = Some(remote),
                issuer => keys.issuers.push((issuer.into(), remote)),
            }
        }
        match config.jwks_url.as_str() {
            "" => {}
            path if path.starts_with('/') => keys.named = Some(client.named(path, cx)),
            url if keys.others.is_none() => keys.others = Some(client.remote(url, cx)?),
            _ => {
                return Err(BuildError::new(
                    "`jwksUrl` and an entry of `trustedIssuers` without `issuer` mean the same: leave one out",
                ));
            }
        }
        if keys.is_empty() {
            let help = "write `signingSecret`, `publicKey`, `jwksFile`, `jwksUrl` or `trustedIssuers`";
            return Err(BuildError::new("`jwt` has no keys: nobody could pass").help(help));
        }
        Ok((keys, contents))
    }

    fn is_empty(&self) -> bool {
        self.local.is_empty() && self.issuers.is_empty() && self.others.is_none() && self.named.is_none()
    }

    /// Whether a token itself says where its keys are.
    pub fn trusts_anybody(&self) -> bool {
        self.named.is_some()
    }

    /// The set for tokens that say they are of `issuer`.
    ///
    /// # Errors
    /// There is none, and no key of our own either.
    pub fn remote(&self, issuer: Option<&str>) -> Result<Option<Arc<Remote>>, Refusal> {
        let trusted = self.issuers.iter().find(|(name, _)| Some(&**name) == issuer);
        if let Some(remote) = trusted.map(|(_, remote)| remote).or(self.others.as_ref()) {
            return Ok(Some(remote.clone()));
        }
        let named = self.named.as_ref().and_then(|named| named.remote(issuer?));
        match named {
            None if self.local.is_empty() => Err(Refusal::Issuer),
            remote => Ok(remote),
        }
    }

    /// Verifies a token's signature with the keys of ours and of `remote`. Waits for keys that are under way; fetches them
    /// anew if the token's key is not among them.
    ///
    /// # Errors
    /// It is not verified.
    pub async fn verify(
        &self,
        read: Token<'_>,
        text: &[u8],
        remote: Option<&Remote>,
    ) -> Result<TokenClaims, Unverified> {
        let Some(remote) = remote else {
            return Ok(read.verify(self.local.iter())?);
        };
        let set = remote.keys().await;
        let has_set = set.is_some();
        let unverified = match read.verify(self.with(set.as_deref())) {
            Ok(claims) => return Ok(claims),
            Err(refusal) => refusal,
        };
        if has_set && unverified != Refusal::UnknownKey {
            return Err(unverified.into());
        }
        match remote.newer_keys().await {
            Some(newer) => Ok(Token::read(text)?.verify(self.with(Some(&newer)))?),
            None if has_set => Err(unverified.into()),
            None => Err(Unverified::NoKeys),
        }
    }

    fn with<'a>(&'a self, set: Option<&'a KeySet>) -> impl Iterator<Item = &'a Key> {
        self.local.iter().chain(set.into_iter().flat_map(|set| &set.keys))
    }
}

fn local(config: &Config, contents: &mut Vec<String>) -> Result<Vec<Key>, BuildError> {
    let mut keys = Vec::new();
    let wrong = |option: &str, why: String| BuildError::new(format!("`{option}` cannot be used: {why}"));
    let secret = config.signing_secret.expose();
    refuse_store("signingSecret", secret)?;
    if !secret.is_empty() {
        let bytes = if config.signing_secret_base64_encoded {
            STANDARD
                .decode(secret.trim())
                .map_err(|_| wrong("signingSecret", "it is no Base64".to_owned()))?
        } else {
            secret.as_bytes().to_vec()
        };
        keys.push(Key::secret(None, &bytes).map_err(|why| wrong("signingSecret", why))?);
    }
    refuse_store("publicKey", config.public_key.as_str())?;
    if !config.public_key.is_empty() {
        let text = read(&config.public_key)?;
        keys.push(Key::from_pem(&text).map_err(|why| wrong("publicKey", why))?);
        contents.push(text);
    }
    refuse_store("jwksFile", config.jwks_file.as_str())?;
    if !config.jwks_file.is_empty() {
        let text = json(&config.jwks_file)?;
        let set = KeySet::parse(text.as_bytes(), Origin::Local).map_err(|why| wrong("jwksFile", why))?;
        keys.extend(set.keys);
        contents.push(text);
    }
    Ok(keys)
}

fn refuse_store(option: &str, text: &str) -> Result<(), BuildError> {
    if text.starts_with("urn:") {
        let message = format!("`{option}` names a secret store, and none is built yet");
        return Err(BuildError::new(message).help("write the key itself, or a path"));
    }
    Ok(())
}

/// JSON text, or that of a file.
fn json(option: &FileOrContent) -> Result<String, BuildError> {
    if option.as_str().trim_start().starts_with('{') {
        Ok(option.as_str().to_owned())
    } else {
        read(option)
    }
}

/// A URL, or a path below the issuer's.
fn joined(url: &str, issuer: &str) -> Result<String, BuildError> {
    match url {
        "" => Err(BuildError::new("an entry of `trustedIssuers` has no `jwksUrl`")),
        path if path.starts_with('/') && issuer.is_empty() => Err(BuildError::new(
            "an entry of `trustedIssuers` has a path as `jwksUrl` and no `issuer`",
        )
        .at(path, 0)),
        path if path.starts_with('/') => Ok(format!("{}{path}", issuer.trim_end_matches('/'))),
        url => Ok(url.to_owned()),
    }
}

/// How issuers are asked.
#[derive(Clone)]
struct Client {
    tls: TlsSettings,
    timeout: Duration,
    retries: u32,
    headers: Vec<(String, String)>,
    config: ClientConfig,
}

impl Client {
    fn of(config: Option<&ClientConfig>) -> Result<Client, BuildError> {
        let config = config.cloned().unwrap_or_default();
        let timeout = u64::try_from(config.timeout_seconds)
            .ok()
            .filter(|s| (1..=300).contains(s));
        let retries = u32::try_from(config.max_retries).ok().filter(|n| *n <= 10);
        let (Some(timeout), Some(retries)) = (timeout, retries) else {
            let help = "`timeoutSeconds` is 1 to 300, `maxRetries` 0 to 10";
            return Err(BuildError::new("`clientConfig` is out of bounds").help(help));
        };
        let headers = config.headers.iter();
        Ok(Client {
            tls: config
                .tls
                .as_ref()
                .map(tls_settings)
                .transpose()?
                .unwrap_or_default(),
            timeout: Duration::from_secs(timeout),
            retries,
            headers: headers.map(|(n, v)| (n.clone(), v.expose().to_owned())).collect(),
            config,
        })
    }

    fn fetch(&self, url: &str) -> Result<Fetch, BuildError> {
        Fetch::new(url, self.tls.clone(), self.timeout, self.retries, &self.headers)
    }

    /// The set at `url`; one for all middlewares that ask for it in the same way.
    fn remote(&self, url: &str, cx: &mut Build<'_>) -> Result<Arc<Remote>, BuildError> {
        let fetch = self.fetch(url)?;
        if !fetch.is_private() {
            cx.warnings.push(format!(
                "`{url}` is not `https`: whoever is on the way can replace the keys"
            ));
        }
        Ok(kept(cx.keep, url, &self.config, fetch))
    }

    /// The sets at `path` of the issuers that tokens name.
    fn named(&self, path: &str, cx: &Build<'_>) -> Arc<Named> {
        let name = format!("jwks {path} of {}", cx.state_name());
        cx.keep.get(&name, &self.config, || Named {
            path: path.into(),
            client: self.clone(),
            known: Mutex::default(),
        })
    }
}

fn kept(keep: &Keep, url: &str, config: &ClientConfig, fetch: Fetch) -> Arc<Remote> {
    keep.get(&format!("jwks {url}"), config, || Remote::start(fetch))
}

/// Sets of issuers that tokens name. Whoever sends tokens chooses what is asked here: so only HTTPS, or this host itself,
/// and no more than a few at a time.
struct Named {
    path: Box<str>,
    client: Client,
    known: Mutex<HashMap<Box<str>, Arc<Remote>>>,
}

impl Named {
    fn remote(&self, issuer: &str) -> Option<Arc<Remote>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = known.get(issuer) {
            return Some(remote.clone());
        }
        if issuer.len() > 512 || issuer.contains(['?', '#', '@', '\\']) {
            return None;
        }
        let url = format!("{}{}", issuer.trim_end_matches('/'), self.path);
        let fetch = self.client.fetch(&url).ok().filter(Fetch::is_private)?;
        if known.len() >= MAX_ISSUERS {
            known.retain(|_, remote| !remote.is_dead());
        }
        if known.len() >= MAX_ISSUERS {
            return None;
        }
        let remote = Arc::new(Remote::start(fetch));
        known.insert(issuer.into(), remote.clone());
        Some(remote)
    }
}
