//! `errors`: replaces answers of certain statuses by a page of another service.
//!
//! The page is asked for beside the request, as a `GET` of its own: it is not sent through the router again, and what it
//! answers is not looked at by this middleware.

use super::discard::discard;
use super::status_ranges::StatusRanges;
use std::sync::Arc;
use trilithon_flow::{
    Build, BuildError, Exchange, Headers, Known, Next, Reply, Request, Response, Service, Step, Target, Wrap,
    status,
};
use trilithon_model::dynamic::http::Errors as Config;

/// Builds the middleware.
///
/// # Errors
/// Statuses that cannot be read, and a service that is not there.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let statuses = StatusRanges::parse(&config.status).map_err(BuildError::new)?;
    Ok(Step::wrap(Errors {
        statuses,
        rewrites: rewrites(config)?,
        service: cx.services.service(&config.service)?,
        query: config.query.clone(),
        request_headers: config.error_request_headers.clone(),
    }))
}

/// Ranges with their new status, the narrowest first: the more specific of two that overlap counts.
fn rewrites(config: &Config) -> Result<Vec<(StatusRanges, u16)>, BuildError> {
    let mut rewrites = Vec::new();
    for (range, to) in &config.status_rewrites {
        let from = StatusRanges::parse(&[range]).map_err(BuildError::new)?;
        let to = u16::try_from(*to).ok().filter(|s| (100..1000).contains(s));
        let to = to.ok_or_else(|| BuildError::new(format!("`statusRewrites.{range}` is no status code")))?;
        rewrites.push((from, to));
    }
    rewrites.sort_by_key(|(from, _)| from.width());
    Ok(rewrites)
}

struct Errors {
    statuses: StatusRanges,
    rewrites: Vec<(StatusRanges, u16)>,
    service: Arc<dyn Service>,
    query: String,
    /// The headers that the page's service is given; all when empty.
    request_headers: Vec<String>,
}

impl Errors {
    fn rewritten(&self, original: u16) -> u16 {
        self.rewrites
            .iter()
            .find(|(from, _)| from.contains(original))
            .map_or(original, |(_, to)| *to)
    }

    /// What is asked of the page's service; nothing if the configured path cannot be one.
    fn target(&self, failed: &Request, tls: bool, original: u16, code: u16) -> Option<Target> {
        let mut path = format!("/{}", self.query.strip_prefix('/').unwrap_or(&self.query));
        for (name, value) in [("{status}", code), ("{originalStatus}", original)] {
            path = path.replace(name, &value.to_string());
        }
        if path.contains("{url}") {
            let scheme = if tls { "https" } else { "http" };
            let host = String::from_utf8_lossy(failed.host());
            path = path.replace(
                "{url}",
                &query_escape(&format!("{scheme}://{host}{}", failed.target)),
            );
        }
        let path = path.split('#').next().unwrap_or_default();
        is_escaped(path.split('?').next().unwrap_or_default()).then(|| Target::new(path))
    }

    fn page_request(&self, failed: &Request, target: Target) -> Request {
        let mut headers = if self.request_headers.is_empty() {
            failed.headers.clone()
        } else {
            self.chosen(failed)
        };
        for framing in [Known::ContentLength, Known::Upgrade, Known::Expect] {
            headers.remove_known(framing);
        }
        Request {
            target,
            headers,
            ..Request::default()
        }
    }

    fn chosen(&self, failed: &Request) -> Headers {
        let mut headers = Headers::new();
        headers.append(Known::Host.name(), failed.host());
        for name in self
            .request_headers
            .iter()
            .filter(|n| !n.eq_ignore_ascii_case("host"))
        {
            for value in failed.headers.get_all(name.as_bytes()) {
                headers.append(name, value);
            }
        }
        headers
    }

    async fn page(&self, failed: &Request, original: u16, cx: &Exchange) -> Response {
        let code = self.rewritten(original);
        let Some(target) = self.target(failed, cx.connection.tls.is_some(), original, code) else {
            return Response::error(code, status::text(code));
        };
        let mut side = cx.side();
        // The page's service is asked by the gateway; nobody stands in line before it.
        side.not_append_forwarded_for = true;
        let mut res = self
            .service
            .call(self.page_request(failed, target), &mut side)
            .await;
        res.status = code;
        res.fault = None;
        res
    }
}

/// Whether every `%` begins an escape.
fn is_escaped(path: &str) -> bool {
    let hex = |b: Option<&u8>| b.is_some_and(u8::is_ascii_hexdigit);
    let bytes = path.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(i, b)| *b != b'%' || (hex(bytes.get(i + 1)) && hex(bytes.get(i + 2))))
}

/// As a value in a query: what is not unreserved is escaped, a space is `+`.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b' ' => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

impl Wrap for Errors {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let watched = cx.last_head.is_some();
            cx.last_head.get_or_insert_default();
            let res = next.run(req, cx).await;
            let head = if watched { None } else { cx.last_head.take() };
            if res.upgraded.is_some() || !self.statuses.contains(res.status) {
                return res;
            }
            let original = res.status;
            discard(res.body);
            match head.as_deref().or(cx.last_head.as_deref()) {
                Some(failed) => self.page(failed, original, cx).await,
                None => Response::error(original, status::text(original)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Asked, Bench, Outcome};
    use super::super::testing;
    use super::*;

    fn config(query: &str) -> Config {
        Config {
            status: vec!["500-599".to_owned(), "404".to_owned()],
            service: "pages".to_owned(),
            query: query.to_owned(),
            ..Config::default()
        }
    }

    /// What the client gets and what the page's service was asked, when the service answers `status`.
    fn page(config: &Config, status: u16, req: Request, inner: Vec<Step>) -> (Outcome, Option<Asked>) {
        let pages = Bench::new(|asked| {
            let mut res = Response::bare(200, format!("page of {}", asked.target));
            res.headers.append("X-Page", "1");
            res
        });
        let mut bench = Bench::new(move |_| {
            let mut res = Response::bare(status, "original");
            res.headers.append("X-Original", "1");
            res
        });
        bench.name_service("pages", &pages);
        let mut steps = vec![bench.build(|cx| build(config, cx)).expect("valid")];
        steps.extend(inner);
        let chain = bench.chain(steps);
        let out = bench.send(&chain, req);
        (out, (pages.asked() > 0).then(|| pages.last()))
    }

    #[test]
    fn which_answers_are_replaced() {
        let check = |status: u16, want: (u16, &str)| {
            let (out, _) = page(&config("/{status}.html"), status, testing::get("/x", &[]), vec![]);
            assert_eq!((out.status, out.text().as_str()), want);
            assert_eq!(out.header("X-Page").is_some(), out.header("X-Original").is_none());
        };
        check(200, (200, "original"));
        check(403, (403, "original"));
        check(404, (404, "page of /404.html"));
        check(503, (503, "page of /503.html"));
    }

    #[test]
    fn what_is_asked() {
        let check = |query: &str, want: &str| {
            let (_, asked) = page(&config(query), 500, testing::get("/a%20b?x=1&y", &[]), vec![]);
            assert_eq!(
                asked.map(|a| (a.method, a.target)),
                Some(("GET".to_owned(), want.to_owned())),
                "{query}"
            );
        };
        check("", "/");
        check("/e.html", "/e.html");
        check("e.html", "/e.html");
        check("/{status}/{originalStatus}/{status}", "/500/500/500");
        check("/?u={url}", "/?u=http%3A%2F%2Fa.test%2Fa%2520b%3Fx%3D1%26y");
        check("/a b?c d", "/a%20b?c%20d");
        check("/a#b", "/a");
        let (out, asked) = page(&config("/%zz"), 500, testing::get("/", &[]), vec![]);
        assert_eq!(
            (out.text().as_str(), asked.is_none()),
            ("Internal Server Error\n", true)
        );
    }

    #[test]
    fn rewritten_statuses() {
        let rewrites = [("404-499", 410), ("404", 200), ("500", 299)];
        let rewrites = rewrites.map(|(from, to)| (from.to_owned(), to)).into();
        let config = Config {
            status_rewrites: rewrites,
            ..config("/{status}-{originalStatus}")
        };
        let check = |status: u16, want: (u16, &str)| {
            let (out, _) = page(&config, status, testing::get("/", &[]), vec![]);
            assert_eq!((out.status, out.text().as_str()), want);
        };
        check(404, (200, "page of /200-404"));
        check(500, (299, "page of /299-500"));
        check(501, (501, "page of /501-501"));
    }

    #[test]
    fn headers_of_the_page_request() {
        let sent = [
            ("Cookie", "c"),
            ("X-A", "1"),
            ("X-A", "2"),
            ("Content-Length", "9"),
        ];
        let headers = |config: &Config| {
            let (_, asked) = page(config, 500, testing::request("POST", "/", &sent), vec![]);
            let asked = asked.expect("asked");
            assert_eq!(
                (asked.header("host"), asked.forwarded_for),
                (Some("a.test"), false)
            );
            testing::lines(&asked.headers)
        };
        assert_eq!(headers(&config("/")), ["Cookie: c", "X-A: 1", "X-A: 2"]);
        let chosen = vec!["x-a".to_owned(), "X-None".to_owned(), "Host".to_owned()];
        assert_eq!(
            headers(&Config {
                error_request_headers: chosen,
                ..config("/")
            }),
            ["X-A: 1", "X-A: 2"]
        );
    }

    struct Inner;
    impl trilithon_flow::Edit for Inner {
        fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
            req.target.set_path("/inner");
            req.headers.append("X-Inner", "1");
            if req.headers.contains("X-Refuse") {
                Err(Response::new(500))
            } else {
                Ok(())
            }
        }
    }

    struct Through;
    impl Wrap for Through {
        fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
            next.reply(req, cx)
        }
    }

    #[test]
    fn changes_of_inner_middlewares_show() {
        let check = |inner: Vec<Step>, headers: &[(&str, &str)]| {
            let (_, asked) = page(&config("?{url}"), 500, testing::get("/outer", headers), inner);
            let asked = asked.expect("asked");
            assert_eq!(
                (asked.target.as_str(), asked.header("x-inner")),
                ("/?http%3A%2F%2Fa.test%2Finner", Some("1"))
            );
        };
        check(vec![Step::edit(Inner)], &[]);
        check(
            vec![Step::wrap(Through), Step::edit(Inner), Step::wrap(Through)],
            &[],
        );
        check(vec![Step::edit(Inner)], &[("X-Refuse", "1")]);
    }

    #[test]
    fn nested_pages() {
        let pages = Bench::new(|_| Response::bare(200, "page"));
        let outer_pages = Bench::new(|asked| Response::bare(200, asked.target.clone()));
        let mut bench = Bench::new(|_| Response::new(404));
        bench.name_service("pages", &pages);
        bench.name_service("outer", &outer_pages);
        let outer = Config {
            service: "outer".to_owned(),
            ..config("/{url}")
        };
        let steps = vec![
            bench.build(|cx| build(&outer, cx)).expect("valid"),
            bench.build(|cx| build(&config("/"), cx)).expect("valid"),
            Step::edit(Inner),
        ];
        let chain = bench.chain(steps);
        assert_eq!(bench.get(&chain, "/").text(), "/http%3A%2F%2Fa.test%2Finner");
        assert_eq!((pages.asked(), outer_pages.asked()), (1, 1));
    }

    #[test]
    fn what_cannot_be_built() {
        let check = |config: Config| assert!(!testing::build_error(|cx| build(&config, cx)).is_empty());
        check(config("/"));
        check(Config {
            status: vec!["5xx".to_owned()],
            ..config("/")
        });
        check(Config {
            status_rewrites: [("500".to_owned(), 7)].into(),
            ..config("/")
        });
    }
}
