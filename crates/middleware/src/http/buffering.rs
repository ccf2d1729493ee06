//! `buffering`: reads whole requests and answers before passing them on, and refuses those that are too large.
//!
//! Nothing streams through it: server-sent events and gRPC streams arrive when they end. Upgraded connections pass.

mod spool;

use self::spool::Spool;
use super::predicate::{Call, Compare, Expression, Literal};
use super::retry;
use trilithon_flow::{
    Body, Build, BuildError, Exchange, Fault, FaultKind, Method, Next, Reply, Request, Response, Step, Wrap,
    status,
};
use trilithon_model::dynamic::http::Buffering as Config;

/// Bytes kept in memory where the configuration does not say.
const DEFAULT_MEMORY: u64 = 1 << 20;
/// Attempts beyond the first that no expression can exceed.
const MAX_RETRIES: i64 = 10;

/// Builds the middleware.
///
/// # Errors
/// Negative sizes, and an expression that cannot be read.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let again = match config.retry_expression.as_str() {
        "" => None,
        text => Some(Expression::parse(text, term).map_err(|why| {
            BuildError::new(format!("invalid retry expression `{text}`: {why}"))
                .help("for example `IsNetworkError() && Attempts() < 2`")
        })?),
    };
    Ok(Step::wrap(Buffering {
        request: Sizes::of(config.max_request_body_bytes, config.mem_request_body_bytes)?,
        response: Sizes::of(config.max_response_body_bytes, config.mem_response_body_bytes)?,
        again,
    }))
}

/// Limits of one direction, in bytes.
#[derive(Clone, Copy)]
struct Sizes {
    max: u64,
    memory: u64,
}

impl Sizes {
    fn of(max: i64, memory: i64) -> Result<Sizes, BuildError> {
        let size = |what: &str, n: i64, zero: u64| match u64::try_from(n) {
            Ok(0) => Ok(zero),
            Ok(n) => Ok(n),
            Err(_) => Err(BuildError::new(format!("{what} bytes should be >= 0 got {n}"))),
        };
        Ok(Sizes {
            max: size("max", max, u64::MAX)?,
            memory: size("mem", memory, DEFAULT_MEMORY)?,
        })
    }

    async fn read(self, body: Body) -> Result<Spool, Fault> {
        if body.length().is_some_and(|n| n > self.max) {
            return Err(Fault::new(
                FaultKind::TooLarge,
                format!("body is larger than {} bytes", self.max),
            ));
        }
        Spool::read(body, self.memory, self.max).await
    }
}

/// What an expression can ask of the last attempt.
#[derive(Clone, Debug, PartialEq)]
enum Term {
    IsNetworkError,
    Attempts(Compare, i64),
    ResponseCode(Compare, i64),
    RequestMethod(Compare, String),
}

fn term(call: Call<'_>) -> Result<Term, String> {
    match (call.name, &call.arguments[..], call.compared) {
        ("IsNetworkError", [], None) => Ok(Term::IsNetworkError),
        ("Attempts", [], Some((compare, Literal::Int(n)))) => Ok(Term::Attempts(compare, n)),
        ("ResponseCode", [], Some((compare, Literal::Int(n)))) => Ok(Term::ResponseCode(compare, n)),
        (
            "RequestMethod",
            [],
            Some((compare @ (Compare::Equal | Compare::NotEqual), Literal::Text(name))),
        ) => Ok(Term::RequestMethod(compare, name)),
        (name @ ("IsNetworkError" | "Attempts" | "ResponseCode" | "RequestMethod"), ..) => Err(format!(
            "`{name}` has the wrong arguments or is compared with the wrong type"
        )),
        (name, ..) => Err(format!("unsupported function `{name}`")),
    }
}

struct Buffering {
    request: Sizes,
    response: Sizes,
    /// When to ask again.
    again: Option<Expression<Term>>,
}

impl Buffering {
    fn calls_for_another(&self, attempt: i64, method: &Method, status: u16) -> bool {
        let holds = |term: &Term| match term {
            Term::IsNetworkError => matches!(status, 502 | 504),
            Term::Attempts(compare, n) => compare.holds(&attempt, n),
            Term::ResponseCode(compare, n) => compare.holds(&i64::from(status), n),
            Term::RequestMethod(compare, name) => compare.holds(method.as_str(), name.as_str()),
        };
        attempt <= MAX_RETRIES && self.again.as_ref().is_some_and(|e| e.holds(&holds))
    }

    /// The answer with its body at hand.
    async fn whole(&self, mut res: Response, method: &Method) -> Response {
        if res.upgraded.is_some() || *method == Method::Head || status::is_bodiless(res.status) {
            return res;
        }
        match self.response.read(res.body.take()).await {
            Ok(spool) => Response {
                body: spool.body(),
                ..res
            },
            Err(fault) if fault.kind == FaultKind::TooLarge => Response::status_text(500),
            Err(fault) => Response::from(fault),
        }
    }
}

impl Wrap for Buffering {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let spool = match self.request.read(req.body.take()).await {
                Ok(spool) => spool,
                Err(fault) if fault.kind == FaultKind::TooLarge => return Response::status_text(413),
                Err(fault) => return Response::from(fault),
            };
            let mut attempt = 1;
            // Without a body there is no second attempt, as ever.
            while self.again.is_some() && !spool.is_empty() {
                let res = next
                    .run(
                        Request {
                            body: spool.body(),
                            ..req.clone_head()
                        },
                        cx,
                    )
                    .await;
                let res = self.whole(res, &req.method).await;
                if res.upgraded.is_some() || !self.calls_for_another(attempt, &req.method, res.status) {
                    return res;
                }
                attempt += 1;
                retry::count(cx);
            }
            let method = req.method.clone();
            req.body = spool.body();
            let res = next.run(req, cx).await;
            self.whole(res, &method).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Act, Bench, Outcome, Script};
    use super::super::testing;
    use super::*;
    use std::sync::{Arc, Mutex};

    fn post(body: &'static str) -> Request {
        let acts = [Act::Pause, Act::Data(body.as_bytes())];
        Request {
            body: Script::new(acts).body(),
            ..testing::request("POST", "/", &[])
        }
    }

    fn send(
        config: &Config,
        req: Request,
        answer: fn() -> Response,
    ) -> (Outcome, usize, super::super::kit::Asked) {
        let mut bench = Bench::new(move |_| answer());
        let chain = bench.around(|cx| build(config, cx));
        let out = bench.send(&chain, req);
        (out, bench.asked(), bench.last())
    }

    #[test]
    fn requests() {
        let max10 = Config {
            max_request_body_bytes: 10,
            ..Config::default()
        };
        let mem3 = Config {
            mem_request_body_bytes: 3,
            ..Config::default()
        };
        let check = |config: &Config, req: Request, want: (u16, &str, Option<u64>)| {
            let (out, n, asked) = send(config, req, || Response::bare(200, "ok"));
            assert_eq!(
                (out.status, asked.body.as_str(), asked.length.filter(|_| n > 0)),
                want
            );
            if out.status == 413 {
                assert_eq!(
                    (out.text().as_str(), out.headers.len(), n),
                    ("Request Entity Too Large", 0, 0)
                );
            }
        };
        check(&max10, post("0123456789"), (200, "0123456789", Some(10)));
        check(&max10, post("0123456789a"), (413, "", None));
        check(&mem3, post("abcde"), (200, "abcde", Some(5)));
        check(&mem3, post("abc"), (200, "abc", Some(3)));
        check(&Config::default(), post(""), (200, "", Some(0)));
        let unread = Script::new([Act::Fail(Fault::new(FaultKind::Internal, "must not be read"))]).length(11);
        check(
            &max10,
            Request {
                body: unread.body(),
                ..Request::default()
            },
            (413, "", None),
        );
        let gone = Script::new([
            Act::Data(b"a"),
            Act::Fail(Fault::new(FaultKind::ClientGone, "gone")),
        ]);
        check(
            &max10,
            Request {
                body: gone.body(),
                ..Request::default()
            },
            (499, "", None),
        );
    }

    #[test]
    fn responses() {
        let max10 = Config {
            max_response_body_bytes: 10,
            ..Config::default()
        };
        let mem3 = Config {
            mem_response_body_bytes: 3,
            ..Config::default()
        };
        let check = |config: &Config, answer: fn() -> Response, want: (u16, &str, Option<u64>)| {
            let (out, ..) = send(config, testing::get("/", &[]), answer);
            assert_eq!((out.status, out.text().as_str(), out.length), want);
        };
        fn script(data: &'static str) -> Response {
            let body = Script::new([Act::Data(data.as_bytes()), Act::Pause, Act::Data(b"!")]).body();
            Response {
                body,
                headers: [("X-A", "1")].into_iter().collect(),
                ..Response::new(201)
            }
        }
        check(&max10, || script("012345678"), (201, "012345678!", Some(10)));
        check(
            &max10,
            || script("0123456789"),
            (500, "Internal Server Error", Some(21)),
        );
        check(&mem3, || script("abcdef"), (201, "abcdef!", Some(7)));
        check(&max10, || Response::new(204), (204, "", Some(0)));
        let broken = || {
            let fault = Fault::new(FaultKind::Broken, "cut");
            Response {
                body: Script::new([Act::Data(b"a"), Act::Fail(fault)]).body(),
                ..Response::new(200)
            }
        };
        check(&max10, broken, (502, "Bad Gateway", Some(11)));
    }

    #[test]
    fn trailers_stay() {
        let answer = || {
            let body = Script::new([Act::Data(b"grpc")])
                .trailers(&[("grpc-status", "0")])
                .body();
            Response {
                body,
                ..Response::new(200)
            }
        };
        for memory in [0, 1] {
            let config = Config {
                mem_response_body_bytes: memory,
                ..Config::default()
            };
            let (out, ..) = send(&config, testing::get("/", &[]), answer);
            assert_eq!(out.text(), "grpc");
            assert_eq!(out.trailers.expect("kept").get_str("grpc-status"), Some("0"));
        }
    }

    #[test]
    fn expressions() {
        let check =
            |text: &str, good: bool| assert_eq!(Expression::parse(text, term).is_ok(), good, "{text}");
        check("IsNetworkError() && Attempts() < 2", true);
        check(
            "(ResponseCode() == 500 || ResponseCode() != 502) && RequestMethod() == \"PUT\"",
            true,
        );
        check("Foo() > 1", false);
        check("ResponseCode() == \"500\"", false);
        check("RequestMethod() > \"GET\"", false);
        check("IsNetworkError() == 1", false);
        check("Attempts()", false);
    }

    #[test]
    fn asking_again() {
        let bodies = |expression: &str, status: u16, method: &str, body: &'static str| {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let kept = seen.clone();
            let mut bench = Bench::new(move |asked| {
                kept.lock().unwrap().push(asked.body.clone());
                Response::new(status)
            });
            let config = Config {
                retry_expression: expression.to_owned(),
                mem_request_body_bytes: 2,
                ..Config::default()
            };
            let chain = bench.around(|cx| build(&config, cx));
            let out = bench.send(
                &chain,
                Request {
                    method: Method::of(method.as_bytes()),
                    ..post(body)
                },
            );
            assert_eq!(
                (out.status, out.record.retries as usize + 1),
                (status, bench.asked())
            );
            let seen = seen.lock().unwrap().clone();
            assert!(seen.iter().all(|b| b == body), "{seen:?}");
            seen.len()
        };
        let code = "ResponseCode() == 503 && Attempts() <= 2";
        assert_eq!(bodies(code, 503, "POST", "hello"), 3);
        assert_eq!(bodies(code, 500, "POST", "hello"), 1);
        assert_eq!(bodies(code, 503, "POST", ""), 1);
        let network = "IsNetworkError() && Attempts() < 3";
        for (status, want) in [(502, 3), (504, 3), (500, 1), (503, 1)] {
            assert_eq!(bodies(network, status, "POST", "hello"), want);
        }
        let method = "RequestMethod() == \"PUT\" && Attempts() < 4 && ResponseCode() >= 500";
        assert_eq!(bodies(method, 500, "PUT", "x"), 4);
        assert_eq!(bodies(method, 500, "POST", "x"), 1);
        assert_eq!(bodies("ResponseCode() == 503", 503, "POST", "hello"), 11);
    }

    #[test]
    fn what_cannot_be_built() {
        let check = |config: Config| assert!(!testing::build_error(|cx| build(&config, cx)).is_empty());
        check(Config {
            retry_expression: "Foo() > 1".to_owned(),
            ..Config::default()
        });
        check(Config {
            max_request_body_bytes: -1,
            ..Config::default()
        });
        check(Config {
            mem_response_body_bytes: -1,
            ..Config::default()
        });
    }
}
