//! Active checks by an HTTP request.

use super::own_exchange;
use crate::{Origin, Transport, send};
use std::sync::Arc;
use trilithon_flow::{BuildError, Headers, Known, Method, Request, Response, Target};
use trilithon_model::dynamic::http::HealthCheck;

/// The request that asks one server, and what it has to answer.
pub struct Ask {
    transport: Arc<Transport>,
    origin: Origin,
    target: Target,
    method: Method,
    headers: Headers,
    /// The only good status; 0: any of 2xx and 3xx.
    status: i64,
    follow_redirects: bool,
}

/// Redirections in a row that are followed.
const MAX_REDIRECTS: usize = 10;

impl Ask {
    /// For the server at `url`.
    ///
    /// # Errors
    /// When `path` is not a path, or the URL that results is none.
    pub fn new(config: &HealthCheck, url: &str, transport: &Arc<Transport>) -> Result<Ask, BuildError> {
        let server = Origin::parse(url)?;
        let target = resolve(&server.path, server.query.as_deref(), &config.path)?;
        let origin = reach(&server, url, config)?;
        let host = if config.hostname.is_empty() {
            &*origin.authority
        } else {
            &config.hostname
        };
        let mut headers = Headers::new();
        headers.set_known(Known::Host, host);
        headers.append("User-Agent", "trilithon-health-check");
        for (name, value) in config
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
        {
            headers.set(name, value);
        }
        Ok(Ask {
            transport: transport.clone(),
            origin,
            target: Target::new(&target),
            method: if config.method.is_empty() {
                Method::Get
            } else {
                Method::of(config.method.as_bytes())
            },
            headers,
            status: config.status,
            follow_redirects: config.follow_redirects.unwrap_or(true),
        })
    }

    /// Asks. `Err` says why the server is unwell.
    pub async fn run(&self) -> Result<(), String> {
        let status = self.final_status().await?;
        match self.status {
            0 if (200..400).contains(&status) => Ok(()),
            0 => Err(format!("received error status code: {status}")),
            wanted if wanted == i64::from(status) => Ok(()),
            wanted => Err(format!(
                "received error status code: {status} expected status code: {wanted}"
            )),
        }
    }

    async fn final_status(&self) -> Result<u16, String> {
        let mut req = Request {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            ..Request::default()
        };
        let mut origin = self.origin.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut again = req.clone_head();
            let mut res = send(&self.transport, &origin, req, &mut own_exchange())
                .await
                .map_err(|f| f.to_string())?;
            crate::replay::discard(res.body.take()).await;
            let Some(location) = self.redirection(&res) else {
                return Ok(res.status);
            };
            if res.status < 307 && again.method != Method::Head {
                again.method = Method::Get;
            }
            follow(&location, &mut again, &mut origin).map_err(|error| error.message)?;
            req = again;
        }
        Err(format!("stopped after {MAX_REDIRECTS} redirects"))
    }

    fn redirection(&self, res: &Response) -> Option<String> {
        let moved = self.follow_redirects && matches!(res.status, 301 | 302 | 303 | 307 | 308);
        if moved {
            res.headers.get_str("Location").map(str::to_owned)
        } else {
            None
        }
    }
}

/// Points `req` and `origin` to where `location` says.
fn follow(location: &str, req: &mut Request, origin: &mut Origin) -> Result<(), BuildError> {
    let absolute = match location.strip_prefix("//") {
        Some(_) => Some(format!("{}:{location}", scheme(&origin.url))),
        None if location.starts_with("http://") || location.starts_with("https://") => {
            Some(location.to_owned())
        }
        None => None,
    };
    let target = match absolute {
        Some(url) => {
            *origin = Origin::parse(&url)?;
            req.headers.set_known(Known::Host, &*origin.authority);
            resolve(&origin.path, origin.query.as_deref(), "")?
        }
        None => resolve(req.target.path(), req.target.query(), location)?,
    };
    req.target = Target::new(&target);
    Ok(())
}

/// The server with the scheme and port that the checks use.
pub(super) fn reach(server: &Origin, url: &str, config: &HealthCheck) -> Result<Origin, BuildError> {
    if config.scheme.is_empty() && config.port == 0 {
        return Ok(server.clone());
    }
    let scheme = if config.scheme.is_empty() {
        scheme(url)
    } else {
        &config.scheme
    };
    let authority = match config.port {
        0 => server.authority.to_string(),
        port if server.host.contains(':') => format!("[{}]:{port}", server.host),
        port => format!("{}:{port}", server.host),
    };
    Origin::parse(&format!("{scheme}://{authority}"))
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("http", |(scheme, _)| scheme)
}

/// Path and query of `reference` seen from a base (RFC 3986 §5.2). A reference that names another server is refused.
fn resolve(base: &str, base_query: Option<&str>, reference: &str) -> Result<String, BuildError> {
    let reference = reference.split('#').next().unwrap_or_default();
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    if path.starts_with("//") || path.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err(BuildError::new(format!(
            "health check path must be a relative URL, got: {reference:?}"
        )));
    }
    let (path, query) = match path {
        "" => (base.to_owned(), query.or(base_query)),
        _ if path.starts_with('/') => (without_dots(path), query),
        _ => {
            let folder = base.rfind('/').map_or("/", |at| &base[..=at]);
            (without_dots(&format!("{folder}{path}")), query)
        }
    };
    let path = if path.is_empty() { "/" } else { &path };
    Ok(match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

/// A path without `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut folder = false;
    for part in path.split('/').skip(1) {
        folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if folder {
        parts.push("");
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |base: &str, reference: &str, want: &str| {
            let got = resolve(base, None, reference).unwrap_or_else(|e| e.message);
            assert_eq!(got, want, "{base} {reference}");
        };
        check("", "/health", "/health");
        check("", "health", "/health");
        check("", "", "/");
        check("/base", "", "/base");
        check("/base", "/health", "/health");
        check("/base/", "health", "/base/health");
        check("/base", "health", "/health");
        check("/base", "?x=1", "/base?x=1");
        check("", "/a?b=c#d", "/a?b=c");
        check("", "/a/../b/./c", "/b/c");
        check("", "/../..", "/");
        check(
            "",
            "a:b/c",
            r#"health check path must be a relative URL, got: "a:b/c""#,
        );
        check(
            "",
            "http://x/y",
            r#"health check path must be a relative URL, got: "http://x/y""#,
        );
        check(
            "",
            "//x/y",
            r#"health check path must be a relative URL, got: "//x/y""#,
        );
        assert_eq!(resolve("/p", Some("q=1"), "").unwrap(), "/p?q=1");
    }
}
