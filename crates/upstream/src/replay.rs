//! A request body held in memory, so that a request can be sent more than once.

use bytes::Bytes;
use trilithon_flow::limits::DRAIN_BYTES;
use trilithon_flow::{Beginning, Body, Fault, Headers, Request, read_up_to};

/// A request that can be made again and again.
pub struct Replay {
    head: Request,
    body: Bytes,
    trailers: Option<Headers>,
}

/// What became of a body that was to be held.
pub enum Held {
    /// It is in memory.
    Whole(Replay),
    /// It is larger than allowed; the request is as it was.
    Larger(Request),
}

impl Replay {
    /// Reads the body of `req`, up to `limit` bytes (`None`: all of it).
    ///
    /// # Errors
    /// When the client's body breaks off.
    pub async fn of(mut req: Request, limit: Option<u64>) -> Result<Held, Fault> {
        Ok(
            match read_up_to(req.body.take(), limit.unwrap_or(u64::MAX)).await? {
                Beginning::Larger(body) => Held::Larger(Request { body, ..req }),
                Beginning::Whole(body, trailers) => Held::Whole(Replay {
                    head: req,
                    body,
                    trailers,
                }),
            },
        )
    }

    /// The head of `req` alone, and nothing of its body.
    pub fn without_body(req: &Request) -> Replay {
        let mut head = req.clone_head();
        head.headers.remove("Content-Length");
        Replay {
            head,
            body: Bytes::new(),
            trailers: None,
        }
    }

    /// The request once more.
    pub fn request(&self) -> Request {
        let mut req = self.head.clone_head();
        req.body = match &self.trailers {
            None => Body::from(self.body.clone()),
            trailers => Body::with_trailers(self.body.clone(), trailers.clone()),
        };
        req
    }
}

/// Reads a body that nobody wants, so that its connection can be used again; gives up on a long one.
pub async fn discard(mut body: Body) {
    let mut read = 0;
    while read <= DRAIN_BYTES {
        match body.chunk().await {
            Some(Ok(chunk)) => read += chunk.len() as u64,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::run;
    use std::task::{Context, Poll};
    use trilithon_flow::Source;

    struct Unknown(Vec<&'static [u8]>);
    impl Source for Unknown {
        fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
            Poll::Ready(Ok(self.0.last().copied().unwrap_or_default()))
        }
        fn consume(&mut self, _: usize) {
            self.0.pop();
        }
        fn length(&self) -> Option<u64> {
            None
        }
    }

    fn check(body: Body, limit: Option<u64>, want: &str) {
        let req = Request {
            body,
            ..Request::default()
        };
        let got = run(async {
            match Replay::of(req, limit).await.unwrap() {
                Held::Larger(mut req) => format!("larger {:?}", req.body.collect(99).await.unwrap()),
                Held::Whole(replay) => {
                    let mut texts = Vec::new();
                    for _ in 0..2 {
                        texts.push(replay.request().body.collect(99).await.unwrap());
                    }
                    format!("{texts:?}")
                }
            }
        });
        assert_eq!(got, want);
    }

    #[test]
    fn bodies_are_held_or_left_whole() {
        let unknown = || Body::from_source(Unknown(vec![b"ghi", b"def", b"abc"]));
        check(Body::empty(), Some(0), r#"[b"", b""]"#);
        check(Body::from("abc"), Some(3), r#"[b"abc", b"abc"]"#);
        check(Body::from("abc"), Some(2), r#"larger b"abc""#);
        check(unknown(), None, r#"[b"abcdefghi", b"abcdefghi"]"#);
        check(unknown(), Some(9), r#"[b"abcdefghi", b"abcdefghi"]"#);
        check(unknown(), Some(4), r#"larger b"abcdefghi""#);
    }
}
