//! A gateway under test: the built binary in a folder of its own, with configuration in Traefik's words.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::START;
use crate::{Certs, Folder, RawClient, Response, TlsOffer, Upstream, free_port, listens, until};

/// What a gateway starts with when a test says nothing: two entry points, the file provider, the API.
const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
log: {level: DEBUG}
providers:
  providersThrottleDuration: 50ms
  file: {filename: '@DIR@/routing.yml', watch: true}
";

/// A running gateway. Dropped, it is killed; when the test failed, the end of its log is shown first.
pub struct Gateway {
    process: Mutex<Child>,
    world: World,
}

/// Says what a gateway starts with. Texts may hold `@name@` (the port of an upstream or, for any other name, a free
/// one), `@DIR@` (the gateway's folder) and `@CERTS@` (that of its certificates).
pub struct GatewayBuilder {
    binary: PathBuf,
    install: Option<(&'static str, String)>,
    arguments: Option<Vec<String>>,
    environment: Vec<(String, String)>,
    files: Vec<(String, String)>,
    ready: Option<(String, String)>,
    wait_for: Option<Vec<String>>,
    world: World,
}

struct World {
    folder: Folder,
    certs: Option<Certs>,
    ports: Mutex<BTreeMap<String, u16>>,
    upstreams: BTreeMap<String, Upstream>,
}

impl Gateway {
    /// Begins with the binary, in the binary's own tests `env!("CARGO_BIN_EXE_trilithon")`.
    #[allow(clippy::new_ret_no_self, reason = "a test reads `Gateway::new(bin)….start()`")]
    pub fn new(binary: impl AsRef<Path>) -> GatewayBuilder {
        GatewayBuilder {
            binary: binary.as_ref().to_owned(),
            install: None,
            arguments: None,
            environment: Vec::new(),
            files: Vec::new(),
            ready: None,
            wait_for: None,
            world: World {
                folder: Folder::new("gateway"),
                certs: None,
                ports: Mutex::default(),
                upstreams: BTreeMap::new(),
            },
        }
    }

    /// The port behind `@name@`.
    pub fn port(&self, name: &str) -> u16 {
        self.world.port(name)
    }

    /// The upstream given under `name`. The test fails when there is none.
    #[track_caller]
    pub fn upstream(&self, name: &str) -> &Upstream {
        self.world
            .upstreams
            .get(name)
            .unwrap_or_else(|| panic!("no upstream `{name}`"))
    }

    /// The certificates given. The test fails when there are none.
    #[track_caller]
    pub fn certs(&self) -> &Certs {
        self.world
            .certs
            .as_ref()
            .expect("the gateway was given certificates")
    }

    /// The gateway's folder: `install.yml`, `routing.yml`, `out.log` and what the test writes.
    pub fn folder(&self) -> &Folder {
        &self.world.folder
    }

    /// A new connection to the entry point `name`.
    #[track_caller]
    pub fn client(&self, name: &str) -> RawClient {
        RawClient::connect(self.port(name))
    }

    /// A new TLS connection to the entry point `name`.
    pub fn tls_client(&self, name: &str, offer: TlsOffer<'_>) -> std::io::Result<RawClient> {
        RawClient::tls(self.port(name), self.certs(), offer)
    }

    /// GET on entry point `web`.
    #[track_caller]
    pub fn get(&self, host: &str, path: &str) -> Response {
        self.ask("web", "GET", host, path, &[])
    }

    /// GET on entry point `web` with more header lines, such as `X-Do: status=503`.
    #[track_caller]
    pub fn get_with(&self, host: &str, path: &str, lines: &[&str]) -> Response {
        self.ask("web", "GET", host, path, lines)
    }

    /// One request without a body, on a connection of its own.
    #[track_caller]
    pub fn ask(&self, entry_point: &str, method: &str, host: &str, path: &str, lines: &[&str]) -> Response {
        self.client(entry_point).ask(&head(method, host, path, lines))
    }

    /// POST on entry point `web`.
    #[track_caller]
    pub fn post(&self, host: &str, path: &str, body: &str) -> Response {
        self.post_with(host, path, &[], body)
    }

    /// POST on entry point `web` with more header lines.
    #[track_caller]
    pub fn post_with(&self, host: &str, path: &str, lines: &[&str], body: &str) -> Response {
        let length = format!("Content-Length: {}", body.len());
        let lines = [lines, &[&length]].concat();
        self.client("web").ask(&(head("POST", host, path, &lines) + body))
    }

    /// Which upstreams answer `count` requests in a row.
    #[track_caller]
    pub fn backends(&self, count: usize, host: &str, path: &str) -> Vec<String> {
        (0..count).map(|_| self.get(host, path).backend()).collect()
    }

    /// GET on entry point `traefik`, as JSON.
    #[track_caller]
    pub fn api(&self, path: &str) -> serde_json::Value {
        self.ask("traefik", "GET", "localhost", path, &[]).json()
    }

    /// GET `/metrics` on entry point `traefik`.
    #[track_caller]
    pub fn metrics(&self) -> String {
        self.ask("traefik", "GET", "localhost", "/metrics", &[]).text()
    }

    /// What the process wrote so far.
    pub fn log(&self) -> String {
        self.world.folder.read("out.log")
    }

    /// Writes a file of the folder in one step, placeholders replaced.
    pub fn write(&self, name: &str, text: &str) {
        self.world.folder.write(name, self.world.fill(text));
    }

    /// Writes another routing configuration; the file provider notices.
    pub fn rewrite_routing(&self, text: &str) {
        self.write("routing.yml", text);
    }

    /// Asks to stop in order (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks to read the configuration again (SIGHUP).
    pub fn hangup(&self) {
        self.signal(Signal::HUP);
    }

    /// Asks to open the access log again (SIGUSR1).
    pub fn reopen_logs(&self) {
        self.signal(Signal::USR1);
    }

    /// Waits for the process to end; `None` when it does not in time.
    pub fn exit(&self, patience: Duration) -> Option<ExitStatus> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        until(patience, || process.try_wait().ok().flatten())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).expect("a child has an id");
        kill_process(pid, signal).expect("a child takes signals");
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.exit(Duration::ZERO)
    }

    #[track_caller]
    fn wait_for_port(&self, name: &str) {
        let port = self.port(name);
        let open = until(START, || {
            assert!(
                self.ended().is_none(),
                "the gateway ended at once:\n{}",
                self.log()
            );
            listens(port).then_some(())
        });
        assert!(
            open.is_some(),
            "entry point `{name}` never opened:\n{}",
            self.log()
        );
    }

    /// Waits for the routing: until a probe is no longer 404, or the API names an object of the file.
    #[track_caller]
    fn wait_for_routing(&self, probe: Option<(String, String)>, entry_points: &[String]) {
        let loaded = |gateway: &Gateway| match &probe {
            Some((host, path)) => gateway.get(host, path).status != 404,
            None => gateway
                .ask("traefik", "GET", "localhost", "/api/rawdata", &[])
                .text()
                .contains("@file\""),
        };
        let observable = probe.is_some() || entry_points.iter().any(|name| name == "traefik");
        if observable && until(START, || loaded(self).then_some(())).is_none() {
            panic!("the routing was never loaded:\n{}", self.log());
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
        if std::thread::panicking() {
            let log = self.world.folder.read("out.log");
            let lines: Vec<_> = log.lines().collect();
            eprintln!(
                "── gateway ──\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

impl GatewayBuilder {
    /// The install configuration, in YAML.
    pub fn install(mut self, yaml: &str) -> Self {
        self.install = Some(("install.yml", yaml.to_owned()));
        self
    }

    /// The install configuration, in TOML.
    pub fn install_toml(mut self, toml: &str) -> Self {
        self.install = Some(("install.toml", toml.to_owned()));
        self
    }

    /// The routing configuration `routing.yml`, in YAML.
    pub fn routing(self, yaml: &str) -> Self {
        self.file("routing.yml", yaml)
    }

    /// Another file of the folder.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Command-line arguments instead of `--configFile=…`.
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments = Some(arguments.into_iter().map(Into::into).collect());
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An upstream whose port is `@name@` and whose echo says `name`. A reference keeps it yours as well.
    pub fn upstream(mut self, name: &str, upstream: impl Into<Upstream>) -> Self {
        let upstream = upstream.into().named(name);
        self.world.ports_mut().insert(name.to_owned(), upstream.port());
        self.world.upstreams.insert(name.to_owned(), upstream);
        self
    }

    /// A port for `@name@` that is already taken by something of the test's.
    pub fn at_port(mut self, name: &str, port: u16) -> Self {
        self.world.ports_mut().insert(name.to_owned(), port);
        self
    }

    /// Certificates, whose folder is `@CERTS@`.
    pub fn certs(mut self, certs: Certs) -> Self {
        self.world.certs = Some(certs);
        self
    }

    /// Ready when GET `path` of `host` on `web` is no longer 404. Without this, readiness is asked of the API where an
    /// entry point `traefik` is configured, and else is an open port.
    pub fn ready(mut self, host: &str, path: &str) -> Self {
        self.ready = Some((host.to_owned(), path.to_owned()));
        self
    }

    /// Waits for these entry points only, and for no routing.
    pub fn wait_only_for(mut self, entry_points: &[&str]) -> Self {
        self.wait_for = Some(entry_points.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Starts the process and waits until it is ready. The test fails when it never is.
    #[track_caller]
    pub fn start(mut self) -> Gateway {
        let (probe, only) = (self.ready.take(), self.wait_for.take());
        let entry_points = only.clone().unwrap_or_else(|| self.entry_points());
        let has_routing = self
            .files
            .iter()
            .any(|(name, text)| name.starts_with("routing") && !text.trim().is_empty());
        let gateway = self.spawn();
        entry_points.iter().for_each(|name| gateway.wait_for_port(name));
        if only.is_none() && has_routing || probe.is_some() {
            gateway.wait_for_routing(probe, &entry_points);
        }
        gateway
    }

    /// Starts the process and waits for nothing: for one that should refuse to start.
    pub fn spawn(self) -> Gateway {
        let (name, text) = self
            .install
            .clone()
            .unwrap_or(("install.yml", INSTALL.to_owned()));
        for (name, text) in self.files.iter().chain([&(name.to_owned(), text)]) {
            self.world.folder.write(name, self.world.fill(text));
        }
        let arguments = self
            .arguments
            .clone()
            .unwrap_or_else(|| vec![format!("--configFile=@DIR@/{name}")]);
        let log = File::create(self.world.folder.path().join("out.log")).expect("a log file");
        let process = Command::new(&self.binary)
            .args(arguments.iter().map(|argument| self.world.fill(argument)))
            .current_dir(self.world.folder.path())
            .env("HOME", self.world.folder.path())
            .env("STATE_DIRECTORY", self.world.folder.path().join("state"))
            .envs(
                self.environment
                    .iter()
                    .map(|(name, value)| (name, self.world.fill(value))),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be cloned"))
            .stderr(log)
            .spawn();
        let process = process.unwrap_or_else(|error| panic!("`{}`: {error}", self.binary.display()));
        Gateway {
            process: Mutex::new(process),
            world: self.world,
        }
    }

    /// Names of TCP addresses in the install configuration, arguments and environment: `…address…:@name@`.
    fn entry_points(&self) -> Vec<String> {
        let install = self.install.as_ref().map_or(INSTALL, |(_, text)| text.as_str());
        let arguments = self.arguments.iter().flatten().map(String::as_str);
        let environment: Vec<_> = self.environment.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let lines = arguments.chain(environment.iter().map(String::as_str));
        let lines = lines.chain(install.lines().filter(|_| self.arguments.is_none()));
        lines
            .filter(|line| line.to_ascii_lowercase().contains("address"))
            .flat_map(address_ports)
            .collect()
    }
}

/// The names in `address: …@name@` that are not UDP.
fn address_ports(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut parts = line.split('@').peekable();
    let mut before = parts.next();
    while let (Some(prefix), Some(name)) = (before, parts.next()) {
        let after = parts.peek().copied().unwrap_or_default();
        if prefix.ends_with(':') && !after.starts_with("/udp") {
            names.push(name.to_owned());
        }
        before = parts.next();
    }
    names
}

impl World {
    fn port(&self, name: &str) -> u16 {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        *ports.entry(name.to_owned()).or_insert_with(free_port)
    }

    fn ports_mut(&mut self) -> &mut BTreeMap<String, u16> {
        self.ports.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the placeholders.
    fn fill(&self, text: &str) -> String {
        let certs = self
            .certs
            .as_ref()
            .map(|certs| certs.path().display().to_string())
            .unwrap_or_default();
        let text = text
            .replace("@DIR@", &self.folder.path().display().to_string())
            .replace("@CERTS@", &certs);
        let mut filled = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('@') {
            filled += before;
            match after.split_once('@') {
                Some((name, tail)) if is_placeholder(name) => {
                    filled += &self.port(name).to_string();
                    rest = tail;
                }
                _ => {
                    filled.push('@');
                    rest = after;
                }
            }
        }
        filled + rest
    }
}

/// A placeholder is a lower-case word, so that `user@host@` of a mail address or `m@file` stays.
fn is_placeholder(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn head(method: &str, host: &str, path: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n")
}

#[cfg(test)]
mod tests {
    use super::address_ports;

    fn check(line: &str, names: &[&str]) {
        assert_eq!(address_ports(line), names, "{line}");
    }

    #[test]
    fn entry_points_are_found_by_their_address() {
        check("  web: {address: '127.0.0.1:@web@'}", &["web"]);
        check("address = \":@web@\"", &["web"]);
        check("--entryPoints.dns.address=:@dns@/udp", &[]);
        check("{a: {address: ':@a@/tcp'}, b: {address: ':@b@'}}", &["a", "b"]);
        check("address: ':80' # someone@example.org", &[]);
    }
}
