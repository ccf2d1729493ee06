//! `resourceMetadata`: the document for clients that have no token yet (RFC 9728), and telling them where it is.

use trilithon_flow::{BuildError, Edit, Exchange, Known, Method, Request, Response, Step};
use trilithon_mcp::challenge::{bare, with_metadata};
use trilithon_mcp::metadata::{Resource, check, document};
use trilithon_model::dynamic::http::{Mcp as Config, McpResourceMetadata};

/// The document, and where it is served.
pub struct Metadata {
    path: Box<str>,
    document: bytes::Bytes,
}

/// Host and path of a document that is to be served; `None` without metadata, or with some that cannot be.
pub fn well_known(config: &Config) -> Option<Resource> {
    let metadata = config.resource_metadata.as_ref()?;
    Resource::parse(&metadata.resource).ok()
}

impl Metadata {
    /// # Errors
    /// An address that is none.
    pub fn build(config: &Config) -> Result<Option<Metadata>, BuildError> {
        let Some(metadata) = &config.resource_metadata else {
            return Ok(None);
        };
        let resource = resource(metadata)?;
        Ok(Some(Metadata {
            path: resource.path.into(),
            document: document(
                &metadata.resource,
                &metadata.authorization_servers,
                &metadata.scopes_supported,
                &metadata.resource_documentation,
            )
            .into(),
        }))
    }

    /// The document, if it is what is asked for. Everybody may read it, pages of other sites too: a client in a browser has
    /// nothing else to begin with.
    pub fn answer(&self, req: &Request) -> Option<Response> {
        if req.target.path() != &*self.path {
            return None;
        }
        let mut res = match req.method {
            Method::Get | Method::Head => Response::bare(200, self.document.clone()),
            Method::Options => Response::new(204),
            _ => Response::status_text(405),
        };
        if res.status == 200 {
            res.headers.set_known(Known::ContentType, "application/json");
        } else {
            res.headers.append("Allow", "GET, HEAD, OPTIONS");
        }
        for (name, value) in [
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Methods", "GET, HEAD"),
            ("Access-Control-Allow-Headers", "*"),
        ] {
            res.headers.append(name, value);
        }
        Some(res)
    }
}

fn resource(metadata: &McpResourceMetadata) -> Result<Resource, BuildError> {
    let mistake = |option: &str, address: &str, why: &dyn std::fmt::Display| {
        BuildError::new(format!("`resourceMetadata.{option}` `{address}`: {why}"))
            .at(address, 0)
            .help("write a whole address, such as `https://mcp.example.com/mcp`")
    };
    for issuer in &metadata.authorization_servers {
        check(issuer).map_err(|why| mistake("authorizationServers", issuer, &why))?;
    }
    Resource::parse(&metadata.resource).map_err(|why| mistake("resource", &metadata.resource, &why))
}

/// The step that stands before everything that asks who is there, and tells those who are refused where the metadata are; `None`
/// without metadata.
pub fn challenge(config: &Config) -> Option<Step> {
    let url = well_known(config)?.url().into();
    Some(Step::edit(Challenge { url }))
}

struct Challenge {
    url: Box<str>,
}

impl Edit for Challenge {
    fn response(&self, res: &mut Response, _: &mut Exchange) {
        if res.status != 401 && res.status != 403 {
            return;
        }
        let name = Known::WwwAuthenticate.name();
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        let lines: Vec<String> = res.headers.get_all(name.as_bytes()).map(text).collect();
        if res.status == 401 && lines.is_empty() {
            res.headers.append(name, bare(&self.url));
            return;
        }
        let told = lines.iter().map(|line| with_metadata(line, &self.url));
        if told.clone().any(|line| line.is_some()) {
            let told: Vec<String> = told
                .zip(&lines)
                .map(|(told, line)| told.unwrap_or_else(|| line.clone()))
                .collect();
            res.headers.remove(name);
            told.iter().for_each(|line| res.headers.append(name, line));
        }
    }
}
