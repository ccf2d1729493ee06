//! For the tests of this crate: a service that can be watched, with what became of each exchange.

use super::testing;
use bytes::Bytes;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use trilithon_flow::{
    Body, Build, BuildError, Chain, Exchange, Fault, Headers, Keep, Record, Reply, Request, Response,
    Service, Services, Source, Step,
};

/// What the service was asked, its body read.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Headers,
    pub body: String,
    pub length: Option<u64>,
    pub forwarded_for: bool,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get_str(name)
    }
}

/// What became of an exchange, the body of the answer read.
pub struct Outcome {
    pub status: u16,
    pub headers: Headers,
    pub length: Option<u64>,
    pub body: Bytes,
    pub trailers: Option<Headers>,
    pub broken: Option<Fault>,
    pub upgraded: bool,
    pub record: Record,
}

impl Outcome {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get_str(name)
    }
}

type Answer = dyn Fn(&Asked) -> Response + Send + Sync;
type RawAnswer = dyn Fn(Request) -> Response + Send + Sync;

enum Answers {
    /// Reads the request's body first.
    Read(Box<Answer>),
    /// Is given the request as it comes.
    Raw(Box<RawAnswer>),
}

struct Watched {
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service for Watched {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async move {
            let mut asked = Asked {
                method: req.method.to_string(),
                target: req.target.to_string(),
                headers: req.headers.clone(),
                length: req.body.length(),
                forwarded_for: !cx.not_append_forwarded_for,
                body: String::new(),
            };
            match &self.answers {
                Answers::Raw(answer) => {
                    self.asked.lock().unwrap().push(asked);
                    answer(req)
                }
                Answers::Read(answer) => {
                    let body = req.body.collect(1 << 30).await;
                    asked.body =
                        body.map_or_else(|e| format!("{e:?}"), |b| String::from_utf8_lossy(&b).into_owned());
                    let res = answer(&asked);
                    self.asked.lock().unwrap().push(asked);
                    res
                }
            }
        })
    }
}

#[derive(Default)]
struct Named(HashMap<String, Arc<dyn Service>>);

impl Services for Named {
    fn service(&self, name: &str) -> Result<Arc<dyn Service>, BuildError> {
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| BuildError::new(format!("the service \"{name}\" does not exist")))
    }
}

/// A service, and what was asked of it.
pub struct Bench {
    service: Arc<dyn Service>,
    asked: Arc<Mutex<Vec<Asked>>>,
    named: Named,
    keep: Keep,
    pub warnings: Vec<String>,
}

impl Bench {
    /// A service that reads the request whole and answers.
    pub fn new(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Bench {
        Bench::with(Answers::Read(Box::new(answer)))
    }

    /// A service that does with the request what it likes.
    pub fn raw(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> Bench {
        Bench::with(Answers::Raw(Box::new(answer)))
    }

    fn with(answers: Answers) -> Bench {
        let asked = Arc::default();
        let service = Arc::new(Watched {
            answers,
            asked: Arc::clone(&asked),
        });
        Bench {
            service,
            asked,
            named: Named::default(),
            keep: Keep::default(),
            warnings: Vec::new(),
        }
    }

    /// The service itself.
    pub fn service(&self) -> Arc<dyn Service> {
        self.service.clone()
    }

    /// Makes another bench's service known by name.
    pub fn name_service(&mut self, name: &str, other: &Bench) {
        self.named.0.insert(name.to_owned(), other.service.clone());
    }

    pub fn build<T>(&mut self, make: impl FnOnce(&mut Build<'_>) -> T) -> T {
        make(&mut Build {
            name: "m@file",
            owner: "r@file",
            keep: &self.keep,
            services: &self.named,
            warnings: &mut self.warnings,
        })
    }

    pub fn chain(&self, steps: Vec<Step>) -> Chain {
        Chain::new(steps, self.service.clone())
    }

    /// The middleware that `make` builds in front of the service.
    pub fn around(&mut self, make: impl FnOnce(&mut Build<'_>) -> Result<Step, BuildError>) -> Chain {
        let step = self
            .build(make)
            .unwrap_or_else(|e| panic!("cannot be built: {e}"));
        self.chain(vec![step])
    }

    /// How often the service was asked.
    pub fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The last thing that was asked.
    pub fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub fn get(&self, chain: &Chain, target: &str) -> Outcome {
        self.send(chain, testing::get(target, &[]))
    }

    /// Runs one exchange to the end of its body.
    pub fn send(&self, chain: &Chain, req: Request) -> Outcome {
        testing::block_on(send(chain, req))
    }
}

/// Runs one exchange to the end of its body.
pub async fn send(chain: &Chain, req: Request) -> Outcome {
    let mut cx = Exchange::new(Rc::new(testing::connection("10.0.0.9:5000", None)), Rc::default());
    let mut res = chain.run(req, &mut cx).await;
    let length = res.body.length();
    let mut body = Vec::new();
    let mut broken = None;
    while let Some(chunk) = res.body.chunk().await {
        match chunk {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(fault) => {
                broken = Some(fault);
                break;
            }
        }
    }
    cx.settle_calls();
    Outcome {
        status: res.status,
        headers: std::mem::take(&mut res.headers),
        length,
        body: body.into(),
        trailers: res.body.trailers(),
        broken,
        upgraded: res.upgraded.is_some(),
        record: std::mem::take(&mut cx.record),
    }
}

/// One thing that a [`Script`] does when it is polled.
pub enum Act {
    Data(&'static [u8]),
    /// Nothing yet: the next poll goes on.
    Pause,
    Fail(Fault),
    End,
}

/// A body of unknown length that does one thing after another.
pub struct Script {
    acts: std::collections::VecDeque<Act>,
    current: &'static [u8],
    trailers: Option<Headers>,
    length: Option<u64>,
}

impl Script {
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Script {
        Script {
            acts: acts.into_iter().collect(),
            current: b"",
            trailers: None,
            length: None,
        }
    }
    pub fn trailers(mut self, trailers: &[(&str, &str)]) -> Script {
        self.trailers = Some(trailers.iter().copied().collect());
        self
    }
    pub fn length(mut self, length: u64) -> Script {
        self.length = Some(length);
        self
    }
    pub fn body(self) -> Body {
        Body::from_source(self)
    }
}

impl Source for Script {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.current.is_empty() {
            match self.acts.pop_front() {
                Some(Act::Data(data)) => self.current = data,
                Some(Act::Pause) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Act::Fail(fault)) => return Poll::Ready(Err(fault)),
                Some(Act::End) | None => break,
            }
        }
        Poll::Ready(Ok(self.current))
    }
    fn consume(&mut self, n: usize) {
        self.current = &self.current[n..];
    }
    fn length(&self) -> Option<u64> {
        self.length
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}
