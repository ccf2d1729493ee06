//! `contentType`: guesses the `Content-Type` of answers that have none from how their bodies begin. Without it the gateway adds
//! none.

use super::sniff::{self, LOOK};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use trilithon_flow::{
    Build, BuildError, Exchange, Fault, Known, Method, Next, Reply, Request, Response, Step, Wrap, status,
};
use trilithon_model::dynamic::http::ContentType as Config;

/// Builds the step; `autoDetect: false` makes one that does nothing.
///
/// # Errors
/// None.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    Ok(if config.auto_detect == Some(false) {
        super::idle::step()
    } else {
        Step::wrap(ContentType)
    })
}

struct ContentType;

impl Wrap for ContentType {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let head = req.method == Method::Head;
        Box::pin(async move {
            let mut res = next.run(req, cx).await;
            if head || !is_unmarked(&res) {
                return res;
            }
            match poll_fn(|cx| guess(&mut res, cx)).await {
                Ok(guessed) => {
                    if let Some(guessed) = guessed {
                        res.headers.set_known(Known::ContentType, guessed);
                    }
                    res
                }
                // Nothing of the answer was sent yet, so the failure can still be told.
                Err(fault) => Response::from(fault),
            }
        })
    }
}

/// Whether the answer has a body of a type that it does not tell.
fn is_unmarked(res: &Response) -> bool {
    !status::is_bodiless(res.status)
        && !res.body.is_empty()
        && !res.headers.has(Known::ContentType)
        && res
            .headers
            .known(Known::ContentEncoding)
            .is_none_or(<[u8]>::is_empty)
}

/// Looks at the first bytes that come, without taking them. Nothing is guessed of an empty body.
fn guess(res: &mut Response, cx: &mut Context<'_>) -> Poll<Result<Option<&'static str>, Fault>> {
    let bytes = ready!(res.body.poll_fill(cx))?;
    let look = &bytes[..bytes.len().min(LOOK)];
    Poll::Ready(Ok((!look.is_empty()).then(|| sniff::content_type(look))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, request, step, text};
    use trilithon_flow::Body;

    fn check(
        method: &str,
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
        want: Option<&str>,
    ) {
        let config = Config { auto_detect: None };
        let bench = Bench::answering(vec![step(|cx| build(&config, cx))], move |_| Response {
            headers: headers.iter().copied().collect(),
            body: Body::from(body),
            ..Response::new(status)
        });
        let mut res = bench.run(request(method, "/", &[]));
        assert_eq!(
            res.headers.get_str("Content-Type"),
            want,
            "{method} {status} {headers:?} {body}"
        );
        assert_eq!(text(&mut res), body);
    }

    #[test]
    fn answers() {
        check("GET", 200, &[], "<html>", Some("text/html; charset=utf-8"));
        check(
            "GET",
            503,
            &[],
            "no available server",
            Some("text/plain; charset=utf-8"),
        );
        check("GET", 200, &[("Content-Type", "x/y")], "<html>", Some("x/y"));
        check("GET", 200, &[("Content-Encoding", "gzip")], "<html>", None);
        check("GET", 200, &[], "", None);
        check("HEAD", 200, &[], "x", None);
        check("GET", 304, &[], "x", None);
    }

    #[test]
    fn switched_off() {
        let config = Config {
            auto_detect: Some(false),
        };
        let bench = Bench::new(vec![step(|cx| build(&config, cx))]);
        assert!(
            !bench
                .run(request("GET", "/", &[]))
                .headers
                .has(Known::ContentType)
        );
    }
}
