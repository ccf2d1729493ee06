//! Answers of the gateway's own pages.

use serde_json::Value;
use trilithon_flow::{Known, Response};

/// An answer before it becomes a response: it may be made on another thread than the worker's.
pub struct Page {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Page {
    /// 200 with a body.
    pub fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Page {
        Page {
            status: 200,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// 200 with a JSON document and a line end, as Go's encoder writes it.
    pub fn json(value: &Value) -> Page {
        Page::new("application/json", format!("{value}\n"))
    }

    /// An error of the API: JSON in a plain-text answer, as Traefik's.
    pub fn error(status: u16, message: &str) -> Page {
        let body = serde_json::json!({ "message": message });
        let page = Page::new("text/plain; charset=utf-8", format!("{body}\n"));
        Page {
            status,
            ..page.with("X-Content-Type-Options", "nosniff")
        }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Page {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Page> for Response {
    fn from(page: Page) -> Response {
        let mut res = Response::bare(page.status, page.body);
        res.headers.set_known(Known::ContentType, page.content_type);
        for (name, value) in &page.headers {
            res.headers.append(name, value);
        }
        res
    }
}

/// What Go's server answers for a path that nobody handles.
pub fn not_found() -> Response {
    Response::error(404, "404 page not found")
}
