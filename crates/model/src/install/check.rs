//! The rules of the install configuration that concern more than one option's type. Errors stop the start, as in
//! Traefik; warnings say what Traefik would only log.

use std::net::IpAddr;

use super::address::Address;
use super::{EntryPoint, FileProvider, Grpc, Providers, Static};
use crate::node::{Node, Span};
use crate::problem::{Problem, Problems, code};
use crate::spanned::Spanned;

/// Providers as `providers.precedence` names them, in lower case.
pub const PROVIDERS: [&str; 17] = [
    "kubernetesgateway",
    "kubernetescrd",
    "kubernetes",
    "kubernetesingressnginx",
    "swarm",
    "docker",
    "file",
    "redis",
    "knative",
    "consul",
    "consulcatalog",
    "nomad",
    "etcd",
    "ecs",
    "http",
    "zookeeper",
    "rest",
];

const KEEP_ONE: &str = "keep one of them";

/// Checks all rules.
pub(super) fn check(config: &Static, node: &Node) -> Problems {
    let mut cx = Checks {
        node,
        problems: Problems::new(),
    };
    for (name, entry_point) in &config.entry_points {
        cx.entry_point(name, entry_point);
        cx.redirection(name, entry_point, config);
    }
    cx.shared_addresses(config);
    cx.resolvers(config);
    if let Some(providers) = &config.providers {
        cx.providers(providers);
        cx.knative(config, providers);
    }
    cx.otlp(config);
    cx.grpc(config);
    cx.words(config);
    cx.body_sizes(config);
    cx.trace_headers(config);
    cx.problems
}

/// The problems so far, and where to look for places.
struct Checks<'a> {
    node: &'a Node,
    problems: Problems,
}

impl Checks<'_> {
    /// The place of an option, or of the nearest thing around it that was written.
    fn span(&self, path: &[&str]) -> Span {
        let around = (1..=path.len()).rev().map(|n| &path[..n]);
        around
            .into_iter()
            .find_map(|path| self.node.place(path))
            .unwrap_or_default()
    }

    /// An error at an option; `what` follows the option's name.
    fn error(&mut self, code: &'static str, path: &[&str], what: &str, help: &str) {
        let message = format!("`{}` {what}", path.join("."));
        self.problems
            .push(Problem::error(code, self.span(path), message).help(help));
    }

    fn warning(&mut self, code: &'static str, path: &[&str], what: &str, help: &str) {
        let message = format!("`{}` {what}", path.join("."));
        self.problems
            .push(Problem::warning(code, self.span(path), message).help(help));
    }

    fn entry_point(&mut self, name: &str, entry_point: &Spanned<EntryPoint>) {
        let at = |option: &[&'static str]| -> Vec<String> {
            ["entryPoints", name]
                .iter()
                .chain(option)
                .map(|part| (*part).to_owned())
                .collect()
        };
        let mut found = Vec::new();
        if entry_point.address.is_empty() {
            found.push((at(&["address"]), code::REQUIRED, "is missing".to_owned(), ADDRESS));
        } else if let Err(why) = Address::parse(&entry_point.address) {
            let what = format!("is `{}`: {why}", entry_point.address);
            found.push((at(&["address"]), code::INVALID, what, ADDRESS));
        }
        let strategy = entry_point.http.underscore_headers_strategy.as_str();
        if !matches!(strategy, "" | "keep" | "delete" | "reject") {
            let path = at(&["http", "underscoreHeadersStrategy"]);
            let help = "write `keep`, `delete` or `reject`";
            found.push((path, code::INVALID, format!("is `{strategy}`"), help));
        }
        for (option, ip) in trusted_ips(entry_point).filter(|(_, ip)| !is_ip_or_range(ip)) {
            let help = "write addresses and ranges such as `10.0.0.0/8`";
            let what = format!("has `{ip}`, which is no address");
            found.push((at(&[option, "trustedIPs"]), code::INVALID, what, help));
        }
        for (path, code, what, help) in found {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.error(code, &path, &what, help);
        }
    }

    fn body_sizes(&mut self, config: &Static) {
        let hub = config.hub.as_ref();
        let ai = hub
            .and_then(|hub| hub.ai_gateway.as_ref())
            .map(|g| g.max_request_body_size);
        let mcp = hub
            .and_then(|hub| hub.mcp_gateway.as_ref())
            .map(|g| g.max_request_body_size);
        for (gateway, size) in [("aigateway", ai), ("mcpgateway", mcp)] {
            if let Some(size) = size.filter(|size| *size < 1) {
                self.error(
                    code::INVALID,
                    &["hub", gateway, "maxRequestBodySize"],
                    &format!("is `{size}`, which is no size"),
                    "write a number of bytes, such as `1048576`",
                );
            }
        }
    }

    /// A name that is none would make every request to a server malformed.
    fn trace_headers(&mut self, config: &Static) {
        let Some(tracing) = config.hub.as_ref().and_then(|hub| hub.tracing.as_ref()) else {
            return;
        };
        if config.tracing.is_none() {
            let help = "add `tracing`, or remove it";
            self.warning(
                code::INVALID,
                &["hub", "tracing"],
                "has no effect without `tracing`",
                help,
            );
        }
        let headers = tracing.additional_trace_headers.as_ref();
        let Some(headers) = headers.and_then(|h| h.trace_context.as_ref()) else {
            return;
        };
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        for (option, name) in headers.named().filter(|(_, name)| !name.bytes().all(is_token)) {
            let path = ["hub", "tracing", "additionalTraceHeaders", "traceContext", option];
            let what = format!("is `{name}`, which is no name of a header");
            self.error(code::INVALID, &path, &what, "write a name such as `X-Trace-Id`");
        }
    }

    /// Traefik starts with a redirection that leads nowhere; so do we, and say so.
    fn redirection(&mut self, name: &str, entry_point: &EntryPoint, config: &Static) {
        let redirection = entry_point
            .http
            .redirections
            .as_ref()
            .and_then(|r| r.entry_point.as_ref());
        if redirection.is_some_and(|r| r.to.is_empty()) {
            let path = ["entryPoints", name, "http", "redirections", "entryPoint"];
            self.warning(
                code::REQUIRED,
                &path,
                "has no `to`",
                "name an entry point, or write `:port`",
            );
            return;
        }
        let Some(to) = redirection.map(|r| r.to.as_str()) else {
            return;
        };
        let port = to.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
        if !port && !config.entry_points.contains_key(to) {
            let path = ["entryPoints", name, "http", "redirections", "entryPoint", "to"];
            let what = format!("is `{to}`, which is no entry point");
            self.warning(
                code::UNKNOWN_NAME,
                &path,
                &what,
                "name an entry point, or write `:port`",
            );
        }
    }

    fn shared_addresses(&mut self, config: &Static) {
        let mut seen: Vec<(&str, &EntryPoint, Address)> = Vec::new();
        for (name, entry_point) in &config.entry_points {
            let Ok(address) = Address::parse(&entry_point.address) else {
                continue;
            };
            let both_reuse = |other: &EntryPoint| other.reuse_port && entry_point.reuse_port;
            let twin = seen
                .iter()
                .find(|(_, other, a)| *a == address && a.port != 0 && !both_reuse(other));
            if let Some((first, ..)) = twin {
                let what = format!("is `{address}`, which is already taken by `{first}`");
                let path = ["entryPoints", name, "address"];
                self.error(
                    code::EXCLUSIVE,
                    &path,
                    &what,
                    "choose another port, or set `reusePort` on both",
                );
            }
            seen.push((name, entry_point, address));
        }
    }

    fn resolvers(&mut self, config: &Static) {
        for (name, resolver) in &config.certificates_resolvers {
            let path = ["certificatesResolvers", name];
            if resolver.acme.is_some() && resolver.tailscale.is_some() {
                self.error(
                    code::TWO_KINDS,
                    &path,
                    "has both `acme` and `tailscale`",
                    KEEP_ONE,
                );
            }
            if resolver.acme.as_ref().is_some_and(|acme| acme.storage.is_empty()) {
                let help = "name a file that keeps the certificates, such as `acme.json`";
                self.error(
                    code::REQUIRED,
                    &[&path[..], &["acme", "storage"]].concat(),
                    "is empty",
                    help,
                );
            }
        }
    }

    fn providers(&mut self, providers: &Providers) {
        for name in &providers.precedence {
            if !PROVIDERS.contains(&name.to_ascii_lowercase().as_str()) {
                let help = format!("known: {}", PROVIDERS.map(|p| format!("`{p}`")).join(", "));
                let what = format!("has `{name}`, which is no provider");
                self.error(code::UNKNOWN_NAME, &["providers", "precedence"], &what, &help);
            }
        }
        if let Some(file) = &providers.file {
            self.file_provider(file);
        }
        let nginx = providers.kubernetes_ingress_nginx.as_ref();
        if nginx.is_some_and(|n| !n.watch_namespace.is_empty() && !n.watch_namespace_selector.is_empty()) {
            let what = "has both `watchNamespace` and `watchNamespaceSelector`";
            self.error(
                code::EXCLUSIVE,
                &["providers", "kubernetesIngressNGINX"],
                what,
                KEEP_ONE,
            );
        }
    }

    fn file_provider(&mut self, file: &FileProvider) {
        let path = ["providers", "file"];
        match (file.filename.is_empty(), file.directory.is_empty()) {
            (true, true) => {
                let what = "has neither `filename` nor `directory`";
                self.warning(code::REQUIRED, &path, what, "name one of them");
            }
            (false, false) => {
                let what = "has both `filename` and `directory`; the folder is read";
                self.warning(code::EXCLUSIVE, &path, what, KEEP_ONE);
            }
            _ => {}
        }
    }

    fn knative(&mut self, config: &Static, providers: &Providers) {
        let allowed = config.experimental.as_ref().is_some_and(|e| e.knative);
        if providers.knative.is_some() && !allowed {
            let help = "set `experimental.knative: true`";
            self.error(
                code::REQUIRED,
                &["providers", "knative"],
                "needs `experimental.knative`",
                help,
            );
        }
    }

    fn otlp(&mut self, config: &Static) {
        let allowed = config.experimental.as_ref().is_some_and(|e| e.otlplogs);
        let log = config.log.as_ref().is_some_and(|l| l.otlp.is_some());
        let access_log = config.access_log.as_ref().is_some_and(|l| l.otlp.is_some());
        for (name, used) in [("log", log), ("accessLog", access_log)] {
            if used && !allowed {
                let help = "set `experimental.otlplogs: true`";
                self.error(
                    code::REQUIRED,
                    &[name, "otlp"],
                    "needs `experimental.otlplogs`",
                    help,
                );
            }
        }
    }

    fn grpc(&mut self, config: &Static) {
        let log = config.log.as_ref().and_then(|l| l.otlp.as_ref()?.grpc.as_ref());
        let access_log = config
            .access_log
            .as_ref()
            .and_then(|l| l.otlp.as_ref()?.grpc.as_ref());
        let metrics = config
            .metrics
            .as_ref()
            .and_then(|m| m.otlp.as_ref()?.grpc.as_ref());
        let tracing = config
            .tracing
            .as_ref()
            .and_then(|t| t.otlp.as_ref()?.grpc.as_ref());
        let all = [
            ("log", log),
            ("accessLog", access_log),
            ("metrics", metrics),
            ("tracing", tracing),
        ];
        let contradicts = |grpc: &Grpc| grpc.insecure && grpc.tls.is_some();
        for (name, _) in all.into_iter().filter(|(_, grpc)| grpc.is_some_and(contradicts)) {
            self.error(
                code::EXCLUSIVE,
                &[name, "otlp", "grpc"],
                "has both `tls` and `insecure`",
                KEEP_ONE,
            );
        }
    }

    fn words(&mut self, config: &Static) {
        let syntax = config
            .core
            .as_ref()
            .map_or("v3", |core| &core.default_rule_syntax);
        if !matches!(syntax, "v2" | "v3") {
            let path = ["core", "defaultRuleSyntax"];
            self.error(
                code::INVALID,
                &path,
                &format!("is `{syntax}`"),
                "write `v2` or `v3`",
            );
        }
        let base_path = config.api.as_ref().map_or("/", |api| &api.base_path);
        if !is_base_path(base_path) {
            let help = "begin with `/` and use letters, digits and `/ _ . : ~ -` only";
            self.error(
                code::INVALID,
                &["api", "basePath"],
                &format!("is `{base_path}`"),
                help,
            );
        }
        let overrides = config.ocsp.iter().flat_map(|ocsp| &ocsp.responder_overrides);
        for (from, _) in overrides.filter(|(_, to)| to.is_empty()) {
            let path = ["ocsp", "responderOverrides", from];
            self.error(code::REQUIRED, &path, "is empty", "write the URL to ask instead");
        }
        let rate = config.tracing.as_ref().map_or(1.0, |t| t.sample_rate);
        if !(0.0..=1.0).contains(&rate) {
            let path = ["tracing", "sampleRate"];
            self.warning(
                code::INVALID,
                &path,
                &format!("is `{rate}`"),
                "write a number from 0 to 1",
            );
        }
    }
}

const ADDRESS: &str = "write `[host]:port[/tcp|/udp]`, such as `:80`";

fn trusted_ips(entry_point: &EntryPoint) -> impl Iterator<Item = (&'static str, &String)> {
    let forwarded = entry_point
        .forwarded_headers
        .trusted_ips
        .iter()
        .map(|ip| ("forwardedHeaders", ip));
    let proxied = entry_point.proxy_protocol.iter().flat_map(|p| &p.trusted_ips);
    forwarded.chain(proxied.map(|ip| ("proxyProtocol", ip)))
}

/// True for an IP address or a range in CIDR notation.
pub fn is_ip_or_range(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else {
        return text.parse::<IpAddr>().is_ok();
    };
    let Ok(ip) = ip.parse::<IpAddr>() else {
        return false;
    };
    let widest = if ip.is_ipv4() { 32 } else { 128 };
    let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
    digits && bits.parse::<u32>().is_ok_and(|bits| bits <= widest)
}

fn is_base_path(path: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/_.:~-".contains(&b);
    path.starts_with('/') && path.bytes().all(fits)
}
