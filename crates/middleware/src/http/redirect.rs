//! The answer of both redirecting middlewares.

use super::location;
use trilithon_flow::{Known, Method, Response};

/// A redirection to `url`: 302 or 301 for GET, 307 or 308 for every other method, which is to be repeated as it was. 502 when
/// `url` is none, as in Traefik.
pub(crate) fn redirect(method: &Method, url: &str, permanent: bool) -> Response {
    let Some(location) = location::normalize(url) else {
        return Response::status_text(502);
    };
    let status = match (method == &Method::Get, permanent) {
        (true, false) => 302,
        (true, true) => 301,
        (false, false) => 307,
        (false, true) => 308,
    };
    let mut res = Response::status_text(status);
    res.headers.set_known(Known::Location, location);
    res
}
