//! Traefik's read API: what the live configuration is, and what became of each object.
//!
//! Everything is made from the report of the live snapshot when it is asked for, beside the worker that was asked.

mod certificates;
mod entry_points;
mod http;
mod list;
mod object;
mod overview;
mod params;
mod streams;
mod support_dump;
mod version;

use crate::answer::{self, Page};
use crate::dashboard::Dashboard;
use crate::internal::{Context, aside};
use list::Item;
use params::Params;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use trilithon_engine::report::Report;
use trilithon_flow::{Exchange, Known, Method, Reply, Request, Response, Service};

/// The service `api@internal`.
pub struct Api {
    context: Context,
    /// What comes before `/api` and `/dashboard/`; empty for nothing.
    base: String,
    /// The path that leads to the dashboard: `api.basePath` as it is written.
    root: String,
    dashboard: Option<Arc<Dashboard>>,
}

impl Api {
    pub fn new(context: Context, dashboard: Option<Arc<Dashboard>>) -> Api {
        let root = context.install.api.as_ref().map(|a| a.base_path.clone());
        let root = root.unwrap_or_else(|| "/".to_owned());
        Api {
            context,
            base: root.trim_end_matches('/').to_owned(),
            root,
            dashboard,
        }
    }

    async fn answer(&self, req: Request) -> Response {
        let path = req.target.path().to_owned();
        let Some(below) = path.strip_prefix(self.base.as_str()) else {
            return answer::not_found();
        };
        if let Some(dashboard) = &self.dashboard {
            if let Some(page) = below.strip_prefix("/dashboard/") {
                return dashboard.page(&req.method, page);
            }
            if path == self.root && req.method == Method::Get {
                return self.to_dashboard(&req);
            }
        }
        let Some(question) = below.strip_prefix("/api/").and_then(Question::of) else {
            return answer::not_found();
        };
        if req.method != Method::Get {
            return Response::new(405);
        }
        let params = Params::of(req.target.query().unwrap_or_default());
        let context = self.context.clone();
        aside(move || question.answer(&context, &params)).await
    }

    /// From the base path to the page, below the prefix that a proxy in front took off.
    fn to_dashboard(&self, req: &Request) -> Response {
        let prefix = req.headers.get_str("X-Forwarded-Prefix").unwrap_or_default();
        let prefix = if prefix.contains("//") || !prefix.starts_with('/') {
            ""
        } else {
            prefix.trim_end_matches('/')
        };
        let location = format!("{prefix}{}/dashboard/", self.base);
        let escaped = location
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;");
        let mut res = Response::bare(302, format!("<a href=\"{escaped}\">Found</a>.\n\n"));
        res.headers
            .set_known(Known::ContentType, "text/html; charset=utf-8");
        res.headers.append("Location", &location);
        res
    }
}

impl Service for Api {
    fn call<'a>(&'a self, req: Request, _: &'a mut Exchange) -> Reply<'a> {
        Box::pin(self.answer(req))
    }
}

/// What a path below `/api/` asks for.
#[derive(Debug, PartialEq)]
enum Question {
    Version,
    RawData,
    Overview,
    SupportDump,
    /// What goes on now; Traefik has no such thing.
    Activity,
    List(Noun),
    One(Noun, String),
}

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Noun {
    EntryPoint,
    Certificate,
    HttpRouter,
    HttpService,
    HttpMiddleware,
    TcpRouter,
    TcpService,
    TcpMiddleware,
    UdpRouter,
    UdpService,
}

impl Question {
    /// The question of an escaped path.
    fn of(path: &str) -> Option<Question> {
        Some(match path {
            "version" => Question::Version,
            "rawdata" => Question::RawData,
            "overview" => Question::Overview,
            "support-dump" => Question::SupportDump,
            "activity" => Question::Activity,
            _ => match Noun::of(path) {
                Some(noun) => Question::List(noun),
                None => {
                    let (noun, name) = path.rsplit_once('/').filter(|(_, name)| !name.is_empty())?;
                    Question::One(
                        Noun::of(noun)?,
                        percent_decode_str(name).decode_utf8_lossy().into_owned(),
                    )
                }
            },
        })
    }

    fn answer(&self, context: &Context, params: &Params) -> Page {
        let snapshot = context.snapshot();
        let nothing = Report::default();
        let report = snapshot.as_ref().map_or(&nothing, |s| &*s.report);
        match self {
            Question::Version => version::answer(context),
            Question::RawData => Page::json(&raw_data(report)),
            Question::Overview => Page::json(&overview::of(&context.install, report)),
            Question::SupportDump => support_dump::answer(context, report),
            Question::Activity => match &context.activity {
                Some(activity) => Page::json(&activity.answer(report, context.started)),
                None => Page::error(404, "nothing is kept"),
            },
            Question::List(noun) => list::answer(noun.items(context, report), params),
            Question::One(noun, name) => {
                let items = noun.items(context, report);
                match items.into_iter().find(|i| i.name == *name) {
                    Some(item) => Page::json(&item.render()),
                    None => Page::error(404, &format!("{} not found: {name}", noun.text())),
                }
            }
        }
    }
}

impl Noun {
    fn of(path: &str) -> Option<Noun> {
        Some(match path {
            "entrypoints" => Noun::EntryPoint,
            "certificates" => Noun::Certificate,
            "http/routers" => Noun::HttpRouter,
            "http/services" => Noun::HttpService,
            "http/middlewares" => Noun::HttpMiddleware,
            "tcp/routers" => Noun::TcpRouter,
            "tcp/services" => Noun::TcpService,
            "tcp/middlewares" => Noun::TcpMiddleware,
            "udp/routers" => Noun::UdpRouter,
            "udp/services" => Noun::UdpService,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Noun::EntryPoint => "entry point",
            Noun::Certificate => "certificate",
            Noun::HttpRouter | Noun::TcpRouter | Noun::UdpRouter => "router",
            Noun::HttpService | Noun::TcpService | Noun::UdpService => "service",
            Noun::HttpMiddleware | Noun::TcpMiddleware => "middleware",
        }
    }

    fn items<'a>(self, context: &'a Context, report: &'a Report) -> Vec<Item<'a>> {
        match self {
            Noun::EntryPoint => entry_points::items(&context.install),
            Noun::Certificate => certificates::items(report),
            Noun::HttpRouter => http::routers(report),
            Noun::HttpService => http::services(report),
            Noun::HttpMiddleware => http::middlewares(report),
            Noun::TcpRouter => streams::tcp_routers(report),
            Noun::TcpService => streams::tcp_services(report),
            Noun::TcpMiddleware => streams::tcp_middlewares(report),
            Noun::UdpRouter => streams::udp_routers(report),
            Noun::UdpService => streams::udp_services(report),
        }
    }
}

/// Everything by name, in the form without what the name says already.
fn raw_data(report: &Report) -> serde_json::Value {
    let all = [
        ("routers", http::routers(report)),
        ("middlewares", http::middlewares(report)),
        ("services", http::services(report)),
        ("tcpRouters", streams::tcp_routers(report)),
        ("tcpMiddlewares", streams::tcp_middlewares(report)),
        ("tcpServices", streams::tcp_services(report)),
        ("udpRouters", streams::udp_routers(report)),
        ("udpServices", streams::udp_services(report)),
    ];
    let filled = all.into_iter().filter(|(_, items)| !items.is_empty());
    let object = |items: Vec<Item<'_>>| {
        items
            .iter()
            .map(|i| (i.name.to_owned(), i.render_raw()))
            .collect::<serde_json::Map<_, _>>()
    };
    filled
        .map(|(key, items)| (key.to_owned(), object(items).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests;
