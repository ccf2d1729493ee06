//! C: the name a client asks for decides the TLS options, however it is written or cut; and no request may use a
//! connection with other options than its own.

use crate::client2;
use crate::hello::{self, Flight};
use crate::world::{Before, complaints, rejections};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use trilithon_testkit::{Certs, Gateway, PATIENCE, RawClient, TlsOffer, Upstream, eventually};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  websecure: {address: '127.0.0.1:@websecure@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {addEntryPointsLabels: true}}
log: {level: DEBUG}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
";

/// `open.test` for everybody; `strict.test` and `*.wild.test` for clients with a certificate.
const ROUTING: &str = "\
http:
  routers:
    open: {rule: 'Host(`open.test`)', service: s, entryPoints: [websecure], tls: {}}
    strict: {rule: 'Host(`strict.test`)', service: s, entryPoints: [websecure], tls: {options: strict}}
    wild: {rule: 'Host(`*.wild.test`)', service: s, entryPoints: [websecure], tls: {options: strict}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
tls:
  certificates:
    - {certFile: '@CERTS@/open.test.crt', keyFile: '@CERTS@/open.test.key'}
    - {certFile: '@CERTS@/strict.test.crt', keyFile: '@CERTS@/strict.test.key'}
    - {certFile: '@CERTS@/wild.test.crt', keyFile: '@CERTS@/wild.test.key'}
  options:
    strict: {clientAuth: {caFiles: ['@CERTS@/ca.crt'], clientAuthType: RequireAndVerifyClientCert}}
";

fn secure(routing: &str) -> Gateway {
    secure_before(routing, Upstream::echo())
}

fn secure_before(routing: &str, upstream: Upstream) -> Gateway {
    let certs = Certs::generate();
    certs
        .host("open.test", &["open.test"])
        .host("strict.test", &["strict.test"]);
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(routing)
        .upstream("b1", upstream)
        .certs(certs)
        .start()
}

fn connect<'a>(
    gateway: &Gateway,
    name: Option<&'a str>,
    client: Option<&'a str>,
) -> std::io::Result<RawClient> {
    gateway.tls_client(
        "websecure",
        TlsOffer {
            name,
            client,
            ..TlsOffer::default()
        },
    )
}

fn get(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// Whether the gateway, sent these records, asks for a client certificate.
#[track_caller]
fn asks(gateway: &Gateway, records: &[u8]) -> Option<bool> {
    match hello::exchange(gateway.port("websecure"), records) {
        Flight::Hello { asks, .. } => Some(asks),
        Flight::Refused => None,
    }
}

#[test]
fn c01_fragmented_client_hello() {
    let gateway = secure(ROUTING);
    for (name, strict) in [("open.test", false), ("strict.test", true)] {
        let message = hello::message(name.as_bytes());
        for size in [1, 2, 3, 4, 5, 7, 40, 100, message.len()] {
            let records = hello::records(&message, size);
            assert_eq!(
                asks(&gateway, &records),
                Some(strict),
                "{name} in records of {size}"
            );
        }
        // A name that is cut in two, in records and in segments.
        let at = message
            .windows(name.len())
            .position(|w| w == name.as_bytes())
            .expect("the name is in it")
            + 3;
        let records = [
            hello::records(&message[..at], at),
            hello::records(&message[at..], message.len()),
        ]
        .concat();
        assert_eq!(asks(&gateway, &records), Some(strict), "{name} cut at {at}");
    }
    assert_eq!(gateway.upstream("b1").connections(), 0);
}

#[test]
fn c01_client_hello_that_is_none() {
    let gateway = secure(ROUTING);
    let message = hello::message(b"strict.test");
    let mut huge = message.clone();
    huge[1] = 0xff;
    let check = |what: &str, bytes: &[u8]| {
        let looked = Before::look(&gateway, "websecure", "bad-client-hello");
        assert_eq!(asks(&gateway, bytes), None, "{what}");
        looked.refused_once(what);
    };
    check(
        "a record larger than any",
        &[&[22, 3, 1, 0xff, 0xff][..], &[0; 400]].concat(),
    );
    check(
        "a record just too large",
        &[&[22, 3, 1, 0x48, 0x01][..], &[0; 400]].concat(),
    );
    check("an empty record", &[22, 3, 1, 0, 0]);
    check("a message of 16 MiB", &hello::records(&huge, 16_000));
    check("another message", &hello::records(&[2, 0, 0, 4, 3, 3, 0, 0], 8));
    check(
        "another kind of record behind the first",
        &[
            &hello::records(&message[..20], 20)[..],
            &[23, 3, 1, 0, 5, 0, 0, 0, 0, 0],
        ]
        .concat(),
    );
}

/// A client that says nothing, or stops half way, is not waited for.
#[test]
fn c01_client_hello_that_ends_early() {
    let gateway = secure(ROUTING);
    let looked = Before::look(&gateway, "websecure", "truncated-client-hello");
    let mut tcp =
        TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port("websecure"))).expect("an open entry point");
    tcp.write_all(&hello::records(&hello::message(b"strict.test"), 50)[..120])
        .expect("an open connection");
    tcp.shutdown(std::net::Shutdown::Write)
        .expect("an open connection");
    tcp.set_read_timeout(Some(PATIENCE)).expect("a connected socket");
    assert_eq!(tcp.read(&mut [0; 10]).ok(), Some(0));
    looked.refused_once("half a hello");
}

#[test]
fn c02_spellings_of_a_name() {
    let gateway = secure(ROUTING);
    let check = |name: &str, strict: Option<bool>| {
        let records = hello::records(&hello::message(name.as_bytes()), 16_000);
        assert_eq!(asks(&gateway, &records), strict, "{name:?}");
    };
    check("open.test", Some(false));
    check("OPEN.test", Some(false));
    for name in [
        "strict.test",
        "STRICT.TEST",
        "sTrIcT.tEsT",
        "strict.test.",
        "Strict.Test.",
        "x.wild.test",
        "X.WILD.TEST",
        "x.wild.test.",
    ] {
        check(name, Some(true));
    }
    // What is no name chooses nothing: it is refused.
    for name in ["strict.test\0", "strict.test\0.open.test", "strict test", ""] {
        check(name, None);
    }
}

/// Every name that leads to a router leads to its options, also the other way round.
#[test]
fn c02_spellings_of_a_host() {
    let gateway = secure(ROUTING);
    let mut client = connect(&gateway, Some("strict.test"), Some("client")).expect("a handshake");
    for host in ["strict.test", "STRICT.test", "strict.test:443", "strict.test."] {
        assert_eq!(client.ask(&get(host)).status, 200, "{host}");
    }
    let mut client = connect(&gateway, Some("open.test"), None).expect("a handshake");
    let requests = gateway.upstream("b1").requests();
    for host in [
        "strict.test",
        "STRICT.test",
        "strict.test:443",
        "strict.test.",
        "x.wild.test",
        "X.Wild.Test.",
    ] {
        let answer = client.ask(&get(host));
        assert_eq!(
            (answer.status, answer.text().trim_end()),
            (421, "Misdirected Request"),
            "{host}"
        );
    }
    assert_eq!(gateway.upstream("b1").requests(), requests);
}

#[test]
fn c03_domain_fronting() {
    let gateway = secure(ROUTING);
    let upstream = gateway.upstream("b1");
    // Each request of a connection is looked at, and the connection goes on.
    let mut client = connect(&gateway, Some("open.test"), None).expect("a handshake");
    for (host, status) in [
        ("open.test", 200),
        ("strict.test", 421),
        ("nowhere.test", 404),
        ("open.test", 200),
    ] {
        assert_eq!(client.ask(&get(host)).status, status, "{host}");
    }
    assert_eq!(
        client
            .ask("GET https://strict.test/ HTTP/1.1\r\nHost: open.test\r\n\r\n")
            .status,
        421,
        "absolute form"
    );
    assert_eq!(upstream.requests(), 2);
    assert_eq!(rejections(&gateway, "websecure", "misdirected"), 2);
    eventually("both are logged", || {
        complaints(&gateway, "websecure", "misdirected") == 2
    });
    // Without a name, or with one that nobody serves, the default options hold.
    for name in [None, Some("nowhere.test")] {
        let mut client = connect(&gateway, name, None).expect("a handshake");
        assert_eq!(client.ask(&get("strict.test")).status, 421, "{name:?}");
    }
    // A certificate for one set of options is none for another.
    let mut client = connect(&gateway, Some("strict.test"), Some("client")).expect("a handshake");
    assert_eq!(client.ask(&get("x.wild.test")).status, 200, "the same options");
    assert_eq!(client.ask(&get("open.test")).status, 421, "other options");
    assert_eq!(upstream.requests(), 3);
}

#[test]
fn c03_domain_fronting_in_http2() {
    let gateway = secure(ROUTING);
    client2::run(async {
        let mut client = client2::connect_tls(&gateway, "websecure", "open.test").await;
        for (host, status) in [
            ("open.test", 200),
            ("strict.test", 421),
            ("x.wild.test", 421),
            ("open.test", 200),
        ] {
            assert_eq!(
                client2::get(&mut client, &format!("https://{host}/"))
                    .await
                    .status,
                status,
                "{host}"
            );
        }
    });
    assert_eq!(gateway.upstream("b1").requests(), 2);
}

/// Keeps what servers gave for one name, and offers it under any.
#[derive(Debug)]
struct Mixed(ClientSessionMemoryCache);

fn one() -> ServerName<'static> {
    ServerName::try_from("one.test").expect("a name")
}

impl ClientSessionStore for Mixed {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(one(), group);
    }
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&one())
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(one(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&one())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&one());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(one(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&one())
    }
}

/// Asks `name` for `/`; gives the answer's first bytes, and how hands were shaken.
fn visit(
    gateway: &Gateway,
    config: &Arc<ClientConfig>,
    name: &'static str,
) -> std::io::Result<(String, Option<HandshakeKind>)> {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port("websecure")))?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let server = ServerName::try_from(name).map_err(std::io::Error::other)?;
    let mut session = ClientConnection::new(config.clone(), server).map_err(std::io::Error::other)?;
    let mut stream = rustls::Stream::new(&mut session, &mut tcp);
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer)?;
    Ok((
        String::from_utf8_lossy(&answer).into_owned(),
        session.handshake_kind(),
    ))
}

fn roots(gateway: &Gateway) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(gateway.certs().file("ca.crt")).expect("a certificate");
    roots.add(authority).expect("an authority");
    roots
}

/// A session that was begun without a client certificate is not gone on with where one is needed.
#[test]
fn c04_resumption_under_other_options() {
    let gateway = secure(ROUTING);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version that the provider has")
            .with_root_certificates(roots(&gateway))
            .with_no_client_auth();
        config.resumption = Resumption::store(Arc::new(Mixed(ClientSessionMemoryCache::new(8))));
        let config = Arc::new(config);
        let (answer, kind) = visit(&gateway, &config, "open.test").expect("an answer");
        assert_eq!(
            (&*answer, kind),
            ("HTTP/1.1 200", Some(HandshakeKind::Full)),
            "{version:?}"
        );
        let (answer, kind) = visit(&gateway, &config, "open.test").expect("an answer");
        assert_eq!(
            (&*answer, kind),
            ("HTTP/1.1 200", Some(HandshakeKind::Resumed)),
            "{version:?}"
        );
        let requests = gateway.upstream("b1").requests();
        let outcome = visit(&gateway, &config, "strict.test");
        assert!(outcome.is_err(), "{version:?}: {outcome:?}");
        assert_eq!(gateway.upstream("b1").requests(), requests, "{version:?}");
    }
}

/// Options whose authority cannot be read are no options at all: nobody gets in, least of all without a certificate.
#[test]
fn c05_authority_that_cannot_be_read() {
    for (what, authority, text) in [
        ("missing", "nowhere.crt", None),
        ("empty", "empty.crt", Some("")),
        (
            "malformed",
            "bad.crt",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ),
    ] {
        let certs = Certs::generate();
        certs
            .host("open.test", &["open.test"])
            .host("strict.test", &["strict.test"]);
        if let Some(text) = text {
            std::fs::write(certs.file(authority), text).expect("a file can be written");
        }
        let gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
            .install(INSTALL)
            .routing(&ROUTING.replace("@CERTS@/ca.crt", &format!("@CERTS@/{authority}")))
            .upstream("b1", Upstream::echo())
            .certs(certs)
            .start();
        for client in [None, Some("client")] {
            let answer = connect(&gateway, Some("strict.test"), client).and_then(|mut c| {
                c.try_send(get("strict.test"))?;
                c.response_to("GET")
            });
            assert!(
                !matches!(&answer, Ok(Some(answer)) if answer.status == 200),
                "{what} authority, client {client:?}"
            );
        }
        let mut client = connect(&gateway, Some("open.test"), None).expect("the other options work");
        assert_eq!(client.ask(&get("open.test")).status, 200, "{what}");
        assert_eq!(
            client.ask(&get("strict.test")).status,
            404,
            "{what}: nor by way of another name"
        );
        assert_eq!(gateway.upstream("b1").requests(), 1, "{what}");
        let says = |name: &str| {
            gateway.log().contains(&format!(
                "router `{name}@file` is disabled: building router handler: building TLS config"
            ))
        };
        assert!(says("strict") && says("wild") && !says("open"), "{what}");
    }
}

/// Pieces are written from where they lie, together with what frames them: they arrive whole, however the body ends.
#[test]
fn large_answers_arrive_whole() {
    let body: Vec<u8> = (0..3 << 20).map(|n| (n % 251) as u8).collect();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(100_003) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let counted = [head.as_bytes(), &body].concat();
    for (answer, how) in [(counted, "counted"), (chunked, "chunked")] {
        let gateway = secure_before(ROUTING, Upstream::bytes(answer));
        let mut client = connect(&gateway, Some("open.test"), None).expect("a handshake");
        for _ in 0..2 {
            assert!(client.ask(&get("open.test")).body == body, "{how}");
        }
    }
}
