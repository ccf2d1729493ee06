//! `grpcWeb`: lets gRPC-Web calls of browsers reach gRPC servers, and answers their CORS questions.
//!
//! Everything that is neither a gRPC-Web call nor a question about one passes as it is.

mod cors;
mod decode;
mod frame;

use self::cors::Cors;
use self::decode::decoded;
use self::frame::framed;
use trilithon_flow::{
    Build, BuildError, Exchange, Headers, Known, Method, Next, Reply, Request, Response, Step, Version, Wrap,
};
use trilithon_model::dynamic::http::GrpcWeb as Config;

/// Builds the middleware.
///
/// # Errors
/// None.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    Ok(Step::wrap(GrpcWeb {
        cors: Cors::new(&config.allow_origins),
    }))
}

struct GrpcWeb {
    cors: Cors,
}

const GRPC: &str = "application/grpc";
const WEB: &str = "application/grpc-web";
const WEB_TEXT: &str = "application/grpc-web-text";

/// How the messages of a call are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Binary,
    /// Base64.
    Text,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Form::Binary => WEB,
            Form::Text => WEB_TEXT,
        }
    }
}

/// The form of a gRPC-Web call, if the request is one.
fn form_of(req: &Request) -> Option<Form> {
    let of = req.headers.known(Known::ContentType)?;
    match of {
        _ if req.method != Method::Post => None,
        of if of.starts_with(WEB_TEXT.as_bytes()) => Some(Form::Text),
        of if of.starts_with(WEB.as_bytes()) => Some(Form::Binary),
        _ => None,
    }
}

/// Makes an ordinary gRPC request of the call.
fn to_grpc(req: &mut Request, form: Form) {
    replace_type(&mut req.headers, form.media_type(), GRPC);
    req.headers.remove_known(Known::ContentLength);
    req.headers.set_known(Known::Te, "trailers");
    req.version = Version::Http2;
    if form == Form::Text {
        req.body = decoded(req.body.take());
    }
}

/// Makes a gRPC-Web answer of a gRPC one: trailers become the last frame of the body. What is no gRPC answer (an error
/// page, a refusal) keeps its body.
fn to_web(res: &mut Response, form: Form) {
    if res
        .headers
        .known(Known::ContentType)
        .is_some_and(|t| t.starts_with(GRPC.as_bytes()))
    {
        replace_type(&mut res.headers, GRPC, form.media_type());
        res.headers.remove_known(Known::ContentLength);
        res.headers.remove_known(Known::Trailer);
        res.body = framed(res.body.take(), form, &res.headers);
    }
    expose(&mut res.headers);
}

fn replace_type(headers: &mut Headers, from: &str, to: &str) {
    let value = headers.known(Known::ContentType).unwrap_or_default();
    let rest = value.strip_prefix(from.as_bytes()).unwrap_or_default();
    let value = [to.as_bytes(), rest].concat();
    headers.set_known(Known::ContentType, value);
}

/// Lets scripts read every header of the answer.
fn expose(headers: &mut Headers) {
    let mut names: Vec<&[u8]> = Vec::with_capacity(headers.len() + 2);
    for name in headers
        .iter()
        .map(|(n, _)| n)
        .chain([&b"grpc-status"[..], b"grpc-message"])
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let list = names.join(&b", "[..]);
    headers.set("Access-Control-Expose-Headers", list);
}

impl Wrap for GrpcWeb {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        if let Some(answer) = self.cors.preflight(&req) {
            return Box::pin(std::future::ready(answer));
        }
        let Some(form) = form_of(&req) else {
            return next.reply(req, cx);
        };
        Box::pin(async move {
            let origin = req.headers.known(Known::Origin).map(<[u8]>::to_vec);
            to_grpc(&mut req, form);
            let mut res = next.run(req, cx).await;
            self.cors.mark(&mut res.headers, origin.as_deref());
            to_web(&mut res, form);
            res
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Act, Asked, Bench, Outcome, Script};
    use super::super::testing;
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use trilithon_flow::Body;

    fn send(req: Request, answer: fn() -> Response) -> (Outcome, Asked, usize) {
        let config = Config {
            allow_origins: vec!["https://ok.test".to_owned()],
        };
        let mut bench = Bench::new(move |_| answer());
        let chain = bench.around(|cx| build(&config, cx));
        let out = bench.send(&chain, req);
        (out, bench.last(), bench.asked())
    }

    fn call(of: &str, body: &'static str) -> Request {
        let headers = [
            ("Content-Type", of),
            ("Origin", "https://ok.test"),
            ("Content-Length", "9"),
        ];
        Request {
            body: Body::from(body),
            ..testing::request("POST", "/pkg.Svc/Do", &headers)
        }
    }

    fn grpc() -> Response {
        let body = Script::new([
            Act::Data(b"\0\0\0\0\x01a"),
            Act::Pause,
            Act::Data(b"\0\0\0\0\x01b"),
        ]);
        let body = body
            .trailers(&[("Grpc-Status", "0"), ("Grpc-Message", "fine"), ("A-Last", "z")])
            .body();
        let headers = [("Content-Type", "application/grpc+proto"), ("X-A", "1")]
            .into_iter()
            .collect();
        Response {
            body,
            headers,
            ..Response::new(200)
        }
    }

    const TRAILERS: &[u8] = b"\x80\0\0\0\x2fa-last: z\r\ngrpc-message: fine\r\ngrpc-status: 0\r\n";

    #[test]
    fn binary_calls() {
        let (out, asked, _) = send(call("application/grpc-web+proto", "msg"), grpc);
        assert_eq!(
            (asked.body.as_str(), asked.header("content-type")),
            ("msg", Some("application/grpc+proto"))
        );
        assert_eq!(
            (asked.header("te"), asked.header("content-length")),
            (Some("trailers"), None)
        );
        assert_eq!(out.header("content-type"), Some("application/grpc-web+proto"));
        assert_eq!(&out.body[..], [b"\0\0\0\0\x01a\0\0\0\0\x01b", TRAILERS].concat());
        assert!(out.trailers.is_none());
        assert_eq!(out.header("access-control-allow-origin"), Some("https://ok.test"));
        assert_eq!(
            out.header("access-control-expose-headers"),
            Some(
                "Content-Type, X-A, Vary, Access-Control-Allow-Origin, Access-Control-Allow-Credentials, grpc-status, \
                 grpc-message"
            )
        );
    }

    #[test]
    fn text_calls() {
        let (out, asked, _) = send(call("application/grpc-web-text", "bXNnMQ==bXNnMg=="), grpc);
        assert_eq!(
            (asked.body.as_str(), asked.header("content-type")),
            ("msg1msg2", Some("application/grpc"))
        );
        assert_eq!(
            out.header("content-type"),
            Some("application/grpc-web-text+proto")
        );
        let parts = [&b"\0\0\0\0\x01a"[..], b"\0\0\0\0\x01b", TRAILERS].map(|p| STANDARD.encode(p));
        assert_eq!(out.text(), parts.concat());
        let (broken, asked, _) = send(call("application/grpc-web-text", "!!!!"), grpc);
        assert!(
            asked.body.contains("ClientGone") && broken.status == 200,
            "{}",
            asked.body
        );
    }

    #[test]
    fn answers_without_messages() {
        let (out, ..) = send(call("application/grpc-web", ""), || {
            let headers = [("Content-Type", "application/grpc"), ("Grpc-Status", "5")]
                .into_iter()
                .collect();
            Response {
                headers,
                ..Response::new(200)
            }
        });
        assert_eq!(
            (&out.body[..], out.header("grpc-status")),
            (&b"\x80\0\0\0\0"[..], Some("5"))
        );
        let (out, ..) = send(call("application/grpc-web", ""), || Response::status_text(502));
        assert_eq!((out.status, out.text().as_str()), (502, "Bad Gateway"));
    }

    #[test]
    fn other_requests_pass() {
        let check = |req: Request| {
            let (out, asked, _) = send(req, || Response::bare(200, "as it is"));
            assert_eq!(
                (out.text().as_str(), out.headers.len(), asked.header("te")),
                ("as it is", 0, None)
            );
        };
        check(call("application/grpc", "x"));
        check(call("application/json", "x"));
        check(testing::get(
            "/",
            &[
                ("Content-Type", "application/grpc-web"),
                ("Origin", "https://ok.test"),
            ],
        ));
        check(testing::request("OPTIONS", "/", &[("Origin", "https://ok.test")]));
    }

    #[test]
    fn a_call_of_another_origin_goes_through_unmarked() {
        let headers = [
            ("Content-Type", "application/grpc-web"),
            ("Origin", "https://bad.test"),
        ];
        let (out, _, asked) = send(testing::request("POST", "/", &headers), grpc);
        assert_eq!(
            (out.status, asked, out.header("access-control-allow-origin")),
            (200, 1, None)
        );
    }
}
