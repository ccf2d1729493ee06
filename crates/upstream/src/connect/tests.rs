//! TLS with servers: which certificates are believed, what is shown to them, and what the failures are called.

use crate::testing::*;
use crate::tls::TlsSettings;
use crate::{Settings, Transport};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use trilithon_testkit::Certs;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A TLS server with the certificate `backend` of the authority `ca`.
async fn tls_server(certs: &Certs, client_authority: Option<&str>) -> Server {
    let config = Arc::new(certs.server_config("backend", client_authority));
    Server::with(vec![vec![REQUEST, send(OK)]], move |tcp| {
        let acceptor = TlsAcceptor::from(config.clone());
        async move { acceptor.accept(tcp).await.ok() }
    })
    .await
}

fn pem(certs: &Certs, name: &str) -> String {
    std::fs::read_to_string(certs.file(name)).unwrap()
}

#[test]
fn certificates() {
    let certs = Certs::generate();
    let ca = pem(&certs, "ca.crt");
    let client = (pem(&certs, "client.crt"), pem(&certs, "client.key"));
    let other = (pem(&certs, "other-client.crt"), pem(&certs, "other-client.key"));
    let check = |authority: Option<&str>, edit: &dyn Fn(&mut TlsSettings), want: &str| {
        run(async {
            let server = tls_server(&certs, authority).await;
            let mut tls = TlsSettings::default();
            edit(&mut tls);
            let url = format!("https://127.0.0.1:{}", server.port);
            let forward = forward_with(
                &url,
                Settings {
                    tls,
                    ..Settings::default()
                },
            );
            assert_eq!(ask(&forward, get()).await, want);
        });
    };
    let bad = "500 Tls unsent";
    check(None, &|_| (), bad);
    check(None, &|t| t.insecure_skip_verify = true, "200 ok");
    check(None, &|t| t.root_cas = vec![ca.clone()], "200 ok");
    check(None, &|t| t.root_cas = vec![pem(&certs, "other-ca.crt")], bad);
    check(None, &|t| t.root_cas = vec!["no certificate".into()], bad);
    check(
        None,
        &|t| (t.root_cas, t.server_name) = (vec![ca.clone()], "backend.test".into()),
        "200 ok",
    );
    check(
        None,
        &|t| (t.root_cas, t.server_name) = (vec![ca.clone()], "a.test".into()),
        bad,
    );
    check(
        None,
        &|t| (t.root_cas, t.min_version) = (vec![ca.clone()], "VersionTLS12".into()),
        bad,
    );
    check(
        None,
        &|t| (t.root_cas, t.max_version) = (vec![ca.clone()], "VersionTLS12".into()),
        "200 ok",
    );
    check(
        None,
        &|t| (t.root_cas, t.peer_cert_uri) = (vec![ca.clone()], "spiffe://x".into()),
        bad,
    );
    let trusting = |t: &mut TlsSettings| t.root_cas = vec![ca.clone()];
    check(
        Some("ca"),
        &|t| (trusting(t), t.certificates = vec![client.clone()]).1,
        "200 ok",
    );
    check(
        Some("ca"),
        &|t| (trusting(t), t.certificates = vec![other.clone(), client.clone()]).1,
        "200 ok",
    );
}

#[test]
fn a_server_that_wants_a_certificate_and_gets_none() {
    let certs = Certs::generate();
    run(async {
        let server = tls_server(&certs, Some("ca")).await;
        let tls = TlsSettings {
            root_cas: vec![pem(&certs, "ca.crt")],
            ..TlsSettings::default()
        };
        let forward = forward_with(
            &format!("https://127.0.0.1:{}", server.port),
            Settings {
                tls,
                ..Settings::default()
            },
        );
        // In TLS 1.3 the refusal comes after our handshake is done, as an alert in place of the answer.
        let told = ask(&forward, get()).await;
        assert!(
            told.starts_with("500 Tls") || told.starts_with("502 Closed"),
            "{told}"
        );
    });
}

#[test]
fn the_uri_of_a_certificate() {
    let certs = Certs::generate();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["own.test".to_owned()]).unwrap();
    params
        .subject_alt_names
        .push(rcgen::SanType::URI("spiffe://one/a".try_into().unwrap()));
    let own = params.self_signed(&key).unwrap();
    let mut config = certs.server_config("backend", None);
    let chain = vec![own.der().clone()];
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    config = {
        let _ = config;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, der)
            .unwrap()
    };
    let config = Arc::new(config);
    let check = |uri: &str, skip: bool, want: &str| {
        run(async {
            let config = config.clone();
            let server = Server::with(vec![vec![REQUEST, send(OK)]], move |tcp| {
                let acceptor = TlsAcceptor::from(config.clone());
                async move { acceptor.accept(tcp).await.ok() }
            })
            .await;
            let tls = TlsSettings {
                root_cas: vec![own.pem()],
                insecure_skip_verify: skip,
                peer_cert_uri: uri.into(),
                ..TlsSettings::default()
            };
            let url = format!("https://127.0.0.1:{}", server.port);
            assert_eq!(
                ask(
                    &forward_with(
                        &url,
                        Settings {
                            tls,
                            ..Settings::default()
                        }
                    ),
                    get()
                )
                .await,
                want
            );
        });
    };
    check("spiffe://one/a", true, "200 ok");
    check("spiffe://one/b", true, "500 Tls unsent");
    check("spiffe://one/a", false, "500 Tls unsent");
}

#[test]
fn servers_that_speak_no_tls() {
    let check = |script: Vec<Move>, want: &str| {
        run(async {
            let server = Server::start(vec![script]).await;
            let forward = forward(&format!("https://127.0.0.1:{}", server.port));
            assert_eq!(ask(&forward, get()).await, want);
        });
    };
    check(vec![send("HTTP/1.1 400 Bad Request\r\n\r\n")], "500 Tls unsent");
    check(vec![Move::Read("\x16\x03\x01"), Move::Close], "502 Closed unsent");
}

#[test]
fn connections_are_shared_by_equal_transports_only() {
    run(async {
        let server = Server::start(vec![vec![REQUEST, send(OK), REQUEST, send(OK)]]).await;
        let with = |name: &str| {
            let tls = TlsSettings {
                server_name: name.into(),
                ..TlsSettings::default()
            };
            forward_with(
                &server.url(),
                Settings {
                    tls,
                    ..Settings::default()
                },
            )
        };
        assert_eq!(ask(&with("a.test"), get()).await, "200 ok");
        assert_eq!(ask(&with("a.test"), get()).await, "200 ok");
        assert_eq!(server.connections(), 1, "the same settings, another transport");
        assert_eq!(ask(&with("b.test"), get()).await, "200 ok");
        assert_eq!(server.connections(), 2, "another TLS identity");
        let transport = Transport::simple(TlsSettings::default(), None);
        assert_ne!(transport.identity, with("").transport.identity ^ 1);
    });
}

#[test]
fn a_proxy_is_asked_for_the_whole_url() {
    let proxy = |server: &Server| -> &'static crate::proxy::Proxy {
        let authorization = Some("Basic eA==".into());
        Box::leak(Box::new(crate::proxy::Proxy {
            host: "127.0.0.1".into(),
            port: server.port,
            authorization,
        }))
    };
    run(async {
        let server = Server::start(vec![vec![REQUEST, send(OK)]]).await;
        let mut forward = forward("http://far.test:81");
        forward.origin.proxy = Some(proxy(&server));
        assert_eq!(
            ask(&forward, request("GET", "/x?y", &[("Host", "a.test")])).await,
            "200 ok"
        );
        let want = "GET http://far.test:81/x?y HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.7\r\n\
                    Proxy-Authorization: Basic eA==\r\n\r\n";
        assert_eq!(server.heard(0), want);
    });
    run(async {
        let server = Server::start(vec![vec![REQUEST, send("HTTP/1.1 403 No\r\n\r\n")]]).await;
        let mut forward = forward("https://far.test");
        forward.origin.proxy = Some(proxy(&server));
        assert_eq!(ask(&forward, get()).await, "500 Tls unsent");
        let want =
            "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\nProxy-Authorization: Basic eA==\r\n\r\n";
        assert_eq!(server.heard(0), want);
    });
}
