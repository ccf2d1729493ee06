//! `trilithon explain 'GET https://host/path' [-H 'Name: value'] [flags]`: which router takes a request, and why no other.

mod tcp;

use super::state;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use trilithon_engine::entry_point::EntryPoint;
use trilithon_engine::intake;
use trilithon_engine::live::Snapshot;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::Report;
use trilithon_engine::route::{RequestFacts, Route};
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
    args: Vec<String>,
}

impl Options {
    /// Takes the request, `-H`, `--entry-point` and `--client` out of the flags.
    ///
    /// # Errors
    /// No request, or a header without colon.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Options> {
        let mut request = None;
        let mut options = Options {
            method: "GET".into(),
            url: String::new(),
            headers: Vec::new(),
            entry_point: None,
            client: Ipv4Addr::LOCALHOST.into(),
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
                "--client" => options.client = value("an IP address")?.parse()?,
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
            None => options.url = request.trim().to_owned(),
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
        for entry_point in entry_points.iter().filter(asked) {
            taken |= tcp::explain(snapshot, entry_point, options.client, &connection);
        }
        return Ok(exit_code(taken));
    }
    let (tls, host, target) = split(&options.url)?;
    for entry_point in entry_points.iter().filter(asked) {
        let mut req = request(options, &host, &target);
        let connection = Rc::new(connection(options, entry_point, tls, &host));
        taken |= explain(snapshot, entry_point, &mut req, connection);
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

/// Tells one entry point's part; true when a router takes the request.
fn explain(
    snapshot: &Snapshot,
    entry_point: &EntryPoint,
    req: &mut Request,
    connection: Rc<Connection>,
) -> bool {
    say!("entry point {}:", entry_point.name);
    let mut cx = Exchange::new(connection.clone(), Rc::default());
    if let Err(refusal) = intake::prepare(req, &mut cx, entry_point) {
        say!(
            "  refused before routing with {} ({})",
            refusal.response.status,
            refusal.reason
        );
        return false;
    }
    let Some(routes) = snapshot.entry_points.get(entry_point.index) else {
        return false;
    };
    let muxer = if connection.tls.is_some() {
        &routes.secure
    } else {
        &routes.clear
    };
    let Ok(path) = routing_path(req.target.path().as_bytes()) else {
        say!("  refused with 400: the path holds an escape that is none");
        return false;
    };
    let host = canonical_host(req.host());
    say!(
        "  asks for host `{}`, path `{}`",
        String::from_utf8_lossy(&host),
        String::from_utf8_lossy(&path)
    );
    let facts = RequestFacts {
        req,
        path: &path,
        host: &host,
        ip: connection.ip(),
    };
    let all: Vec<Explained<'_, Arc<Route>>> = muxer.index().explain(&facts).collect();
    let report = &snapshot.report;
    let winner = all.iter().position(Explained::matched);
    match winner {
        Some(at) => {
            say!("  taken by router {}", describe(report, &all[at]));
            follow(report, &all[at].route.value.name, "    ");
        }
        None if all.is_empty() => say!(
            "  no router here serves {}: 404",
            if connection.tls.is_some() {
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

/// The middlewares and the service behind a router, with their places.
fn follow(report: &Report, router: &str, indent: &str) {
    let Some(entry) = report.routers.get(router) else {
        return;
    };
    for name in entry.config.middlewares.iter().map(|m| qualify(m, router)) {
        if let Some(middleware) = report.middlewares.get(&name) {
            let kinds = middleware.config.kind_names().join(", ");
            say!(
                "{indent}through middleware `{name}` ({kinds}, {})",
                middleware.config.span
            );
        }
    }
    if entry.config.service.is_empty() {
        return say!("{indent}on to the routers that name it as parent");
    }
    let name = qualify(&entry.config.service, router);
    match report.services.get(&name) {
        Some(service) => {
            let kinds = match service.config.kind_names() {
                kinds if kinds.is_empty() => "the gateway's own".to_owned(),
                kinds => kinds.join(", "),
            };
            say!(
                "{indent}to service `{name}` ({kinds}{})",
                written_at(&service.config.span)
            );
            for (url, up) in service.backend.iter().flat_map(|b| b.server_status()) {
                say!("{indent}  {url} {}", if up { "up" } else { "down" });
            }
        }
        None => say!("{indent}to service `{name}`"),
    }
}

fn written_at(span: &Span) -> String {
    if span.is_none() {
        String::new()
    } else {
        format!(", {span}")
    }
}
