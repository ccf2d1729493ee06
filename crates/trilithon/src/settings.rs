//! The install configuration as the engine wants it: entry points compiled, defaults laid out.

use anyhow::Context;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use trilithon_engine::assemble::{Internals, Model, Settings, Tracing};
use trilithon_engine::entry_point::{EntryPoint, Http2, Underscores, hostname};
use trilithon_engine::intake::{Introduction, Trust};
use trilithon_engine::udp;
use trilithon_flow::model_call::BodyLimit;
use trilithon_model::dynamic::http::{Observability, RouterTls};
use trilithon_model::install::{self, INTERNAL_ENTRY_POINT, Protocol, Static};
use trilithon_model::spanned::Spanned;
use trilithon_rule::Syntax;
use trilithon_upstream::{Transport, tcp};

/// The HTTP entry points in order of name.
///
/// # Errors
/// A trusted network that is none.
pub fn entry_points(config: &Static) -> anyhow::Result<Vec<Arc<EntryPoint>>> {
    let http = config
        .entry_points
        .iter()
        .filter(|(_, e)| e.protocol() == Protocol::Tcp);
    http.enumerate()
        .map(|(i, (name, e))| compile(name, i, e, config).map(Arc::new))
        .collect()
}

/// The UDP entry points in order of name.
///
/// # Errors
/// Sessions that would never begin, because they end at once.
pub fn udp_entry_points(config: &Static) -> anyhow::Result<Vec<Arc<udp::EntryPoint>>> {
    let compiled = |(index, (name, e)): (usize, (&String, &install::EntryPoint))| {
        let timeout = e.udp.timeout.to_std_opt();
        Ok(Arc::new(udp::EntryPoint {
            name: name.as_str().into(),
            index,
            timeout: timeout
                .with_context(|| format!("entry point `{name}`: `udp.timeout` is not greater than zero"))?,
        }))
    };
    of_udp(config)
        .map(|(name, e)| (name, &**e))
        .enumerate()
        .map(compiled)
        .collect()
}

fn of_udp(config: &Static) -> impl Iterator<Item = (&String, &Spanned<install::EntryPoint>)> {
    config
        .entry_points
        .iter()
        .filter(|(_, e)| e.protocol() == Protocol::Udp)
}

fn compile(name: &str, index: usize, e: &install::EntryPoint, config: &Static) -> anyhow::Result<EntryPoint> {
    let trust = |insecure: bool, ips: &[String]| {
        Trust::new(insecure, ips).map_err(|bad| {
            anyhow::anyhow!("entry point `{name}`: `{bad}` is neither an address nor a network")
        })
    };
    let timeouts = &e.transport.responding_timeouts;
    let http = &e.http;
    let observability = e.observability.clone().unwrap_or_default();
    let global = config
        .global
        .as_ref()
        .is_some_and(|g| g.not_append_x_forwarded_for);
    Ok(EntryPoint {
        name: name.into(),
        index,
        read_timeout: timeouts.read_timeout.to_std(),
        write_timeout: timeouts.write_timeout.to_std(),
        idle_timeout: timeouts.idle_timeout.to_std(),
        keep_alive_max_requests: u64::try_from(e.transport.keep_alive_max_requests).unwrap_or(0),
        keep_alive_max_time: e.transport.keep_alive_max_time.to_std(),
        proxy_protocol: e
            .proxy_protocol
            .as_ref()
            .map(|p| trust(p.insecure, &p.trusted_ips))
            .transpose()?,
        forwarded: trust(e.forwarded_headers.insecure, &e.forwarded_headers.trusted_ips)?,
        connection_headers: e.forwarded_headers.connection.clone(),
        not_append_forwarded_for: e.forwarded_headers.not_append_x_forwarded_for || global,
        max_header_bytes: SLOP
            + usize::try_from(http.max_header_bytes)
                .ok()
                .filter(|n| *n > 0)
                .unwrap_or(1 << 20),
        underscores: match http.underscore_headers_strategy.as_str() {
            "delete" => Underscores::Delete,
            "reject" => Underscores::Reject,
            _ => Underscores::Keep,
        },
        sanitize_path: http.sanitize_path.unwrap_or(true),
        encode_query_semicolons: http.encode_query_semicolons,
        http2: Http2 {
            max_concurrent_streams: positive(e.http2.max_concurrent_streams, 250),
            max_decoder_header_table_size: positive(e.http2.max_decoder_header_table_size, 4096),
            max_encoder_header_table_size: positive(e.http2.max_encoder_header_table_size, 4096),
        },
        introduction: Introduction::new(hostname()),
        access_logs: observability.access_logs.unwrap_or(true),
        metrics: observability.metrics.unwrap_or(true),
        tracing: observability
            .tracing
            .unwrap_or(name != INTERNAL_ENTRY_POINT || traces_internals(config)),
        audit: observability.audit.unwrap_or(false),
        doors: Arc::default(),
    })
}

/// Whether requests to the gateway's own pages are traced.
fn traces_internals(config: &Static) -> bool {
    config.tracing.as_ref().is_some_and(|t| t.add_internals)
}

/// Bytes that Go's server reads of a head beyond `maxHeaderBytes`.
const SLOP: usize = 4096;

/// Bytes of the largest request to a model or a server of tools, where a middleware does not say.
pub fn body_limit(config: &Static) -> BodyLimit {
    let hub = config.hub.as_ref();
    let models = hub
        .and_then(|hub| hub.ai_gateway.as_ref())
        .map(|ai| ai.max_request_body_size);
    let tools = hub
        .and_then(|hub| hub.mcp_gateway.as_ref())
        .map(|mcp| mcp.max_request_body_size);
    // What is no size was refused before.
    let size = |written: Option<i64>| written.and_then(|n| u64::try_from(n).ok());
    let default = BodyLimit::default();
    BodyLimit {
        models: size(models).unwrap_or(default.models),
        tools: size(tools).unwrap_or(default.tools),
    }
}

fn positive(n: i64, default: u32) -> u32 {
    u32::try_from(n).ok().filter(|n| *n > 0).unwrap_or(default)
}

/// What the assembler needs to know.
///
/// # Errors
/// The default transport cannot be built (a root certificate that does not load).
pub fn settings(config: &Static, internals: Internals, thorough: bool) -> anyhow::Result<Settings> {
    let http = || {
        config
            .entry_points
            .iter()
            .filter(|(_, e)| e.protocol() == Protocol::Tcp)
    };
    let transport = config.servers_transport.clone().unwrap_or_default();
    let default_transport = Transport::default(&transport).context("`serversTransport`")?;
    let v2 = config
        .core
        .as_ref()
        .is_some_and(|c| c.default_rule_syntax == "v2");
    Ok(Settings {
        entry_points: http().map(|(name, _)| name.clone()).collect(),
        udp_entry_points: of_udp(config).map(|(name, _)| name.clone()).collect(),
        default_entry_points: config.default_entry_points(),
        models: http()
            .filter_map(|(name, e)| model(e).map(|m| (name.clone(), m)))
            .collect(),
        denied: http()
            .map(|(name, e)| (name.clone(), denied(e)))
            .collect::<BTreeMap<_, _>>(),
        default_syntax: if v2 { Syntax::V2 } else { Syntax::V3 },
        precedence: config
            .providers
            .as_ref()
            .map(|p| p.precedence.iter().map(|n| n.to_ascii_lowercase()).collect())
            .unwrap_or_default(),
        default_transport: Arc::new(default_transport),
        default_tcp_transport: Arc::new(tcp::Transport::default(
            &config.tcp_servers_transport.clone().unwrap_or_default(),
        )),
        internals,
        tls: trilithon_tls::Builder::new(trilithon_tls::Reader::default()),
        tracing: Tracing {
            on: config.tracing.is_some(),
            internals: traces_internals(config),
        },
        thorough,
    })
}

/// What an entry point lays over its routers; `None` when it says nothing.
fn model(e: &install::EntryPoint) -> Option<Model> {
    let tls = e.http.tls.as_ref().map(|t| RouterTls {
        options: t.options.clone(),
        cert_resolver: t.cert_resolver.clone(),
        domains: t.domains.clone(),
    });
    let observability = e.observability.as_ref().map(|o| Observability {
        access_logs: o.access_logs,
        metrics: o.metrics,
        tracing: o.tracing,
        trace_verbosity: o.trace_verbosity.clone(),
        audit: o.audit,
    });
    let says =
        !e.http.middlewares.is_empty() || tls.is_some() || observability.is_some() || !denied(e).is_empty();
    says.then(|| Model {
        middlewares: e.http.middlewares.clone(),
        tls,
        observability: observability.unwrap_or_default(),
    })
}

fn denied(e: &install::EntryPoint) -> Vec<&'static str> {
    let Some(c) = &e.http.encoded_characters else {
        return Vec::new();
    };
    let table = [
        (c.allow_encoded_slash, "%2F"),
        (c.allow_encoded_back_slash, "%5C"),
        (c.allow_encoded_null_character, "%00"),
        (c.allow_encoded_semicolon, "%3B"),
        (c.allow_encoded_percent, "%25"),
        (c.allow_encoded_question_mark, "%3F"),
        (c.allow_encoded_hash, "%23"),
    ];
    table
        .iter()
        .filter(|(allowed, _)| !allowed)
        .map(|(_, escape)| *escape)
        .collect()
}

/// The throttle of providers.
pub fn throttle(config: &Static) -> Duration {
    config
        .providers
        .clone()
        .unwrap_or_default()
        .providers_throttle_duration
        .to_std()
}
