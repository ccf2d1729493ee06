//! The redirection to a page where the client can sign in.

use trilithon_flow::target::escape_invalid;
use trilithon_flow::{Known, Response};

/// 302 to `url` as it is configured, and nothing of the authorisation server's answer.
pub fn redirect(url: &str) -> Response {
    let mut res = Response::new(302);
    res.headers
        .set_known(Known::Location, escape_invalid(url).as_ref());
    res
}
