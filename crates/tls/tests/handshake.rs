//! Every TLS option as a client sees it: handshakes in memory, with the certificates of one small authority.

mod common;

use common::*;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::version::{TLS12, TLS13};
use trilithon_model::dynamic::tls::Options;

const GCM256: &str = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";

#[test]
fn versions() {
    let check = |min: &str, max: &str, want: &str| {
        let tls = with_options(|o| {
            o.min_version = min.to_owned();
            o.max_version = max.to_owned();
        });
        let speaks = |v| {
            tls.meet(Client::default().versions(&[v]))
                .is_ok_and(|m| m.version == version(v))
        };
        let spoken: Vec<_> = [(&TLS12, "1.2"), (&TLS13, "1.3")]
            .iter()
            .filter(|(v, _)| speaks(v))
            .map(|v| v.1)
            .collect();
        assert_eq!(spoken.join(","), want, "{min} {max}");
    };
    check("", "", "1.2,1.3");
    check("", "VersionTLS12", "1.2");
    check("VersionTLS13", "", "1.3");
    check("VersionTLS10", "", "1.2,1.3");
    check("VersionTLS14", "", "1.2,1.3");
    check("", "VersionTLS11", "");
    check("VersionTLS13", "VersionTLS12", "");
}

fn version(v: &rustls::SupportedProtocolVersion) -> &'static str {
    if v.version == rustls::ProtocolVersion::TLSv1_2 {
        "1.2"
    } else {
        "1.3"
    }
}

#[test]
fn a_version_before_1_2_is_told() {
    let tls = with_options(|o| o.min_version = "VersionTLS10".to_owned());
    assert!(
        tls.0.notes()[0].contains("`minVersion` `VersionTLS10` is served from TLS 1.2 on"),
        "{:?}",
        tls.0.notes()
    );
}

#[test]
fn cipher_suites() {
    let tls = with_options(|o| o.cipher_suites = vec![GCM256.to_owned()]);
    let with = |suite| tls.meet(Client::default().suite(suite)).map(|m| m.cipher);
    assert_eq!(
        with(cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        Ok(GCM256)
    );
    assert!(with(cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256).is_err());
    assert_eq!(
        with(cipher_suite::TLS13_CHACHA20_POLY1305_SHA256),
        Ok("TLS_CHACHA20_POLY1305_SHA256")
    );
    // Go's order, whatever the client prefers.
    assert_eq!(
        with_options(|_| ()).meet(Client::default()).map(|m| m.cipher),
        Ok("TLS_AES_128_GCM_SHA256")
    );
}

#[test]
fn options_that_cannot_be_used() {
    let check = |edit: fn(&mut Options), want: &str| {
        let tls = with_options(edit);
        assert_eq!(tls.0.options_error(OPTIONS).as_deref(), Some(want));
        assert!(tls.meet(Client::default()).is_err());
        assert!(tls.0.config_for(Some("a.test"), OPTIONS, LOCAL).is_none());
        assert!(
            tls.0.config_for(Some("a.test"), "default", LOCAL).is_some(),
            "the others are not touched"
        );
        assert!(tls.0.problems().iter().any(trilithon_model::Problem::is_error));
    };
    check(
        |o| o.cipher_suites = vec!["TLS_NO_SUCH".into()],
        "building TLS config: invalid CipherSuite: TLS_NO_SUCH",
    );
    check(
        |o| o.curve_preferences = vec!["nist".into()],
        "building TLS config: invalid CurveID in curvePreferences: nist",
    );
    check(
        |o| o.client_auth.client_auth_type = "RequireAndVerifyClientCert".into(),
        "building TLS config: invalid clientAuthType: RequireAndVerifyClientCert, CAFiles is required",
    );
    check(
        |o| o.client_auth.client_auth_type = "Whatever".into(),
        "building TLS config: unknown client auth type \"Whatever\"",
    );
    // C5
    check(
        |o| o.client_auth.ca_files = vec!["missing.crt".into()],
        "building TLS config: invalid certificate(s) content",
    );
    check(
        |o| o.client_auth.ca_files = vec!["".into()],
        "building TLS config: invalid certificate(s) content",
    );
    check(
        |o| o.client_auth.ca_files = vec!["empty".into()],
        "building TLS config: invalid certificate(s) in empty",
    );
    check(
        |o| {
            o.client_auth.ca_files = vec!["empty".into()];
            o.client_auth.client_auth_type = "NoClientCert".into();
        },
        "building TLS config: invalid certificate(s) in empty",
    );
    let tls = with_options(|_| ());
    assert_eq!(
        tls.0.options_error("nowhere@file").as_deref(),
        Some("unknown TLS options: nowhere@file")
    );
    assert_eq!(tls.0.options_error("default"), None);
}

#[test]
fn suites_that_are_not_there_leave_nothing() {
    let tls = with_options(|o| {
        o.max_version = "VersionTLS12".into();
        o.cipher_suites = vec!["TLS_RSA_WITH_AES_128_GCM_SHA256".into()];
    });
    assert!(
        tls.0
            .options_error(OPTIONS)
            .is_some_and(|e| e.contains("no TLS version is left"))
    );
    assert!(
        tls.0
            .notes()
            .iter()
            .any(|n| n.contains("cipher suite `TLS_RSA_WITH_AES_128_GCM_SHA256` is not served"))
    );
}

#[test]
fn curves() {
    let check = |names: &[&str], want: &str| {
        let tls = with_options(|o| o.curve_preferences = names.iter().map(|n| (*n).to_owned()).collect());
        let groups = [
            (kx_group::X25519, "x25519"),
            (kx_group::SECP256R1, "256"),
            (kx_group::SECP384R1, "384"),
            (kx_group::X25519MLKEM768, "hybrid"),
        ];
        let met: Vec<_> = groups
            .iter()
            .filter(|(g, _)| tls.meet(Client::default().group(*g)).is_ok())
            .map(|g| g.1)
            .collect();
        assert_eq!(met.join(","), want, "{names:?}");
    };
    check(&[], "x25519,256,384,hybrid");
    check(&["secp384r1"], "384");
    check(&["CurveP256", "X25519"], "x25519,256");
    check(&["x25519mlkem768", "X25519"], "x25519,hybrid");
    check(&["CurveP384", "secp384r1mlkem1024"], "384");
    check(&["CurveP521"], "");
}

#[test]
fn protocols() {
    let offers: [(&str, &[&str]); 6] = [
        ("h2,http/1.1", &["h2", "http/1.1"]),
        ("http/1.1,h2", &["http/1.1", "h2"]),
        ("http/1.1", &["http/1.1"]),
        ("h2", &["h2"]),
        ("foo", &["foo"]),
        ("none", &[]),
    ];
    let check = |names: &[&str], want: [&str; 6]| {
        let tls = with_options(|o| o.alpn_protocols = names.iter().map(|n| (*n).to_owned()).collect());
        for ((offer, list), want) in offers.iter().zip(want) {
            let got = tls
                .meet(Client::default().alpn(list))
                .map_or("refused".to_owned(), |m| m.alpn);
            assert_eq!(got, want, "{names:?} {offer}");
        }
    };
    check(
        &["h2", "http/1.1", "acme-tls/1"],
        ["h2", "h2", "http/1.1", "h2", "refused", ""],
    );
    check(
        &["http/1.1"],
        ["http/1.1", "http/1.1", "http/1.1", "refused", "refused", ""],
    );
    check(&["h2"], ["h2", "h2", "", "h2", "refused", ""]);
    check(
        &["foo", "http/1.1"],
        ["http/1.1", "http/1.1", "http/1.1", "refused", "foo", ""],
    );
    check(&[], ["h2", "h2", "http/1.1", "h2", "refused", ""]);
    let challenge = with_options(|_| ()).meet(Client::default().alpn(&["acme-tls/1"]));
    assert!(challenge.is_err(), "nobody answers the challenge");
}

#[test]
fn without_the_offer_an_http_1_client_still_connects() {
    let tls = with_options(|o| o.alpn_protocols = vec!["h2".into()]);
    let config = tls.0.config_for(Some("a.test"), OPTIONS, LOCAL).unwrap();
    assert!(meet(config, &Client::default().alpn(&["http/1.1"])).is_ok());
}

#[test]
fn client_certificates() {
    let check = |kind: &str, files: &[&str], want: [bool; 4]| {
        let tls = with_options(|o| {
            o.client_auth.client_auth_type = kind.to_owned();
            o.client_auth.ca_files = files.iter().map(|f| (*f).into()).collect();
        });
        for v in [&TLS12, &TLS13] {
            for (shown, want) in [None, Some("client"), Some("client2"), Some("a.test")]
                .into_iter()
                .zip(want)
            {
                let met = tls.meet(Client::default().versions(&[v]).shows(shown));
                assert_eq!(met.is_ok(), want, "{kind} {files:?} {shown:?} {:?}", met.err());
                let asked = kind != "NoClientCert";
                assert_eq!(
                    met.map_or(0, |m| m.client_certificates),
                    usize::from(want && asked && shown.is_some())
                );
            }
        }
    };
    check("NoClientCert", &[], [true; 4]);
    check("NoClientCert", &["ca.crt"], [true; 4]);
    check("RequestClientCert", &["ca.crt"], [true; 4]);
    check("RequireAnyClientCert", &[], [false, true, true, true]);
    check("RequireAnyClientCert", &["ca.crt"], [false, true, true, true]);
    check("VerifyClientCertIfGiven", &["ca.crt"], [true, true, false, false]);
    check(
        "RequireAndVerifyClientCert",
        &["ca.crt"],
        [false, true, false, false],
    );
    check("", &["ca.crt"], [false, true, false, false]);
    check("", &["ca.crt", "ca2.crt"], [false, true, true, false]);
}

#[test]
fn a_certificate_without_its_key_is_no_certificate() {
    let tls = with_options(|o| o.client_auth.client_auth_type = "RequireAnyClientCert".into());
    for v in [&TLS12, &TLS13] {
        assert!(
            tls.meet(Client::default().versions(&[v]).shows_stolen("client"))
                .is_err()
        );
    }
}

#[test]
fn tickets() {
    for (v, disabled) in [(&TLS12, false), (&TLS13, false), (&TLS12, true), (&TLS13, true)] {
        let tls = with_options(|o| o.disable_session_tickets = disabled);
        let client = Client::default().versions(&[v]).build();
        assert!(!tls.meet_again(&client, OPTIONS).unwrap().resumed);
        assert_eq!(
            tls.meet_again(&client, OPTIONS).unwrap().resumed,
            !disabled,
            "{v:?}"
        );
    }
}

#[test]
fn c4_a_ticket_is_good_for_its_options_only() {
    for v in [&TLS12, &TLS13] {
        let tls = with_options(|_| ());
        let client = Client::default().versions(&[v]).build();
        tls.meet_again(&client, OPTIONS).unwrap();
        assert!(!tls.meet_again(&client, "default").unwrap().resumed);
    }
}

#[test]
fn tickets_outlive_a_reload_that_does_not_change_the_options() {
    let builder = builder();
    let check = |edit: fn(&mut Options), want: bool| {
        let client = Client::default().shows(Some("client")).build();
        let first = build(&builder, |_| ());
        first.meet_again(&client, OPTIONS).unwrap();
        let second = build(&builder, edit);
        assert_eq!(second.meet_again(&client, OPTIONS).unwrap().resumed, want);
    };
    check(|_| (), true);
    check(|o| o.client_auth.ca_files = vec!["ca.crt".into()], false);
}

#[test]
fn sni_strict() {
    let tls = with_options(|o| o.sni_strict = true);
    let name = |n: Option<&str>| {
        tls.meet(Client::default().sni(n))
            .map(|m| m.certificate)
            .unwrap_or("refused".into())
    };
    assert_eq!(name(Some("a.test")), "a.test");
    assert_eq!(name(Some("x.wild.test")), "wild");
    assert_eq!(name(Some("unknown.test")), "refused");
    assert_eq!(
        name(Some("b.test")),
        "refused",
        "the default certificate does not count"
    );
    assert_eq!(name(None), "refused");
}
