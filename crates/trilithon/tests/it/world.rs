//! What most tests start from: one gateway, one router for everything, one echoing upstream; and how a refusal looks.

use trilithon_testkit::{Ended, Gateway, GatewayBuilder, PATIENCE, RawClient, Response, Upstream, until};

/// Two clear entry points; metrics and a log that say why something was refused.
pub const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {addEntryPointsLabels: true}}
log: {level: DEBUG}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
";

/// Everything goes to `b1`.
pub const ROUTING: &str = "\
http:
  routers: {all: {rule: 'PathPrefix(`/`)', service: s}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

/// A gateway that is still to be told more.
pub fn gateway() -> GatewayBuilder {
    Gateway::new(env!("CARGO_BIN_EXE_trilithon")).install(INSTALL)
}

/// A gateway that sends everything to `upstream`, which is `b1`.
#[track_caller]
pub fn before(upstream: &Upstream) -> Gateway {
    gateway().routing(ROUTING).upstream("b1", upstream).start()
}

/// A gateway that sends everything to an echo.
#[track_caller]
pub fn echoing() -> Gateway {
    before(&Upstream::echo())
}

/// How often entry point `entry_point` refused something for `reason`.
pub fn rejections(gateway: &Gateway, entry_point: &str, reason: &str) -> u64 {
    let series =
        format!("trilithon_rejected_requests_total{{entrypoint=\"{entry_point}\",reason=\"{reason}\"}} ");
    let metrics = gateway.metrics();
    let value = metrics.lines().find_map(|line| line.strip_prefix(&*series));
    value.map_or(0, |v| v.parse().expect("a counter is a number"))
}

/// How many log lines of entry point `entry_point` name `reason`.
pub fn complaints(gateway: &Gateway, entry_point: &str, reason: &str) -> usize {
    let (entry_point, reason) = (
        format!("entryPointName={entry_point} "),
        format!("reason={reason}"),
    );
    let says = |line: &&str| line.contains(&entry_point) && line.split(' ').any(|word| word == reason);
    gateway.log().lines().filter(says).count()
}

/// What is counted and logged, and what the upstream saw, before something is refused.
pub struct Before<'a> {
    gateway: &'a Gateway,
    entry_point: &'a str,
    reason: &'a str,
    counted: u64,
    logged: usize,
    requests: usize,
}

impl<'a> Before<'a> {
    pub fn look(gateway: &'a Gateway, entry_point: &'a str, reason: &'a str) -> Before<'a> {
        Before {
            gateway,
            entry_point,
            reason,
            counted: rejections(gateway, entry_point, reason),
            logged: complaints(gateway, entry_point, reason),
            requests: gateway.upstream("b1").requests(),
        }
    }

    /// The reason was counted once and logged once, and the upstream saw no whole request.
    #[track_caller]
    pub fn refused_once(&self, what: &str) {
        let Before {
            gateway,
            entry_point,
            reason,
            ..
        } = *self;
        let counted = until(PATIENCE, || {
            Some(rejections(gateway, entry_point, reason)).filter(|n| *n > self.counted)
        });
        assert_eq!(
            counted,
            Some(self.counted + 1),
            "{what}: `{reason}` is counted once"
        );
        let logged = until(PATIENCE, || {
            Some(complaints(gateway, entry_point, reason)).filter(|n| *n > self.logged)
        });
        assert_eq!(logged, Some(self.logged + 1), "{what}: `{reason}` is logged once");
        assert_eq!(
            gateway.upstream("b1").requests(),
            self.requests,
            "{what}: the upstream saw it"
        );
    }
}

/// Sends `bytes` on a connection of their own. They are refused with `status` for `reason`, the connection is closed, and
/// nothing that follows them is answered.
#[track_caller]
pub fn refused(gateway: &Gateway, bytes: impl AsRef<[u8]>, status: u16, reason: &str) {
    let what = show(bytes.as_ref());
    let before = Before::look(gateway, "web", reason);
    let mut client = gateway.client("web");
    let answer = client.send(bytes).response();
    assert_eq!(answer.status, status, "{what}");
    assert_eq!(answer.header("connection"), "close", "{what}");
    assert_ends(&mut client, &what);
    before.refused_once(&what);
}

/// The connection ends without another byte.
#[track_caller]
pub fn assert_ends(client: &mut RawClient, what: &str) {
    let (rest, ended) = client.read_to_end(PATIENCE);
    assert!(rest.is_empty(), "{what}: more than one answer: {}", show(&rest));
    assert_ne!(ended, Ended::Open, "{what}: the connection stays open");
}

/// The connection takes one more request, and it is answered as if nothing had been before it.
#[track_caller]
pub fn assert_goes_on(client: &mut RawClient, what: &str) -> Response {
    let answer = client.ask("GET /after HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(answer.status, 200, "{what}");
    assert_eq!(answer.json()["target"], "/after", "{what}");
    answer
}

/// Bytes as a reader wants them, cut when long.
pub fn show(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(200)].escape_ascii().to_string();
    if bytes.len() > 200 { text + "…" } else { text }
}
