//! `undo`, and the `undo` of `mcp`: what a call did can be undone by another one. Here that call is made, when the answer goes by, and
//! told to the record; who sends it is `trilithon undo`. No answer changes.

mod contract;
mod facts;
mod tools;

use super::model_call::meter::{is_readable, is_stream};
use super::model_call::watch::{self, Look};
use contract::{Call, Contract};
use std::rc::Rc;
use std::sync::Arc;
use trilithon_flow::{
    Body, Build, BuildError, Exchange, FaultKind, Known, Method, Next, Reply, Request, Response, SharedUndo,
    Step, Wrap,
};
use trilithon_model::dynamic::http::Undo as Config;
use trilithon_policy::undo::{Names, Root, Values};
use trilithon_wire::json::tree;

pub use tools::{Tools, watch as watch_tool};

/// Builds the middleware.
///
/// # Errors
/// No compensating call, or one that cannot be read or sent; a method that is none; a size that is none.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let request = config.request.as_ref().ok_or_else(|| {
        BuildError::new("`undo` has no `request`").help("write `request: {method: DELETE, path: …}`")
    })?;
    let limit = u64::try_from(config.max_request_body_size)
        .ok()
        .filter(|n| *n > 0);
    let limit = limit.ok_or_else(|| {
        let size = config.max_request_body_size;
        BuildError::new(format!("`maxRequestBodySize` {size} is no size"))
            .help("write a number of bytes, such as 1048576")
    })?;
    let mut names = Names::default();
    let call = Call::request(request, &mut names)?;
    let methods = match config.methods.is_empty() {
        true => vec![Method::Post, Method::Put, Method::Patch, Method::Delete],
        false => config
            .methods
            .iter()
            .map(|m| contract::method(m, "methods"))
            .collect::<Result<_, _>>()?,
    };
    Ok(Step::wrap(Undo {
        reads_request: names.needs(Root::RequestBody),
        reads_answer: names.needs(Root::ResponseBody),
        contract: Arc::new(Contract::new(cx.name, names, call)),
        methods,
        limit,
    }))
}

struct Undo {
    contract: Arc<Contract>,
    methods: Vec<Method>,
    reads_request: bool,
    reads_answer: bool,
    /// Bytes of the largest request body that is read.
    limit: u64,
}

impl Wrap for Undo {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            if !self.methods.contains(&req.method) || req.upgrade.is_some() {
                return next.run(req, cx).await;
            }
            let values = match self.before(&mut req, cx).await {
                Ok(values) => values,
                Err(refusal) => return refusal,
            };
            let res = next.run(req, cx).await;
            match (200..400).contains(&res.status) && res.fault.is_none() {
                true => self.after(values, cx, res),
                // Nothing was done.
                false => res,
            }
        })
    }
}

impl Undo {
    /// What the request says.
    async fn before(&self, req: &mut Request, cx: &Exchange) -> Result<Values, Response> {
        let mut body = None;
        if self.reads_request {
            let read = match req.body.collect(self.limit).await {
                Ok(read) => read,
                Err(fault) if fault.kind == FaultKind::TooLarge => {
                    let why = format!("the body is larger than {} bytes", self.limit);
                    return Err(Response::error(413, &why));
                }
                Err(fault) => return Err(Response::from(fault)),
            };
            body = tree(&read).ok();
            req.body = Body::from(read);
        }
        if self.reads_answer {
            // It is read on its way: it has to come as it is.
            req.headers.remove_known(Known::AcceptEncoding);
        }
        let names = self.contract.names().iter();
        Ok(names
            .map(|name| facts::of_request(name, req, &cx.record.target, body.as_ref()))
            .collect())
    }

    /// Adds what the answer says, at once or when its body has gone by.
    fn after(&self, mut values: Values, cx: &mut Exchange, mut res: Response) -> Response {
        for (name, value) in self.contract.names().iter().zip(&mut values) {
            if !name.root().is_of_request() {
                *value = facts::of_answer(name, &res, &cx.record.host);
            }
        }
        if !self.reads_answer {
            cx.undo = Some(shared(self.contract.made("", &values)));
            return res;
        }
        let slot = shared(self.contract.unknown("its answer was not seen to the end"));
        cx.undo = Some(slot.clone());
        if is_readable(&res) && !is_stream(&res) {
            let answer = Answer {
                contract: self.contract.clone(),
                values,
                slot,
            };
            res.body = watch::body(res.body.take(), false, answer);
        } else {
            *slot.borrow_mut() = Some(self.contract.unknown("its answer cannot be read"));
        }
        res
    }
}

fn shared(undo: trilithon_flow::Undo) -> SharedUndo {
    Rc::new(Some(undo).into())
}

/// Waits for a whole answer.
struct Answer {
    contract: Arc<Contract>,
    values: Values,
    slot: SharedUndo,
}

impl Look for Answer {
    fn event(&mut self, _: &[u8]) {}

    fn whole(&mut self, body: &[u8]) {
        let body = tree(body).ok();
        for (name, value) in self.contract.names().iter().zip(&mut self.values) {
            if name.root() == Root::ResponseBody {
                *value = body.as_ref().and_then(|body| name.find(body)).cloned();
            }
        }
        *self.slot.borrow_mut() = Some(self.contract.made("", &self.values));
    }
}

#[cfg(test)]
mod tests;
