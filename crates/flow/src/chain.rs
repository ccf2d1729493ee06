//! Middlewares in their two shapes, the chain that runs them, and the service behind it.
//!
//! Most middlewares only touch heads: an [`Edit`] is two plain functions, and a run of edits is a loop. The others stand
//! around the rest of the chain: a [`Wrap`] is given the request and what comes next, and costs one boxed future.

use crate::{Exchange, Request, Response};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The answer to come. It stays on the worker that started it.
pub type Reply<'a> = Pin<Box<dyn Future<Output = Response> + 'a>>;

/// A middleware that changes or refuses a request by its head, and may change the head of the response.
pub trait Edit: Send + Sync {
    /// On the way in. `Err` is the answer: nothing behind this middleware runs, nor does its own [`Edit::response`].
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let _ = (req, cx);
        Ok(())
    }
    /// On the way out.
    fn response(&self, res: &mut Response, cx: &mut Exchange) {
        let _ = (res, cx);
    }
}

/// A middleware that stands around the rest of the chain.
pub trait Wrap: Send + Sync {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a>;
}

/// What a request is for: a load balancer, a composite of services, or one of the gateway's own.
pub trait Service: Send + Sync {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a>;
}

/// One middleware of a chain.
pub enum Step {
    Edit(Box<dyn Edit>),
    Wrap(Box<dyn Wrap>),
}

impl Step {
    pub fn edit(edit: impl Edit + 'static) -> Step {
        Step::Edit(Box::new(edit))
    }
    pub fn wrap(wrap: impl Wrap + 'static) -> Step {
        Step::Wrap(Box::new(wrap))
    }
}

/// Middlewares in order, the first outermost, and the service they lead to.
pub struct Chain {
    steps: Vec<Step>,
    service: Arc<dyn Service>,
}

impl Chain {
    pub fn new(steps: Vec<Step>, service: Arc<dyn Service>) -> Chain {
        Chain { steps, service }
    }

    /// Runs the whole chain.
    #[inline]
    pub fn run<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> impl Future<Output = Response> + use<'a> {
        let whole = Next {
            steps: &self.steps,
            service: &*self.service,
        };
        whole.run(req, cx)
    }
}

/// A chain with nothing in front is its service; a chain can itself be one (a service's own middlewares).
impl Service for Chain {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        if self.steps.is_empty() {
            self.service.call(req, cx)
        } else {
            Box::pin(self.run(req, cx))
        }
    }
}

/// The rest of a chain, as a [`Wrap`] sees it. It can be run more than once (retry).
#[derive(Clone, Copy)]
pub struct Next<'a> {
    steps: &'a [Step],
    service: &'a dyn Service,
}

impl<'a> Next<'a> {
    /// Runs the rest: the edits up to the next wrap in a loop, then that wrap or the service, then the edits back.
    ///
    /// A block, not an `async fn`: that would keep the request twice, here and on the way in.
    #[allow(clippy::manual_async_fn)]
    pub fn run(self, mut req: Request, cx: &'a mut Exchange) -> impl Future<Output = Response> + use<'a> {
        async move {
            let mut passed = 0;
            let mut res = loop {
                match self.steps.get(passed) {
                    Some(Step::Edit(edit)) => match edit.request(&mut req, cx) {
                        Ok(()) => passed += 1,
                        Err(refusal) => {
                            cx.keep_head(&req);
                            break refusal;
                        }
                    },
                    Some(Step::Wrap(wrap)) => {
                        let next = Next {
                            steps: &self.steps[passed + 1..],
                            service: self.service,
                        };
                        cx.keep_head(&req);
                        break wrap.call(req, cx, next).await;
                    }
                    None => {
                        cx.keep_head(&req);
                        break self.service.call(req, cx).await;
                    }
                }
            };
            for step in self.steps[..passed].iter().rev() {
                if let Step::Edit(edit) = step {
                    edit.response(&mut res, cx);
                }
            }
            res
        }
    }

    /// [`Next::run`] as a boxed future, for a wrap that has nothing to do on the way back.
    pub fn reply(self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(self.run(req, cx))
    }
}
