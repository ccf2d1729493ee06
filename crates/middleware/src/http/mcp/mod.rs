//! `mcp`: governs calls of tools by the Model Context Protocol. What a message says is `trilithon_mcp`, how rules decide is crate
//! `policy`; here a message is read, decided on, recorded, passed on as it came, and lists are shortened on their way back.

mod access;
mod batch;
mod context;
mod definitions;
pub(super) mod denial;
mod hosts;
mod listing;
mod metadata;
pub(super) mod open;
mod outcome;
mod shapes;
mod stream;

pub use metadata::{challenge, challenge_of, well_known};
pub use trilithon_mcp::metadata::Resource;

use super::rollout::rollout;
use super::undo::{self, Tools};
use access::Access;
use batch::Company;
use bytes::Bytes;
use definitions::Definitions;
use denial::Denial;
use hosts::Hosts;
use listing::Listing;
use metadata::Metadata;
use open::Opened;
use shapes::Shapes;
use std::sync::Arc;
use trilithon_flow::mcp_call::Asked;
use trilithon_flow::model_call::BodyLimit;
use trilithon_flow::trace::What;
use trilithon_flow::{
    Build, BuildError, Exchange, Known, Method, Mode, Next, Reply, Request, Response, Rollout, Step, Wrap,
};
use trilithon_mcp::List;
use trilithon_mcp::error::INVALID_REQUEST;
use trilithon_model::dynamic::http::Mcp as Config;

/// Builds the middleware.
///
/// # Errors
/// Rules that do not compile; addresses of `resourceMetadata` that are none; a status that no refusal has; a size that is none.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let limit = match config.max_request_body_size {
        None => BodyLimit::of(cx.keep).tools,
        Some(size) => u64::try_from(size).ok().filter(|n| *n > 0).ok_or_else(|| {
            BuildError::new(format!("`maxRequestBodySize` {size} is no size"))
                .help("write a number of bytes, such as 1048576")
        })?,
    };
    Ok(Step::wrap(Mcp {
        access: Access::build(config, cx)?,
        rollout: rollout(config.mode, config.percent),
        denial: Denial::build(config)?,
        metadata: Metadata::build(config)?,
        hosts: Hosts::build(config)?,
        definitions: Definitions::build(config, cx)?,
        shapes: Shapes::build(cx),
        undo: Tools::build(&config.undo, cx.name)?,
        limit,
    }))
}

/// What the rules decide on a message: told to the record of `cx`, as when it is served.
///
/// # Errors
/// It is no message, or the rules do not compile.
pub fn judge(
    config: &Config,
    message: &[u8],
    req: &Request,
    cx: &mut Exchange,
    build: &mut Build<'_>,
) -> Result<(), String> {
    let access = Access::build(config, build).map_err(|e| e.message)?;
    let body = Bytes::copy_from_slice(message);
    let read = trilithon_mcp::Message::read(&body).map_err(|e| e.message)?;
    cx.mcp = Some(read.asked(&body, &read.call()).into());
    let mode = rollout(config.mode, config.percent).of(cx.caller());
    let definitions = Definitions::build(config, build).map_err(|e| e.message)?;
    if access.admits(mode, req, cx)
        && let (Some(definitions), Some(asked)) = (definitions, cx.mcp.clone())
    {
        cx.record
            .decisions
            .extend(definitions.decide(&asked, mode).filter(|_| mode != Mode::Off));
    }
    Ok(())
}

struct Mcp {
    access: Access,
    rollout: Rollout,
    denial: Denial,
    metadata: Option<Metadata>,
    hosts: Hosts,
    /// What is trusted of what the server says of its tools.
    definitions: Option<Arc<Definitions>>,
    /// What the server's lists say that calls look like.
    shapes: Shapes,
    /// Which calls can be undone.
    undo: Tools,
    /// Bytes of the largest message.
    limit: u64,
}

impl Wrap for Mcp {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            if let Some(answer) = self.metadata.as_ref().and_then(|m| m.answer(&req)) {
                return answer;
            }
            if let Err(refusal) = self.hosts.check(&req) {
                return refusal;
            }
            let mode = self.rollout.of(cx.caller());
            if self.is_strict(mode) && batch::may_be(&req) {
                let read = match open::whole(&mut req, self.limit).await {
                    Ok(body) => batch::read(&req, &body),
                    Err(refusal) => return refusal,
                };
                match read {
                    Ok(Some(batch)) => return Box::pin(batch.run(self, req, cx, next, mode)).await,
                    Ok(None) => {}
                    Err(refusal) => return refusal,
                }
            }
            self.message(req, cx, next, mode, Company::Alone).await
        })
    }
}

impl Mcp {
    /// What becomes of one message.
    async fn message(
        &self,
        mut req: Request,
        cx: &mut Exchange,
        next: Next<'_>,
        mode: Mode,
        company: Company,
    ) -> Response {
        open::shared(cx).borrow_mut().answering.graceful = self.denial.is_graceful();
        let strict = self.is_strict(mode);
        let opened = match open::open(&mut req, cx, self.limit, strict).await {
            Ok(opened) => opened,
            Err(refusal) => return refusal,
        };
        if let Some(opened) = &opened
            && let Err(refusal) = self.check(opened, &req, cx, mode)
        {
            return refusal;
        }
        let listing = self.listing(opened.as_ref(), mode, &mut req, cx);
        let learns = strict && self.shapes.expect(opened.as_ref(), &mut req);
        let contract = opened.as_ref().and_then(|opened| self.undo.of(&opened.asked));
        if let (Some(_), Some(opened), Company::Others(_)) = (&contract, &opened, company) {
            let id = opened.call.borrow().answering.id.clone();
            let why = "a call that can be undone is not taken with other messages: send it alone";
            return denial::error(400, id.as_deref(), INVALID_REQUEST, why);
        }
        if contract.is_some() {
            // Its result is read on its way: it has to come as it is.
            req.headers.remove_known(Known::AcceptEncoding);
        }
        let of = company.place();
        let span = opened.is_some().then(|| cx.record.enter(|| What::McpCall { of }));
        if opened.is_some() {
            context::hand_on(&mut req, cx);
        }
        let res = next.run(req, cx).await;
        if let Some(span) = &span {
            cx.record.leave(span);
        }
        let res = match (contract, &opened) {
            (Some(contract), Some(opened)) => undo::watch_tool(contract, &opened.asked, cx, res),
            _ => res,
        };
        let res = match &opened {
            Some(opened) if learns => self.shapes.learn(opened.call.clone(), res),
            _ => res,
        };
        let res = match opened {
            Some(opened) => outcome::watch(opened.call, res),
            None => res,
        };
        match listing {
            Some(listing) => Box::pin(listing.shorten(res)).await,
            None => res,
        }
    }

    /// Whether a message passes.
    ///
    /// # Errors
    /// The answer to one that does not.
    fn check(&self, opened: &Opened, req: &Request, cx: &mut Exchange, mode: Mode) -> Result<(), Response> {
        if self.is_strict(mode) {
            self.shapes.check(opened, req)?;
        }
        context::read(opened, req, cx);
        match self.access.admits(mode, req, cx) && self.is_trusted(&opened.asked, mode, cx) {
            true => self.fits(opened, mode, cx),
            false => Err(self.denial.answer(opened, self.access.name(), cx)),
        }
    }

    /// Whether arguments are what the tool's definition asks for.
    ///
    /// # Errors
    /// The answer to a call whose arguments are not.
    fn fits(&self, opened: &Opened, mode: Mode, cx: &mut Exchange) -> Result<(), Response> {
        let definitions = self.definitions.as_ref().filter(|_| mode != Mode::Off);
        let Some((decision, why)) = definitions.and_then(|d| d.misfit(&opened.asked, mode)) else {
            return Ok(());
        };
        let refuses = decision.refuses();
        cx.record.decisions.push(decision);
        match refuses {
            true => Err(self.denial.misfit(opened, self.access.name(), &why)),
            false => Ok(()),
        }
    }

    /// Whether messages have to be read as the server reads them.
    fn is_strict(&self, mode: Mode) -> bool {
        self.governs() && mode == Mode::Enforce
    }

    /// Whether anything is refused or hidden.
    fn governs(&self) -> bool {
        self.access.governs() || self.definitions.as_ref().is_some_and(|d| d.refuses_any())
    }

    /// Whether what is asked for is what its definition was trusted for.
    fn is_trusted(&self, asked: &Asked, mode: Mode, cx: &mut Exchange) -> bool {
        let definitions = self.definitions.as_ref().filter(|_| mode != Mode::Off);
        let Some(decision) = definitions.and_then(|d| d.decide(asked, mode)) else {
            return true;
        };
        let refuses = decision.refuses();
        cx.record.decisions.push(decision);
        !refuses
    }

    /// What shortens the lists in the answer, where there can be any: in that to a question for one, and in a stream that is listened
    /// to, which repeats what was missed.
    fn listing(
        &self,
        opened: Option<&Opened>,
        mode: Mode,
        req: &mut Request,
        cx: &mut Exchange,
    ) -> Option<Listing> {
        let lists = match opened {
            Some(opened) => List::of(&opened.asked.method).is_some(),
            None => req.method == Method::Get,
        };
        let (rules, definitions) = (self.access.lists(), self.definitions.clone());
        if !lists || mode == Mode::Off || (rules.is_none() && definitions.is_none()) {
            return None;
        }
        if mode == Mode::Enforce {
            // Lists are read on their way: they have to come as they are.
            req.headers.remove_known(Known::AcceptEncoding);
        }
        let call = open::shared(cx);
        Some(Listing::new(rules, definitions, mode, req, cx, call))
    }
}

#[cfg(test)]
mod tests;
