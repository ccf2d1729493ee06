//! `redirectRegex`: redirects where a pattern matches the whole URL as the client sees it (`http://host:port/path?query`). The
//! scheme is that of the connection; `X-Forwarded-Proto` has no say.

use super::redirect::redirect;
use super::regex_template::Replacer;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step};
use trilithon_model::dynamic::http::RedirectRegex as Config;

/// Builds the step.
///
/// # Errors
/// A pattern that is not a regular expression.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let replacer = Replacer::new(&config.regex, &config.replacement)?;
    Ok(Step::edit(RedirectRegex {
        replacer,
        permanent: config.permanent,
    }))
}

struct RedirectRegex {
    replacer: Replacer,
    permanent: bool,
}

impl Edit for RedirectRegex {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let old = url(req, cx);
        match self.replacer.replace_all(&old) {
            Some(new) if new != old => Err(redirect(
                &req.method,
                &String::from_utf8_lossy(&new),
                self.permanent,
            )),
            _ => Ok(()),
        }
    }
}

/// The URL that was asked for.
fn url(req: &Request, cx: &Exchange) -> Vec<u8> {
    let scheme: &[u8] = if cx.connection.tls.is_some() {
        b"https://"
    } else {
        b"http://"
    };
    [scheme, req.host(), req.target.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, build_error, connection, request, step, text};
    use trilithon_flow::{Known, TlsInfo};

    fn bench(regex: &str, replacement: &str, permanent: bool) -> Bench {
        let config = Config {
            regex: regex.into(),
            replacement: replacement.into(),
            permanent,
        };
        Bench::new(vec![step(|cx| build(&config, cx))])
    }

    fn check(regex: &str, replacement: &str, host: &str, target: &str, want: Option<&str>) {
        let res = bench(regex, replacement, false).run(request(
            "GET",
            target,
            &[("Host", host), ("X-Forwarded-Proto", "https")],
        ));
        let location = res
            .headers
            .known(Known::Location)
            .map(|l| std::str::from_utf8(l).unwrap());
        let status = if want.is_some() { 302 } else { 200 };
        assert_eq!(
            (res.status, location),
            (status, want),
            "{regex} → {replacement} for {host}{target}"
        );
    }

    #[test]
    fn locations() {
        check(
            "^http://a.test/(.*)",
            "http://b.test/$1",
            "a.test",
            "/x?y=1",
            Some("http://b.test/x?y=1"),
        );
        check(
            "^http://a.test:81/(.*)",
            "https://a.test/${1}",
            "a.test:81",
            "/x",
            Some("https://a.test/x"),
        );
        check("^https://.*", "http://b.test/", "a.test", "/x", None);
        check("^http://c.test", "http://b.test/", "a.test", "/x", None);
        check("^http://(.*)", "http://$1", "a.test", "/x", None);
        check(
            "/old",
            "/new",
            "a.test",
            "/old/old",
            Some("http://a.test/new/new"),
        );
        check(".*", "/relative", "a.test", "/x", Some("/relative"));
        check(
            "^.*/x$",
            "http://b.test/a b",
            "a.test",
            "/x",
            Some("http://b.test/a%20b"),
        );
        check(
            "^.*\\?to=(.*)$",
            "$1",
            "a.test",
            "/?to=HTTPS://c/%41",
            Some("https://c/%41"),
        );
    }

    #[test]
    fn statuses() {
        let check = |method: &str, permanent: bool, status: u16, body: &str| {
            let mut res = bench("^http", "https", permanent).run(request(method, "/", &[]));
            assert_eq!(
                (res.status, text(&mut res).as_str()),
                (status, body),
                "{method} {permanent}"
            );
            assert!(!res.headers.has(Known::ContentType));
        };
        check("GET", false, 302, "Found");
        check("GET", true, 301, "Moved Permanently");
        check("HEAD", false, 307, "Temporary Redirect");
        check("POST", true, 308, "Permanent Redirect");
    }

    #[test]
    fn tls_and_what_is_no_url() {
        let bench = bench("^https://(.*)", "http://$1:x/", false);
        let res = bench.run_as(
            request("GET", "/", &[]),
            connection("127.0.0.1:1", Some(TlsInfo::default())),
        );
        assert_eq!(res.status, 302, "the port is part of the path here");
        let bad = super::tests::bench(".*", "http://a:x/", false);
        let mut res = bad.run(request("GET", "/", &[]));
        assert_eq!((res.status, text(&mut res).as_str()), (502, "Bad Gateway"));
        let config = Config {
            regex: "(".into(),
            replacement: "x".into(),
            permanent: false,
        };
        assert!(build_error(|cx| build(&config, cx)).contains("error parsing regexp"));
    }
}
