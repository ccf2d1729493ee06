//! What every request goes through before it is routed, in Traefik's order: names with `_`, fragments, path, query,
//! forwarding headers; what harms servers goes on the way.
//!
//! A request that is refused here was never matched: nothing of it goes upstream.

mod forwarded;
mod harmful;
mod path;

pub use forwarded::{Introduction, Trust};
pub use path::{normalize, sanitize};

use crate::entry_point::{EntryPoint, Underscores};
use trilithon_flow::{Exchange, Known, Method, Request, Response};

/// A request that does not get past the entry: the answer, and why, for the counter and the log.
pub struct Refusal {
    pub response: Response,
    pub reason: &'static str,
}

fn refuse(status: u16, reason: &'static str) -> Refusal {
    Refusal {
        response: Response::error(status, trilithon_flow::status::text(status)),
        reason,
    }
}

/// What is no request to Go's server, which says so before anybody else sees it.
fn malformed(reason: &'static str) -> Refusal {
    let mut response = Response::bare(400, "400 Bad Request");
    response
        .headers
        .set_known(Known::ContentType, "text/plain; charset=utf-8");
    Refusal { response, reason }
}

/// Makes the request canonical, or refuses it.
pub fn prepare(req: &mut Request, cx: &mut Exchange, entry_point: &EntryPoint) -> Result<(), Refusal> {
    underscores(req, entry_point)?;
    if req.method != Method::Options || req.target.path() != "*" {
        canonical_path(req, entry_point)?;
    }
    if entry_point.encode_query_semicolons
        && let Some(query) = req.target.query()
        && query.contains(';')
    {
        let encoded = query.replace(';', "%3B");
        req.target.set_query(Some(&encoded));
    }
    harmful::drop(&mut req.headers);
    let connection = cx.connection.clone();
    forwarded::apply(req, &connection, entry_point);
    cx.not_append_forwarded_for = entry_point.not_append_forwarded_for;
    Ok(())
}

fn underscores(req: &mut Request, entry_point: &EntryPoint) -> Result<(), Refusal> {
    match entry_point.underscores {
        Underscores::Keep => Ok(()),
        Underscores::Delete => {
            if req.headers.iter().any(|(n, _)| n.contains(&b'_')) {
                req.headers.retain(|_, name, _| !name.contains(&b'_'));
            }
            Ok(())
        }
        Underscores::Reject if req.headers.iter().any(|(n, _)| n.contains(&b'_')) => {
            Err(refuse(400, "underscore-header"))
        }
        Underscores::Reject => Ok(()),
    }
}

fn canonical_path(req: &mut Request, entry_point: &EntryPoint) -> Result<(), Refusal> {
    let path = req.target.path();
    let normal = normalize(path).map_err(|_| malformed("bad-path-escape"))?;
    let clean = if entry_point.sanitize_path {
        sanitize(&normal)
    } else {
        std::borrow::Cow::Borrowed(&*normal)
    };
    if *clean != *path {
        let clean = clean.into_owned();
        req.target.set_path(&clean);
    }
    Ok(())
}
