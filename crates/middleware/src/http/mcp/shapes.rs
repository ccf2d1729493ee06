//! What lists say that calls of tools look like, learnt as they go by, and calls held against it. A call of a tool that no list has named
//! passes: rules decide by its message alone.

use super::super::model_call::meter::{is_readable, is_stream};
use super::super::model_call::watch::{self, Look};
use super::denial::{era, error};
use super::open::Opened;
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_flow::model_call::name as cut;
use trilithon_flow::{Build, Known, Request, Response, SharedMcpCall};
use trilithon_mcp::error::HEADER_MISMATCH;
use trilithon_mcp::shapes::listed;
use trilithon_mcp::{List, Shapes as Book};

/// What is known of the tools of one server, by the middleware's name; kept over reloads.
pub struct Shapes {
    name: Arc<str>,
    book: Arc<Mutex<Book>>,
}

impl Shapes {
    pub fn build(cx: &mut Build<'_>) -> Shapes {
        Shapes {
            name: cx.name.into(),
            book: cx.keep.get(cx.name, &(), Mutex::default),
        }
    }

    /// Looks whether the headers of a call say what its arguments say.
    ///
    /// # Errors
    /// The answer to one whose headers do not.
    pub fn check(&self, opened: &Opened, req: &Request) -> Result<(), Response> {
        let tool = opened
            .asked
            .tool()
            .filter(|_| &*opened.asked.method == "tools/call");
        let mirror = tool.and_then(|tool| self.book.lock().unwrap_or_else(PoisonError::into_inner).of(tool));
        let Some(mirror) = mirror else {
            return Ok(());
        };
        let call = opened.call.borrow();
        let arguments = opened.asked.params().get("arguments");
        let verified = mirror.verify(&req.headers, arguments, era(&call));
        verified.map_err(|name| {
            let message = format!("header mismatch: `{name}` does not say what the arguments say");
            error(400, call.answering.id.as_deref(), HEADER_MISMATCH, &message)
        })
    }

    /// Has a list of tools come in a form that can be read; whether this is one.
    pub fn expect(&self, opened: Option<&Opened>, req: &mut Request) -> bool {
        let is_list = opened.is_some_and(|opened| *opened.asked.method == *List::Tools.method());
        if is_list {
            req.headers.remove_known(Known::AcceptEncoding);
        }
        is_list
    }

    /// Learns from a list of tools that goes by. No byte of it waits.
    pub fn learn(&self, call: SharedMcpCall, mut res: Response) -> Response {
        if is_readable(&res) && !res.body.is_empty() {
            let is_stream = is_stream(&res);
            let learning = Learning {
                name: self.name.clone(),
                book: self.book.clone(),
                call,
            };
            res.body = watch::body(res.body.take(), is_stream, learning);
        }
        res
    }
}

struct Learning {
    name: Arc<str>,
    book: Arc<Mutex<Book>>,
    call: SharedMcpCall,
}

impl Look for Learning {
    fn event(&mut self, data: &[u8]) {
        self.whole(data);
    }

    fn whole(&mut self, body: &[u8]) {
        for listed in listed(body) {
            let tool = cut(&listed.name);
            if listed.mirror.is_err() {
                self.call.borrow_mut().notice(tool.clone(), "bad_headers");
            }
            let news = self
                .book
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .learn(listed);
            if let Some(why) = news {
                let server = &*self.name;
                tracing::warn!(server, tool = &*tool, %why, "headers of a tool are not verified; clients leave it out");
            }
        }
    }
}
