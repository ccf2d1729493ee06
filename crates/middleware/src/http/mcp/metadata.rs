//! `resourceMetadata`: the document for clients that have no token yet (RFC 9728), and telling them where it is.

use trilithon_flow::{BuildError, Edit, Exchange, Known, Method, Record, Request, Response, Step};
use trilithon_mcp::challenge::{bare, with_metadata};
use trilithon_mcp::metadata::{Resource, check, document};
use trilithon_model::dynamic::http::{Mcp as Config, McpResourceMetadata};
use trilithon_rule::canonical_host;

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
    Some(Step::edit(Challenge::All(url)))
}

/// The same for a router that leads to others, which it does not choose before it refuses: told are the metadata of the nearest
/// resource at or above what was asked for. `None` without resources.
pub fn challenge_of(resources: Vec<Resource>) -> Option<Step> {
    let with_url = |resource: Resource| (resource.url().into(), resource);
    let all: Box<[_]> = resources.into_iter().map(with_url).collect();
    (!all.is_empty()).then(|| Step::edit(Challenge::Nearest(all)))
}

/// The address of the metadata.
enum Challenge {
    All(Box<str>),
    Nearest(Box<[(Box<str>, Resource)]>),
}

impl Challenge {
    fn url(&self, record: &Record) -> Option<&str> {
        match self {
            Challenge::All(url) => Some(url),
            Challenge::Nearest(all) => {
                let host = canonical_host(record.host.as_bytes());
                let path = record.target.split('?').next().unwrap_or_default();
                let covering = all.iter().filter(|(_, resource)| {
                    canonical_host(resource.host().as_bytes()) == host && resource.covers(path)
                });
                let nearest = covering.max_by_key(|(_, resource)| resource.path.len());
                nearest.map(|(url, _)| &**url)
            }
        }
    }
}

impl Edit for Challenge {
    fn response(&self, res: &mut Response, cx: &mut Exchange) {
        if res.status != 401 && res.status != 403 {
            return;
        }
        let Some(url) = self.url(&cx.record) else {
            return;
        };
        let name = Known::WwwAuthenticate.name();
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        let lines: Vec<String> = res.headers.get_all(name.as_bytes()).map(text).collect();
        if res.status == 401 && lines.is_empty() {
            res.headers.append(name, bare(url));
            return;
        }
        let told = lines.iter().map(|line| with_metadata(line, url));
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
