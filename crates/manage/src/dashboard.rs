//! The status page: one HTML file that asks the API next to it.

use crate::answer;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use trilithon_flow::{Exchange, Known, Method, Reply, Request, Response, Service};

const PAGE: &str = include_str!("../ui/index.html");

/// The page, and what a browser may run of it: its own style and script, and nothing from elsewhere.
pub struct Dashboard {
    policy: String,
}

impl Dashboard {
    pub fn new() -> Dashboard {
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'self'",
            hash(between(PAGE, "<script>", "</script>")),
            hash(between(PAGE, "<style>", "</style>")),
        );
        Dashboard { policy }
    }

    /// The answer for a path below the dashboard's own.
    pub fn page(&self, method: &Method, path: &str) -> Response {
        if !matches!(method, Method::Get | Method::Head) {
            return Response::new(405);
        }
        if !matches!(path, "" | "/" | "/index.html") {
            return answer::not_found();
        }
        let mut res = Response::bare(200, PAGE);
        res.headers
            .set_known(Known::ContentType, "text/html; charset=utf-8");
        res.headers.append("Content-Security-Policy", &self.policy);
        res.headers.append("X-Content-Type-Options", "nosniff");
        res.headers.append("Referrer-Policy", "no-referrer");
        res.headers.append("Cache-Control", "no-cache");
        res
    }
}

impl Service for Dashboard {
    fn call<'a>(&'a self, req: Request, _: &'a mut Exchange) -> Reply<'a> {
        Box::pin(std::future::ready(self.page(&req.method, req.target.path())))
    }
}

/// The text between two tags of the page.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let from = page.find(start).map_or(0, |at| at + start.len());
    let to = page[from..].find(end).map_or(from, |at| from + at);
    &page[from..to]
}

/// A source expression of a content security policy.
fn hash(text: &str) -> String {
    format!(
        "'sha256-{}'",
        BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let check = |method: Method, path: &str, want: u16| {
            assert_eq!(
                Dashboard::new().page(&method, path).status,
                want,
                "{method} {path}"
            );
        };
        check(Method::Get, "/", 200);
        check(Method::Head, "", 200);
        check(Method::Get, "/index.html", 200);
        check(Method::Get, "/nope", 404);
        check(Method::Post, "/", 405);
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for (tag, count) in [("<script>", 1), ("</script>", 1), ("<style>", 1), ("</style>", 1)] {
            assert_eq!(PAGE.matches(tag).count(), count, "{tag}");
        }
        for never in [
            "http://",
            "https://",
            "src=",
            "<link",
            "@import",
            "url(",
            "style=\"",
            "onclick=",
            "innerHTML",
            "eval(",
        ] {
            assert!(!PAGE.contains(never), "{never}");
        }
        let policy = Dashboard::new().policy;
        assert!(
            !policy.contains("unsafe") && policy.matches("'sha256-").count() == 2,
            "{policy}"
        );
    }
}
