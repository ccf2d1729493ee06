//! TCP and UDP routing: who gets a connection, what is done to it, and when it ends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use trilithon_testkit::{Gateway, PATIENCE, Upstream, eventually};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  first: {address: '127.0.0.1:@first@'}
  mixed: {address: '127.0.0.1:@mixed@', transport: {respondingTimeouts: {readTimeout: 300ms}}}
  proxied: {address: '127.0.0.1:@proxied@', proxyProtocol: {insecure: true}}
  limited: {address: '127.0.0.1:@limited@'}
  half: {address: '127.0.0.1:@half@'}
  datagrams: {address: '127.0.0.1:@datagrams@/udp', udp: {timeout: 300ms}}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
log: {level: DEBUG}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
";

const ROUTING: &str = "\
http:
  routers:
    a: {rule: 'Host(`a.test`)', service: h, entryPoints: [web, mixed]}
    b: {rule: 'Host(`b.test`)', service: h, entryPoints: [mixed], tls: {}}
  services: {h: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
tcp:
  routers:
    first: {rule: 'HostSNI(`*`)', service: greets, entryPoints: [first], middlewares: [some]}
    mixed: {rule: 'ClientIP(`127.0.0.9`)', service: greets, entryPoints: [mixed]}
    proxied: {rule: 'HostSNI(`*`)', service: told, entryPoints: [proxied]}
    limited: {rule: 'HostSNI(`*`)', service: greets, entryPoints: [limited], middlewares: [one]}
    half: {rule: 'HostSNI(`*`)', service: patient, entryPoints: [half]}
  services:
    greets: {loadBalancer: {servers: [{address: '127.0.0.1:@greets@'}]}}
    told: {loadBalancer: {serversTransport: told, servers: [{address: '127.0.0.1:@told@'}]}}
    patient: {loadBalancer: {serversTransport: patient, servers: [{address: '127.0.0.1:@told@'}]}}
  middlewares:
    one: {inFlightConn: {amount: 1}}
    some: {ipAllowList: {sourceRange: ['127.0.0.0/8']}}
  serversTransports:
    told: {proxyProtocol: {version: 1}, terminationDelay: -1s}
    patient: {terminationDelay: -1s}
udp:
  routers: {u: {service: u}}
  services: {u: {loadBalancer: {servers: [{address: '127.0.0.1:@counts@'}]}}}
";

/// A server that does `serve` with each connection; gives its port.
fn server(serve: fn(&mut TcpStream) -> std::io::Result<()>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that is gone is no failure.
            thread::spawn(move || drop(serve(&mut stream)));
        }
    });
    port
}

/// Says hello first, and then every byte again.
fn greets(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"hello")?;
    let mut back = stream.try_clone()?;
    std::io::copy(stream, &mut back).map(drop)
}

/// Says all it was told once it was told all.
fn told(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    stream.write_all(&all)
}

/// Answers each datagram with its length and the port of its sender.
fn counts() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(format!("{n} {}", from.port()).as_bytes(), from);
        }
    });
    port
}

fn streams() -> Gateway {
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .at_port("greets", server(greets))
        .at_port("told", server(told))
        .at_port("counts", counts())
        .wait_only_for(&["web", "first", "mixed", "proxied", "limited", "half", "traefik"])
        .start()
}

fn dial(gateway: &Gateway, entry_point: &str) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port(entry_point))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes before the end, after `bytes` were sent; `finish` ends the client's half.
fn all(mut stream: TcpStream, bytes: &str, finish: bool) -> String {
    stream.write_all(bytes.as_bytes()).unwrap();
    if finish {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut came = String::new();
    // A reset is an end as well.
    let _ = stream.read_to_string(&mut came);
    came
}

fn hello(stream: &mut TcpStream) -> bool {
    let mut word = [0; 5];
    stream.read_exact(&mut word).is_ok() && word == *b"hello"
}

#[test]
fn a_server_may_speak_first_and_both_directions_flow() {
    let gateway = streams();
    let mut stream = dial(&gateway, "first");
    assert!(hello(&mut stream));
    let sent: Vec<u8> = (0..300_000u32).map(|i| i as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let copy = sent.clone();
    let writing = thread::spawn(move || writer.write_all(&copy).unwrap());
    let mut came = vec![0; sent.len()];
    stream.read_exact(&mut came).unwrap();
    writing.join().unwrap();
    assert!(came == sent, "the bytes are the same");
}

#[test]
fn http_keeps_what_no_tcp_router_takes() {
    let gateway = streams();
    let get = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let check = |host: &str, want: &str| {
        let got = all(dial(&gateway, "mixed"), &get(host), false);
        assert!(got.starts_with(want), "{host}: {got}");
    };
    check("a.test", "HTTP/1.1 200 ");
    check("c.test", "HTTP/1.1 404 ");
}

#[test]
fn whoever_says_too_little_is_not_waited_for() {
    let gateway = streams();
    let ends = |bytes: &[u8]| {
        let mut stream = dial(&gateway, "mixed");
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{bytes:?}: {rest:?}");
    };
    // Nothing, half of what Postgres clients begin with (ended by the client), and TLS of a broken form.
    ends(b"");
    let half = all(dial(&gateway, "mixed"), "\0\0\0", true);
    assert_eq!(half, "");
    ends(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00");
    // The first bytes of a hello, or of a Postgres client's wish, and then silence.
    ends(b"\x16\x03\x01");
    ends(b"\0\0\0\x08");
}

#[test]
fn the_servers_see_the_client_by_proxy_headers() {
    let gateway = streams();
    let got = all(
        dial(&gateway, "proxied"),
        "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nwords",
        true,
    );
    assert_eq!(got, "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nwords");
}

#[test]
fn an_end_of_one_side_is_told_to_the_other() {
    let gateway = streams();
    assert_eq!(all(dial(&gateway, "half"), "a question", true), "a question");
}

#[test]
fn connections_are_counted_by_address() {
    let gateway = streams();
    let mut first = dial(&gateway, "limited");
    assert!(hello(&mut first));
    assert!(!hello(&mut dial(&gateway, "limited")), "one is the limit");
    drop(first);
    eventually("the place is free again", || {
        hello(&mut dial(&gateway, "limited"))
    });
}

#[test]
fn open_connections_survive_a_reload_and_are_waited_for() {
    let gateway = streams();
    let mut old = dial(&gateway, "first");
    assert!(hello(&mut old));
    gateway.rewrite_routing(&ROUTING.replace("127.0.0.0/8", "10.0.0.0/8"));
    eventually("new connections are refused", || {
        !hello(&mut dial(&gateway, "first"))
    });
    old.write_all(b"hello").unwrap();
    assert!(hello(&mut old), "the old one goes on");
    gateway.terminate();
    old.write_all(b"hello").unwrap();
    assert!(hello(&mut old), "to the end");
    assert!(
        gateway.exit(std::time::Duration::ZERO).is_none(),
        "it is waited for"
    );
    drop(old);
    assert!(gateway.exit(PATIENCE).is_some_and(|status| status.success()));
}

#[test]
fn datagrams_have_a_session() {
    let gateway = streams();
    let place: SocketAddr = (Ipv4Addr::LOCALHOST, gateway.port("datagrams")).into();
    let client = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(place).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let ask = |socket: &UdpSocket, length: usize| {
        socket.send(&vec![1; length]).unwrap();
        let mut buffer = [0; 32];
        let n = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
        let (size, port) = text.split_once(' ').unwrap();
        assert_eq!(size, length.to_string());
        port.to_owned()
    };
    let (one, other) = (client(), client());
    let port = ask(&one, 3);
    assert_eq!(ask(&one, 65_507), port, "the same session");
    assert_ne!(ask(&other, 0), port, "another client, another session");
    let open = "traefik_open_connections{entrypoint=\"datagrams\",protocol=\"UDP\"} 0";
    eventually("silence ends sessions", || gateway.metrics().contains(open));
    assert_ne!(ask(&one, 1), port, "a new session");
}
