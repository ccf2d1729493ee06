//! `trilithon explain 'tls://db.test'` and `'tcp://'`: which TCP router takes a connection, and why no other.

use super::{SHOWN, describe_route, misses, written_at};
use std::net::IpAddr;
use trilithon_engine::entry_point::EntryPoint;
use trilithon_engine::live::Snapshot;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::Report;
use trilithon_rule::{Conn, Explained};

/// A connection that was asked about.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name that the client asks for by TLS; `None` for a connection in clear text, which cannot say one.
    name: Option<String>,
}

/// Whether the question is about a connection and not about a request.
///
/// # Errors
/// What a connection cannot say.
pub fn asked(url: &str) -> anyhow::Result<Option<Asked>> {
    match url.split_once("://") {
        Some(("tcp", "")) => Ok(Some(Asked { name: None })),
        Some(("tcp", _)) => anyhow::bail!(
            "`{url}`: a connection in clear text does not say where it wants to go; write `tcp://`, or `tls://name`, \
             and `--entry-point` for where it arrives"
        ),
        Some(("tls", name)) if name.contains([':', '/']) => anyhow::bail!(
            "`{url}`: write the name that the client asks for (SNI) and no more; `--entry-point` says where it arrives"
        ),
        Some(("tls", name)) => Ok(Some(Asked {
            name: Some(name.to_ascii_lowercase()),
        })),
        Some(("udp", _)) => anyhow::bail!(
            "`{url}`: UDP is not routed by what a client says; the router of an entry point takes every session"
        ),
        _ => Ok(None),
    }
}

/// Tells one entry point's part; true when a TCP router takes the connection.
pub fn explain(snapshot: &Snapshot, entry_point: &EntryPoint, client: IpAddr, asked: &Asked) -> bool {
    say!("entry point {}:", entry_point.name);
    match &asked.name {
        Some(name) => say!("  asks for the name `{name}` by TLS"),
        None => say!("  says nothing of where it wants to go"),
    }
    let routes = snapshot.entry_points.get(entry_point.index);
    let Some(table) = routes.and_then(|r| r.tcp.as_ref()) else {
        say!("  no TCP router here: HTTP gets it");
        return false;
    };
    let facts = Conn {
        server_name: asked.name.as_deref().unwrap_or_default().as_bytes(),
        protocols: &[],
        client_ip: client,
    };
    let (winner, all) = if asked.name.is_some() {
        (table.secure(&facts), table.secure_routes().explain(&facts))
    } else {
        (table.clear(&facts), table.clear_routes().explain(&facts))
    };
    let all: Vec<_> = all.collect();
    let report = &snapshot.report;
    let is_winner = |e: &Explained<'_, _>| winner.is_some_and(|w| std::sync::Arc::ptr_eq(w, &e.route.value));
    match all.iter().find(|e| is_winner(e)) {
        Some(taken) => {
            say!("  taken by TCP router {}", describe(report, taken));
            follow(report, taken.route.value.name());
        }
        None => say!("  no TCP router takes it: HTTP gets it"),
    }
    for other in all.iter().filter(|e| !is_winner(e)).take(SHOWN) {
        let why = match (other.matched(), winner) {
            (true, Some(_)) => "matches too, but comes later".to_owned(),
            (true, None) => "matches, but an HTTPS router comes before it".to_owned(),
            (false, _) => misses(other),
        };
        say!("  not {}: {why}", describe(report, other));
    }
    winner.is_some()
}

type Found<'a> = Explained<'a, std::sync::Arc<trilithon_engine::tcp::Route>>;

fn describe(report: &Report, found: &Found<'_>) -> String {
    let name = found.route.value.name();
    let span = report.tcp_routers.get(name).map(|e| &e.config.span);
    describe_route(name, span, found.route)
}

/// The middlewares and the service behind a TCP router, with their places.
fn follow(report: &Report, router: &str) {
    let Some(entry) = report.tcp_routers.get(router) else {
        return;
    };
    for name in entry.config.middlewares.iter().map(|m| qualify(m, router)) {
        if let Some(middleware) = report.tcp_middlewares.get(&name) {
            say!(
                "    through middleware `{name}`{}",
                in_brackets(&middleware.config.span)
            );
        }
    }
    let name = qualify(&entry.config.service, router);
    let Some(service) = report.tcp_services.get(&name) else {
        return say!("    to service `{name}`");
    };
    say!("    to service `{name}`{}", in_brackets(&service.config.span));
    let backend = report.tcp_backends.get(&name);
    for (address, up) in backend.iter().flat_map(|b| b.server_status()) {
        say!("      {address} {}", if up { "up" } else { "down" });
    }
}

fn in_brackets(span: &trilithon_model::Span) -> String {
    match written_at(span).strip_prefix(", ") {
        Some(place) => format!(" ({place})"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let check = |url: &str, want: Result<Option<Option<&str>>, &str>| {
            let got = asked(url).map_err(|e| e.to_string());
            match (got, want) {
                (Ok(got), Ok(want)) => {
                    assert_eq!(got.map(|a| a.name), want.map(|n| n.map(str::to_owned)), "{url}")
                }
                (Err(got), Err(want)) => assert!(got.contains(want), "{url}: {got}"),
                (got, want) => panic!("{url}: {got:?}, not {want:?}"),
            }
        };
        check("http://a/", Ok(None));
        check("a.test", Ok(None));
        check("tcp://", Ok(Some(None)));
        check("tls://DB.test", Ok(Some(Some("db.test"))));
        check("tls://", Ok(Some(Some(""))));
        check("tcp://db.test:5432", Err("`tls://name`"));
        check("tls://db.test:5432", Err("`--entry-point`"));
        check("udp://1.2.3.4", Err("takes every session"));
    }
}
