//! `trilithon explain 'GET https://host/path' [-H 'Name: value'] [flags]`: which router takes a request, why no other, what
//! the policies on its way decide, and what becomes of a call of a model.

mod body;
mod caller;
mod calls;
mod follow;
mod json;
mod policies;
mod tcp;

use super::state::{self, State};
use body::Body;
use caller::Caller;
use calls::Calls;
use follow::{follow, written_at};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use trilithon_engine::entry_point::EntryPoint;
use trilithon_engine::intake;
use trilithon_engine::live::Snapshot;
use trilithon_engine::report::Report;
use trilithon_engine::route::{Model, Muxer, RequestFacts, Route};
use trilithon_flow::{Connection, Exchange, Known, Method, Request, Target, TlsInfo};
use trilithon_model::Span;
use trilithon_rule::{Explained, canonical_host, routing_path};

/// Routers that are shown beside the one that is taken.
const SHOWN: usize = 20;

/// What `explain` was asked.
pub struct Options {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    entry_point: Option<String>,
    client: IpAddr,
    caller: Caller,
    body: Body,
    json: bool,
    args: Vec<String>,
}

impl Options {
    /// Takes the request, `-H`, `--entry-point`, `--client`, what is said of the caller and of the body, and `-o` out of the
    /// flags.
    ///
    /// # Errors
    /// No request, a header without colon, claims that are no object, a body that cannot be read, a form of output that
    /// does not exist.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut request = None;
        let mut options = Options {
            method: "GET".into(),
            url: String::new(),
            headers: Vec::new(),
            entry_point: None,
            client: Ipv4Addr::LOCALHOST.into(),
            caller: Caller::default(),
            body: Body::default(),
            json: false,
            args: Vec::new(),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = |what: &str| args.next().ok_or_else(|| anyhow::anyhow!("`{arg}` needs {what}"));
            match arg.as_str() {
                "-H" | "--header" => {
                    let header = value("a header, such as `X-Env: test`")?;
                    let (name, text) = header
                        .split_once(':')
                        .ok_or_else(|| anyhow::anyhow!("`{header}` is no header: it has no colon"))?;
                    options
                        .headers
                        .push((name.trim().to_owned(), text.trim().to_owned()));
                }
                "--entry-point" => options.entry_point = Some(value("the name of an entry point")?),
                "--client" | "--client-ip" => {
                    let text = value("an IP address")?;
                    let ip = text.parse();
                    options.client = ip.map_err(|_| anyhow::anyhow!("`{text}` is no IP address"))?;
                }
                "-o" | "--output" => {
                    options.json = match value("`text` or `json`")?.as_str() {
                        "text" => false,
                        "json" => true,
                        other => anyhow::bail!("`{other}` is no form of output; there are `text` and `json`"),
                    }
                }
                option if Body::knows(option) => options.body.take(option, value("a value")?)?,
                option if Caller::knows(option) => options.caller.take(option, value("a value")?)?,
                other if other.starts_with('-') => options.args.push(arg),
                _ if request.is_none() => request = Some(arg),
                _ => options.args.push(arg),
            }
        }
        let request = request.ok_or_else(|| {
            anyhow::anyhow!("say which request, such as `explain 'GET https://example.com/'`")
        })?;
        match request.trim().split_once(' ') {
            Some((method, url)) => (options.method, options.url) = (method.to_owned(), url.trim().to_owned()),
            None => {
                options.url = request.trim().to_owned();
                if options.body.is_given() {
                    options.method = "POST".into();
                }
            }
        }
        Ok(options)
    }
}

/// Prints the way of the request, or of the connection. Exit 0 when a router takes it, 1 when none does.
///
/// # Errors
/// A URL that is none, or a configuration with errors.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let state = state::load(&options.args);
    let Some(snapshot) = &state.snapshot else {
        crate::install::print(&state.problems);
        anyhow::bail!("the install configuration has errors");
    };
    let entry_points = crate::settings::entry_points(&state.config)?;
    let asked = |e: &&Arc<EntryPoint>| options.entry_point.as_deref().is_none_or(|name| name == &*e.name);
    let mut taken = false;
    if let Some(connection) = tcp::asked(&options.url)? {
        anyhow::ensure!(!options.json, "`-o json` tells of HTTP requests only");
        for entry_point in entry_points.iter().filter(asked) {
            taken |= tcp::explain(snapshot, entry_point, options.client, &connection);
        }
        return Ok(exit_code(taken));
    }
    let (tls, host, target) = split(&options.url)?;
    let mut ways = Vec::new();
    for entry_point in entry_points.iter().filter(asked) {
        let mut req = request(options, &host, &target);
        let connection = Rc::new(connection(options, entry_point, tls, &host));
        let mut cx = Exchange::new(connection, Rc::default());
        cx.record.started_at = Some(std::time::SystemTime::now());
        cx.record.tell_facts = true;
        if options.json {
            let way = json::way(&state, snapshot, entry_point, &mut req, &mut cx, &options.caller);
            taken |= way["router"].is_object();
            ways.push(way);
        } else {
            taken |= explain(&state, snapshot, entry_point, &mut req, &mut cx, &options.caller);
        }
    }
    if options.json {
        say!("{:#}", serde_json::json!({ "entryPoints": ways }));
    }
    Ok(exit_code(taken))
}

fn exit_code(taken: bool) -> ExitCode {
    if taken {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn split(url: &str) -> anyhow::Result<(bool, String, String)> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| anyhow::anyhow!("`{url}` is no URL: write `http://host/path`"))?;
    let tls = match scheme {
        "http" | "ws" => false,
        "https" | "wss" => true,
        other => anyhow::bail!(
            "`{other}` is no scheme that the gateway serves; use http or https, tcp or tls for a connection"
        ),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let target = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok((tls, host.to_owned(), target))
}

fn request(options: &Options, host: &str, target: &str) -> Request {
    let mut req = Request {
        method: Method::of(options.method.as_bytes()),
        target: Target::new(target),
        body: options.body.of_request(),
        ..Request::default()
    };
    req.headers.append(Known::Host.name(), host);
    for (name, value) in &options.headers {
        if name.eq_ignore_ascii_case("host") {
            req.headers.set(name, value)
        } else {
            req.headers.append(name, value)
        }
    }
    req
}

fn connection(options: &Options, entry_point: &EntryPoint, tls: bool, host: &str) -> Connection {
    let name = String::from_utf8_lossy(&canonical_host(host.as_bytes())).into_owned();
    let tls = tls.then(|| TlsInfo {
        sni: Some(name),
        options: "default".into(),
        ..TlsInfo::default()
    });
    Connection::new(
        SocketAddr::new(options.client, 0),
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
        entry_point.name.clone(),
        tls,
    )
}

/// Where a request stands when routers are asked.
struct Asked<'s> {
    muxer: &'s Muxer,
    host: Vec<u8>,
    path: Vec<u8>,
    /// The model that the body names, as far as it is given.
    model: Model,
    /// Some rule asked for it.
    asked_model: bool,
}

/// Takes the request through the intake; `Err` says why no router is asked.
fn ask<'s>(
    snapshot: &'s Snapshot,
    entry_point: &EntryPoint,
    req: &mut Request,
    cx: &mut Exchange,
) -> Result<Asked<'s>, String> {
    if let Err(refusal) = intake::prepare(req, cx, entry_point) {
        let (status, reason) = (refusal.response.status, refusal.reason);
        return Err(format!("refused before routing with {status} ({reason})"));
    }
    let Some(routes) = snapshot.entry_points.get(entry_point.index) else {
        return Err("no router is asked".to_owned());
    };
    let muxer = if cx.connection.tls.is_some() {
        &routes.secure
    } else {
        &routes.clear
    };
    let Ok(path) = routing_path(req.target.path().as_bytes()) else {
        return Err("refused with 400: the path holds an escape that is none".to_owned());
    };
    Ok(Asked {
        muxer,
        host: canonical_host(req.host()).into_owned(),
        path: path.into_owned(),
        model: body::model(req, routes.body_limit),
        asked_model: false,
    })
}

impl<'s> Asked<'s> {
    /// Every router with whether it matches, in order of priority.
    fn routers(&mut self, req: &Request, cx: &Exchange) -> Vec<Explained<'s, Arc<Route>>> {
        let facts = RequestFacts {
            req,
            path: &self.path,
            host: &self.host,
            ip: cx.connection.ip(),
            model: self.model.name(),
            asked_model: Cell::default(),
        };
        let all = self.muxer.index().explain(&facts).collect();
        self.asked_model = facts.asked_model.get();
        all
    }
}

/// Tells one entry point's part; true when a router takes the request.
fn explain(
    state: &State,
    snapshot: &Snapshot,
    entry_point: &EntryPoint,
    req: &mut Request,
    cx: &mut Exchange,
    caller: &Caller,
) -> bool {
    say!("entry point {}:", entry_point.name);
    let mut asked = match ask(snapshot, entry_point, req, cx) {
        Ok(asked) => asked,
        Err(why) => {
            say!("  {why}");
            return false;
        }
    };
    say!(
        "  asks for host `{}`, path `{}`",
        String::from_utf8_lossy(&asked.host),
        String::from_utf8_lossy(&asked.path)
    );
    let all = asked.routers(req, cx);
    if asked.asked_model && asked.model == Model::Unread {
        say!("  rules here look at the model that the body names: say it with `--model` or `--body`");
    }
    let report = &snapshot.report;
    let winner = all.iter().position(Explained::matched);
    match winner {
        Some(at) => {
            say!("  taken by router {}", describe(report, &all[at]));
            let router = &all[at].route.value.name;
            let decided = policies::decide(report, router, req, cx, caller);
            let calls = Calls::new(state, report, asked.model.name());
            follow(report, router, &decided, calls);
        }
        None if all.is_empty() => say!(
            "  no router here serves {}: 404",
            if cx.connection.tls.is_some() {
                "TLS"
            } else {
                "clear text"
            }
        ),
        None => say!("  no router matches: 404"),
    }
    let others = all.iter().enumerate().filter(|(i, _)| Some(*i) != winner);
    for (i, other) in others.clone().take(SHOWN) {
        let late = winner.is_some_and(|w| i > w) && other.matched();
        let why = if late {
            "matches too, but comes later".to_owned()
        } else {
            misses(other)
        };
        say!("  not {}: {why}", describe(report, other));
    }
    let count = others.count();
    if count > SHOWN {
        say!("  and {} more", count - SHOWN);
    }
    winner.is_some()
}

fn describe(report: &Report, explained: &Explained<'_, Arc<Route>>) -> String {
    let name = &explained.route.value.name;
    let span = report.routers.get(&**name).map(|e| &e.config.span);
    describe_route(name, span, explained.route)
}

fn describe_route<T>(name: &str, span: Option<&Span>, route: &trilithon_rule::Route<T>) -> String {
    let place = span.map(|s| s.to_string()).filter(|p| p != "-");
    let place = place.map(|p| format!(" ({p})")).unwrap_or_default();
    format!(
        "`{name}`{place}, priority {}, rule {}",
        route.priority,
        route.rule.text()
    )
}

fn misses<T>(explained: &Explained<'_, T>) -> String {
    let said: Vec<String> = explained
        .misses
        .iter()
        .map(|m| format!("{} wants {}, got {}", m.matcher, m.expected, m.actual))
        .collect();
    if said.is_empty() {
        "it does not match".to_owned()
    } else {
        said.join("; ")
    }
}
