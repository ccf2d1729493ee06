//! `compress`: compresses answers when the client accepts it.
//!
//! What was already coded, has no body, is a part of something (206), or is a gRPC stream is left alone. A body of
//! unknown length is sent on whenever the server pauses, so that events arrive when they happen; of how large such a
//! body is, what comes before the first pause tells.

mod accept;
mod codec;
mod source;
mod start;

use self::accept::Offer;
use self::codec::Coding;
use self::source::compressed;
use self::start::Start;
use super::media_type::media_type;
use super::{sniff, vary};
use trilithon_flow::{
    Build, BuildError, Exchange, Fault, Headers, Known, Method, Next, Reply, Request, Response, Step, Wrap,
    status,
};
use trilithon_model::dynamic::http::Compress as Config;

/// Smallest body compressed, where the configuration does not say.
const DEFAULT_MIN: u64 = 1024;
/// Builds the middleware.
///
/// # Errors
/// Both lists of content types, a content type that is none, an unknown coding, and a default that is not offered.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let (excluded, included) = (&config.excluded_content_types, &config.included_content_types);
    let types = match (&excluded[..], &included[..]) {
        (_, []) => Types::AllBut(parse_types(excluded, "excluded")?),
        ([], _) => Types::Only(parse_types(included, "included")?),
        _ => {
            return Err(BuildError::new(
                "excludedContentTypes and includedContentTypes options are mutually exclusive",
            ));
        }
    };
    Ok(Step::wrap(Compress {
        offer: Offer::new(&config.encodings, &config.default_encoding).map_err(BuildError::new)?,
        types,
        min: u64::try_from(config.min_response_body_bytes)
            .ok()
            .filter(|n| *n > 0)
            .unwrap_or(DEFAULT_MIN),
    }))
}

fn parse_types(list: &[String], which: &str) -> Result<Vec<String>, BuildError> {
    let parse = |t: &String| {
        media_type(t).ok_or_else(|| BuildError::new(format!("parsing {which} media type: `{t}`")))
    };
    list.iter().map(parse).collect()
}

struct Compress {
    offer: Offer,
    types: Types,
    /// Smallest body compressed, in bytes; at least 1.
    min: u64,
}

enum Types {
    AllBut(Vec<String>),
    Only(Vec<String>),
}

impl Types {
    fn excludes(&self, of: &str) -> bool {
        is_grpc(of) || matches!(self, Types::AllBut(list) if list.iter().any(|t| t == of))
    }

    fn allows(&self, of: &str) -> bool {
        match self {
            Types::AllBut(_) => !self.excludes(of),
            Types::Only(list) => !is_grpc(of) && list.iter().any(|t| t == of),
        }
    }
}

/// A call that streams frames of its own (`application/grpc`, `application/grpc+proto`), but not gRPC-Web.
fn is_grpc(media_type: &str) -> bool {
    media_type
        .strip_prefix("application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
}

impl Compress {
    /// The coding for this request, if any.
    fn coding(&self, req: &Request) -> Option<Coding> {
        if req.method == Method::Head {
            return None;
        }
        let of = req
            .headers
            .known(Known::ContentType)
            .and_then(|v| std::str::from_utf8(v).ok())
            .and_then(media_type);
        if of.is_some_and(|t| self.types.excludes(&t)) {
            return None;
        }
        self.offer.choose(&req.headers)
    }

    /// Whether the head of an answer lets it be compressed.
    fn is_fit(&self, coding: Coding, res: &Response) -> bool {
        let coded = res
            .headers
            .known(Known::ContentEncoding)
            .is_some_and(|v| !v.is_empty());
        let small = res.body.length().is_some_and(|n| n < self.min);
        let part = res.status == 206 || res.headers.has(Known::ContentRange);
        !(coded || small || part || status::is_bodiless(res.status)) && self.is_fit_type(coding, res)
    }

    fn is_fit_type(&self, coding: Coding, res: &Response) -> bool {
        // Without a type, gzip looks at the body; here the codings differ, as they do in Traefik.
        let Some(value) = content_type(&res.headers) else {
            return true;
        };
        match std::str::from_utf8(value).ok().and_then(media_type) {
            Some(of) => self.types.allows(&of),
            None => coding == Coding::Gzip && matches!(self.types, Types::AllBut(_)),
        }
    }

    /// Whether the body, of which as little as possible is read, is to be compressed.
    async fn is_fit_body(&self, coding: Coding, res: &mut Response) -> Result<bool, Fault> {
        let untyped = coding == Coding::Gzip && content_type(&res.headers).is_none();
        let unmeasured = res.body.length().is_none() && !is_event_stream(&res.headers);
        let least = match (unmeasured, coding) {
            (false, _) => 0,
            // A flush starts gzip at once, and each write of an unmeasured body is flushed.
            (true, Coding::Gzip) => 1,
            (true, _) => self.min,
        };
        let look = if untyped { sniff::LOOK as u64 } else { 0 };
        if least.max(look) == 0 {
            return Ok(true);
        }
        let start = Start::of(res.body.take(), least.max(look)).await?;
        let large = !start.ended || start.read.len() as u64 >= least;
        let fit = large
            && (!untyped
                || media_type(sniff::content_type(&start.read)).is_some_and(|of| self.types.allows(&of)));
        res.body = start.into_body();
        Ok(fit)
    }

    async fn compress(&self, coding: Coding, mut res: Response) -> Response {
        if !self.is_fit(coding, &res) {
            return res;
        }
        let streamed = res.body.length().is_none();
        match self.is_fit_body(coding, &mut res).await {
            Ok(true) => {}
            Ok(false) => return res,
            Err(fault) => return Response::from(fault),
        }
        res.headers.remove_known(Known::ContentLength);
        if coding == Coding::Gzip {
            res.headers.remove("Accept-Ranges");
        }
        res.headers.set_known(Known::ContentEncoding, coding.name());
        res.body = compressed(res.body, coding, streamed);
        res
    }
}

fn content_type(headers: &Headers) -> Option<&[u8]> {
    headers.known(Known::ContentType).filter(|v| !v.is_empty())
}

fn is_event_stream(headers: &Headers) -> bool {
    headers
        .known(Known::ContentType)
        .is_some_and(|t| t.starts_with(b"text/event-stream"))
}

impl Wrap for Compress {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        let Some(coding) = self.coding(&req) else {
            return next.reply(req, cx);
        };
        Box::pin(async move {
            let mut res = next.run(req, cx).await;
            if res.upgraded.is_some() {
                return res;
            }
            vary::add_first(&mut res.headers, "Accept-Encoding");
            self.compress(coding, res).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Act, Bench, Outcome, Script};
    use super::super::testing;
    use super::*;

    fn large() -> &'static [u8] {
        b"the quick brown fox jumps over the lazy dog. "
            .repeat(100)
            .leak()
    }

    fn plain(status: u16, headers: &[(&str, &str)]) -> Response {
        Response {
            headers: headers.iter().copied().collect(),
            ..Response::bare(status, large())
        }
    }

    fn send(config: &Config, req: Request, answer: impl Fn() -> Response + Send + Sync + 'static) -> Outcome {
        let mut bench = Bench::new(move |_| answer());
        let chain = bench.around(|cx| build(config, cx));
        bench.send(&chain, req)
    }

    fn accepting(codings: &str) -> Request {
        testing::get("/", &[("Accept-Encoding", codings)])
    }

    /// `coding` of the answer and whether it varies, the body decoded and checked.
    fn coding(out: &Outcome) -> (Option<&str>, bool) {
        let coding = out
            .header("content-encoding")
            .filter(|c| codec::tests::decode(c, &out.body) == large());
        (coding, out.header("vary") == Some("Accept-Encoding"))
    }

    #[test]
    fn each_coding() {
        let check = |accept: &str, want: Option<&str>| {
            let out = send(&Config::default(), accepting(accept), || {
                plain(200, &[("Content-Length", "4500")])
            });
            assert_eq!(coding(&out), (want, want.is_some()), "{accept}");
            assert_eq!(
                (out.length.is_none(), out.header("content-length").is_none()),
                (want.is_some(), want.is_some())
            );
        };
        check("gzip", Some("gzip"));
        check("br", Some("br"));
        check("zstd", Some("zstd"));
        check("*", Some("gzip"));
        check("deflate", None);
        check("", None);
        check("identity", None);
    }

    #[test]
    fn what_is_left_alone() {
        let check = |coding: &str, answer: fn() -> Response, compressed: bool| {
            let out = send(&Config::default(), accepting(coding), answer);
            assert_eq!(
                out.header("content-encoding") == Some(coding),
                compressed,
                "{coding} {:?}",
                out.headers
            );
            assert_eq!(out.headers.get_all(b"Vary").next(), Some(&b"Accept-Encoding"[..]));
        };
        for coding in ["gzip", "br", "zstd"] {
            check(coding, || plain(200, &[]), true);
            check(coding, || plain(404, &[("Content-Type", "text/html")]), true);
            check(coding, || plain(200, &[("Content-Encoding", "x")]), false);
            check(coding, || plain(206, &[("Content-Range", "bytes 0-9/99")]), false);
            check(coding, || plain(200, &[("Content-Range", "bytes 0-9/99")]), false);
            check(
                coding,
                || plain(200, &[("Content-Type", "application/grpc")]),
                false,
            );
            check(
                coding,
                || plain(200, &[("Content-Type", "application/grpc+proto")]),
                false,
            );
            check(coding, || Response::bare(200, &large()[..1023]), false);
            check(coding, || Response::bare(200, &large()[..1024]), true);
            check(coding, || Response::new(200), false);
            check(coding, || Response::new(204), false);
            check(
                coding,
                || Response {
                    body: Script::new([Act::Pause, Act::End]).body(),
                    ..Response::new(200)
                },
                false,
            );
            check(
                coding,
                || plain(200, &[("Content-Type", "not parsable;;=")]),
                coding == "gzip",
            );
        }
    }

    #[test]
    fn requests_left_alone() {
        let check = |req: Request, default: &str, want: (Option<&str>, bool)| {
            let config = Config {
                default_encoding: default.to_owned(),
                ..Config::default()
            };
            assert_eq!(coding(&send(&config, req, || plain(200, &[]))), want);
        };
        check(testing::get("/", &[]), "", (None, false));
        check(testing::get("/", &[]), "br", (Some("br"), true));
        check(testing::get("/", &[]), "gzip", (Some("gzip"), true));
        check(
            testing::request("HEAD", "/", &[("Accept-Encoding", "gzip")]),
            "",
            (None, false),
        );
        let grpc = [("Accept-Encoding", "gzip"), ("Content-Type", "application/grpc")];
        check(testing::request("POST", "/", &grpc), "", (None, false));
    }

    #[test]
    fn content_types() {
        let list = |types: &[&str]| types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let excluding = Config {
            excluded_content_types: list(&["Text/HTML; a=b", "image/*"]),
            ..Config::default()
        };
        let including = Config {
            included_content_types: list(&["text/html"]),
            ..Config::default()
        };
        let check = |config: &Config, of: &'static str, want: bool| {
            for coding in ["gzip", "br"] {
                let out = send(config, accepting(coding), move || {
                    plain(200, &[("Content-Type", of)])
                });
                assert_eq!(out.header("content-encoding").is_some(), want, "{of}");
            }
        };
        check(&excluding, "text/html; charset=utf-8", false);
        check(&excluding, "image/png", true);
        check(&excluding, "text/plain", true);
        check(&including, "TEXT/html", true);
        check(&including, "text/plain", false);
        let untyped = |included: &[&str], coding: &str| {
            let config = Config {
                included_content_types: list(included),
                ..Config::default()
            };
            let out = send(&config, accepting(coding), || plain(200, &[]));
            (coding_of(&out), out.header("content-type").is_some())
        };
        assert_eq!(untyped(&["text/plain"], "gzip"), (Some("gzip".to_owned()), false));
        assert_eq!(untyped(&["text/html"], "gzip"), (None, false));
        assert_eq!(untyped(&["text/html"], "br"), (Some("br".to_owned()), false));
    }

    fn coding_of(out: &Outcome) -> Option<String> {
        out.header("content-encoding").map(str::to_owned)
    }

    #[test]
    fn bodies_of_unknown_length() {
        let script = |acts: fn() -> Vec<Act>| {
            move || Response {
                headers: [("Content-Type", "text/plain")].into_iter().collect(),
                body: Script::new(acts()).body(),
                ..Response::new(200)
            }
        };
        let check = |coding: &str, acts: fn() -> Vec<Act>, compressed: bool| {
            let out = send(&Config::default(), accepting(coding), script(acts));
            assert_eq!(out.header("content-encoding").is_some(), compressed, "{coding}");
            assert_eq!(out.length.is_some(), !compressed);
        };
        let small: fn() -> Vec<Act> = || vec![Act::Data(b"small"), Act::Pause, Act::Data(b"er")];
        check("gzip", small, true);
        check("br", small, true);
        check("zstd", small, true);
        let whole: fn() -> Vec<Act> = || vec![Act::Data(b"small"), Act::Data(b"er")];
        check("gzip", whole, true);
        check("br", whole, false);
        check("zstd", whole, false);
        check("gzip", Vec::new, false);
        let enough: fn() -> Vec<Act> = || {
            vec![
                Act::Data(&large()[..1000]),
                Act::Pause,
                Act::Data(&large()[1000..]),
            ]
        };
        for coding in ["gzip", "br", "zstd"] {
            check(coding, enough, true);
        }
        let broken: fn() -> Vec<Act> = || {
            vec![
                Act::Data(b"x"),
                Act::Fail(Fault::new(trilithon_flow::FaultKind::Broken, "cut")),
            ]
        };
        let cut = send(&Config::default(), accepting("gzip"), script(broken));
        assert_eq!(
            (cut.status, cut.broken.is_some()),
            (200, true),
            "a body that broke off must not look whole"
        );
        let cut = send(&Config::default(), accepting("br"), script(broken));
        assert_eq!(
            (cut.status, cut.broken.is_some()),
            (502, false),
            "nothing was sent yet"
        );
    }

    #[test]
    fn headers_of_a_compressed_answer() {
        let sent = [
            ("Etag", "\"x\""),
            ("Vary", "Origin"),
            ("Accept-Ranges", "bytes"),
            ("Content-Length", "4500"),
        ];
        let check = |coding: &str, want: &[&str]| {
            let out = send(&Config::default(), accepting(coding), move || plain(200, &sent));
            assert_eq!(testing::lines(&out.headers), want);
        };
        let vary = ["Vary: Accept-Encoding", "Vary: Origin"];
        check(
            "gzip",
            &["Etag: \"x\"", vary[0], vary[1], "Content-Encoding: gzip"],
        );
        check(
            "br",
            &[
                "Etag: \"x\"",
                "Accept-Ranges: bytes",
                vary[0],
                vary[1],
                "Content-Encoding: br",
            ],
        );
    }

    #[test]
    fn what_cannot_be_built() {
        let list = |types: &[&str]| types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let check = |config: Config| assert!(!testing::build_error(|cx| build(&config, cx)).is_empty());
        let both = Config {
            excluded_content_types: list(&["a/b"]),
            ..Config::default()
        };
        check(Config {
            included_content_types: list(&["a/b"]),
            ..both
        });
        check(Config {
            excluded_content_types: list(&["a b"]),
            ..Config::default()
        });
        check(Config {
            encodings: list(&["deflate"]),
            ..Config::default()
        });
        check(Config {
            encodings: list(&["gzip"]),
            default_encoding: "br".to_owned(),
            ..Config::default()
        });
    }
}
