//! Which certificate a client is shown, and what is told of certificates.

mod common;

use common::*;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use trilithon_model::dynamic::tls::GeneratedCert;
use trilithon_model::{Map, Spanned};
use trilithon_tls::{Builder, CertificateStatus, Reader};

#[test]
fn names() {
    let check = |certificates: &[&str], wanted: &[(&str, &str)]| {
        let gate = with_certificates(certificates, &default_store("b.test"));
        for (sni, want) in wanted {
            assert_eq!(gate.shown(Some(sni), LOCAL), *want, "{certificates:?} {sni}");
        }
    };
    check(
        &["a.test"],
        &[
            ("a.test", "a.test"),
            ("A.TEST", "a.test"),
            ("x.a.test", "b.test"),
            ("test", "b.test"),
        ],
    );
    check(
        &["wild"],
        &[
            ("x.wild.test", "wild"),
            ("wild.test", "b.test"),
            ("x.y.wild.test", "b.test"),
            ("wild", "wild"),
        ],
    );
    // Exact before wildcard, in any order.
    check(
        &["wild", "exact"],
        &[("x.wild.test", "exact"), ("y.wild.test", "wild")],
    );
    check(
        &["exact", "wild"],
        &[("x.wild.test", "exact"), ("y.wild.test", "wild")],
    );
    check(
        &["wild", "cross"],
        &[("deep.wild.test", "cross"), ("x.cross.test", "cross")],
    );
    // The common name counts though there are other names.
    check(&["cn.test"], &[("cn.test", "cn.test"), ("other.test", "cn.test")]);
    // C12: among several the list of names decides, not the order; of the same list, the first.
    check(&["a.test", "many"], &[("a.test", "many"), ("many.test", "many")]);
    check(&["many", "a.test"], &[("a.test", "many")]);
}

#[test]
fn the_first_of_the_same_names_wins() {
    let first = |certificates: &[&str]| {
        let gate = with_certificates(certificates, &Map::new());
        let config = gate.0.config_for(Some("a.test"), "default", LOCAL);
        assert_eq!(
            meet(config.unwrap(), &Client::default()).unwrap().certificate,
            "a.test"
        );
        gate.0.certificates()[0].sans.clone()
    };
    assert_eq!(first(&["a.test", "a-again"]), ["a.test"]);
    assert_eq!(first(&["a-again", "a.test"]), ["A.test"]);
}

#[test]
fn without_a_name_the_address_decides() {
    let gate = with_certificates(&["ip", "ip6", "a.test"], &default_store("b.test"));
    assert_eq!(gate.shown(None, "127.0.0.2".parse().unwrap()), "ip");
    assert_eq!(gate.shown(None, "::ffff:127.0.0.2".parse().unwrap()), "ip");
    assert_eq!(gate.shown(None, "::1".parse().unwrap()), "ip6");
    assert_eq!(gate.shown(None, LOCAL), "b.test");
    assert_eq!(gate.shown(Some("a.test"), "127.0.0.2".parse().unwrap()), "a.test");
}

#[test]
fn the_default_certificate() {
    let gate = with_certificates(&["a.test"], &Map::new());
    assert_eq!(gate.shown(Some("unknown.test"), LOCAL), "TRAEFIK DEFAULT CERT");
    let certificate = |gate: &Gate| {
        let config = gate.0.config_for(None, "default", LOCAL).unwrap();
        config.cert_resolver.clone()
    };
    drop(certificate(&gate));
    assert_eq!(gate.0.certificates().len(), 1, "the generated one is not listed");
    let gate = with_certificates(&["a.test"], &default_store("b.test"));
    assert_eq!(gate.shown(None, LOCAL), "b.test");
    let listed: Vec<_> = gate.0.certificates().into_iter().map(|c| c.common_name).collect();
    assert_eq!(listed, ["a.test", "b.test"]);
    // A broken one is not replaced: whoever configured it does not want another shown.
    let gate = with_certificates(&["a.test"], &default_store("nothing"));
    assert_eq!(gate.shown(Some("unknown.test"), LOCAL), "refused");
    assert_eq!(gate.shown(Some("a.test"), LOCAL), "a.test");
    assert_eq!(gate.0.problems().len(), 1);
}

#[test]
fn broken_certificates_are_left_out_and_told() {
    let mut mismatch = certificate("a.test");
    mismatch.value.key_file = "b.test.key".into();
    let mut inline = certificate("b.test");
    inline.value.cert_file = FILES["b.test.crt"].as_str().into();
    inline.value.key_file = FILES["b.test.key"].as_str().into();
    let mut elsewhere = certificate("wild");
    elsewhere.value.stores = vec!["other".into()];
    let certificates = [certificate("missing"), mismatch, inline, elsewhere];
    let mut stores = default_store("a.test");
    stores.get_mut("default").unwrap().value.default_generated_cert = Some(GeneratedCert::default());
    let gate = Gate(builder().build(&certificates, &Map::new(), &stores));
    assert_eq!(gate.shown(Some("b.test"), LOCAL), "b.test");
    assert_eq!(gate.shown(Some("x.wild.test"), LOCAL), "a.test");
    let notes = gate.0.notes();
    let told = |part: &str| assert!(notes.iter().any(|n| n.contains(part)), "{part}: {notes:?}");
    assert_eq!(notes.len(), 4, "{notes:?}");
    told("`certFile` `missing.crt` is no file and holds no certificate");
    told("certificate `a.test.crt`:");
    told("certificate store `other` is not used");
    told("`defaultGeneratedCert` needs a certificate resolver");
    assert!(notes.iter().all(|n| !n.contains("PRIVATE")));
}

#[test]
fn files_are_watched_whether_they_exist_or_not() {
    let options = Spanned::unplaced({
        let mut options = trilithon_model::dynamic::tls::Options::default();
        options.client_auth.ca_files = vec!["ca.crt".into(), "later.crt".into()];
        options
    });
    let options = Map::from([("x@file".to_owned(), options)]);
    let tls = builder().build(
        &[certificate("a.test"), certificate("missing")],
        &options,
        &default_store("b.test"),
    );
    let files: Vec<_> = tls
        .watched_files()
        .iter()
        .map(|p| Path::to_str(p).unwrap())
        .collect();
    let want = "a.test.crt a.test.key b.test.crt b.test.key ca.crt later.crt missing.crt missing.key";
    assert_eq!(files.join(" "), want);
}

#[test]
fn a_file_that_cannot_be_read_any_more() {
    let away = Arc::new(Mutex::new(""));
    let builder = {
        let away = away.clone();
        Builder::new(Reader::new(move |path: &Path| {
            let name = path.to_string_lossy();
            match FILES.get(&*name) {
                Some(text) if name != *away.lock().unwrap() => Ok(text.clone().into_bytes()),
                _ => Err(io::ErrorKind::PermissionDenied.into()),
            }
        }))
    };
    let check = |unreadable: &'static str, certificates: &[&str], want: &str| {
        *away.lock().unwrap() = unreadable;
        let certificates: Vec<_> = certificates.iter().map(|n| certificate(n)).collect();
        let gate = Gate(builder.build(&certificates, &Map::new(), &default_store("b.test")));
        let shown = |sni| gate.shown(Some(sni), LOCAL);
        let notes = gate.0.notes().iter().filter(|n| n.contains(unreadable)).count();
        let got = format!("{} {} {notes}", shown("a.test"), shown("other.test"));
        assert_eq!(got, want, "{unreadable}");
    };
    // Nothing was read before: the default one stands in for it.
    check("a.test.key", &["a.test"], "b.test b.test 1");
    check("none", &["a.test"], "a.test b.test 0");
    for (file, want) in [
        ("a.test.crt", "a.test b.test 1"),
        ("b.test.key", "a.test b.test 1"),
    ] {
        check(file, &["a.test"], want);
        check(file, &["a.test"], want);
    }
    // What is taken out of the configuration is forgotten.
    check("none", &[], "b.test b.test 0");
    check("a.test.key", &["a.test"], "b.test b.test 1");
}

#[test]
fn facts() {
    let gate = with_certificates(&["a.test", "ip"], &Map::new());
    let [facts, ip] = &gate.0.certificates()[..] else {
        panic!("two certificates")
    };
    assert_eq!(facts.common_name, "a.test");
    assert_eq!(
        (&facts.issuer_common_name[..], &facts.issuer_organization[..]),
        ("ca", "Authorities")
    );
    assert_eq!(
        (facts.key_type, facts.key_size, facts.signature_algorithm),
        ("ECDSA", 256, "ECDSA-SHA256")
    );
    assert_eq!(
        (
            &facts.version[..],
            &facts.serial_number[..],
            &facts.organization[..]
        ),
        ("v3", "4711", "")
    );
    assert_eq!(facts.fingerprint.len(), 64);
    assert_ne!(facts.fingerprint, facts.public_key_fingerprint);
    assert_eq!(
        (&ip.sans[..], &ip.dns_names[..]),
        (&["127.0.0.2".to_owned()][..], &[][..])
    );
    let day = 24 * 3600;
    assert_eq!(
        facts.status(facts.not_after - 31 * day),
        CertificateStatus::Enabled
    );
    assert_eq!(
        facts.status(facts.not_after - 29 * day),
        CertificateStatus::Warning
    );
    assert_eq!(facts.status(facts.not_after + 1), CertificateStatus::Expired);
}
