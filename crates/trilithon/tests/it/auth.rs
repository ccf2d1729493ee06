//! Who is asking: API keys and tokens, and what a client can try to be somebody else. E1 to E10 are classes of attacks.

use crate::audit::entries;
use crate::world::gateway;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use trilithon_testkit::{Answer, Gateway, PATIENCE, TlsOffer, Upstream, until};

/// A gateway whose only router goes through middleware `m`, before an echo; `issuer` serves keys.
fn guarded(middleware: &str, issuer: &Upstream) -> Gateway {
    let routing = format!(
        "
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [m]}}}}
  middlewares: {{m: {{{middleware}}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    );
    gateway()
        .routing(&routing)
        .upstream("b1", Upstream::echo())
        .upstream("issuer", issuer)
        .start()
}

fn status(gateway: &Gateway, lines: &[&str]) -> u16 {
    gateway.get_with("a.test", "/", lines).status
}

/// Somebody who signs tokens with ES256.
pub struct Signer {
    name: &'static str,
    pair: EcdsaKeyPair,
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Signer {
    pub fn new(name: &'static str) -> Signer {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair");
        Signer { name, pair }
    }

    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": self.name, "use": "sig", "x": text(x), "y": text(y)})
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": self.name}), claims)
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.signed(format!("{}.{}", part(header), part(claims)))
    }

    /// Claims that need not be JSON.
    fn text(&self, claims: &str) -> String {
        let header = part(&json!({"alg": "ES256", "kid": self.name}));
        self.signed(format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims)))
    }

    fn signed(&self, message: String) -> String {
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .expect("signed");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub fn bearer(&self, claims: &Value) -> String {
        format!("Authorization: Bearer {}", self.token(claims))
    }
}

/// What an issuer answers; it can change.
type Say = Arc<Mutex<Answer>>;

fn set(signers: &[&Signer]) -> Answer {
    let keys: Vec<Value> = signers.iter().map(|s| s.jwk()).collect();
    Answer::new(200, json!({ "keys": keys }).to_string()).header("Content-Type", "application/json")
}

fn issuer(first: Answer) -> (Upstream, Say) {
    let say = Arc::new(Mutex::new(first));
    let said = say.clone();
    let upstream = Upstream::answering(move |_| said.lock().expect("no panic").clone());
    (upstream, say)
}

#[test]
fn api_keys_in_both_spellings() {
    let options = "{keySource: {header: X-Key}, secretNonBase64Encoded: true, \
        secretValues: ['ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=', '$2y$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6']}";
    for middleware in [
        format!("apiKey: {options}"),
        format!("plugin: {{apiKey: {options}}}"),
    ] {
        let gateway = guarded(&middleware, &Upstream::echo());
        assert_eq!(status(&gateway, &["X-Key: pass"]), 200);
        let refused = gateway.get_with("a.test", "/", &["X-Key: no"]);
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, "ApiKey realm=\"trilithon\"")
        );
        assert_eq!(status(&gateway, &[]), 401);
        assert_eq!(status(&gateway, &["X-Key: no", "X-Key: pass"]), 401);
        assert_eq!(
            gateway.upstream("b1").requests(),
            1,
            "what is refused goes no further"
        );
    }
}

#[test]
fn e03_what_only_the_token_may_say() {
    let signer = Signer::new("k");
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    let middleware =
        format!("jwt: {{jwksFile: '{keys}', forwardHeaders: {{X-Auth-User: sub, X-Auth-Level: level}}}}");
    let gateway = guarded(&middleware, &Upstream::echo());
    let bearer = signer.bearer(&json!({"sub": "ann"}));
    let forged = [
        &*bearer,
        "X-Auth-User: root",
        "x-auth-user: root",
        "X_Auth_User: root",
        "X.Auth.User: root",
        "x-auth_level: 9",
    ];
    assert_eq!(status(&gateway, &forged), 200);
    let seen = gateway.upstream("b1").last().headers;
    assert_eq!(seen.all("x-auth-user").collect::<Vec<_>>(), ["ann"]);
    assert_eq!(
        seen.all("x-auth-level").collect::<Vec<_>>(),
        [""],
        "a claim that is missing"
    );
    for name in ["x_auth_user", "x.auth.user", "x-auth_level", "authorization"] {
        assert!(!seen.has(name), "{name}");
    }
    // E1: nor can `Connection` take off what the gateway says.
    let named = [&*bearer, "Connection: X-Auth-User, close"];
    assert_eq!(status(&gateway, &named), 200);
    assert_eq!(gateway.upstream("b1").last().headers.get("x-auth-user"), "ann");
}

#[test]
fn e10_tokens_that_are_not() {
    let (signer, other) = (Signer::new("k"), Signer::new("k"));
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    let middleware = format!("jwt: {{jwksFile: '{keys}', audience: [shop], requiredClaims: [exp]}}");
    let gateway = guarded(&middleware, &Upstream::echo());
    let good = json!({"sub": "ann", "aud": "shop", "exp": 4_000_000_000u64});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signer.token(&claims)
    };
    let token = signer.token(&good);
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let (_, claims) = message.split_once('.').expect("two parts");
    let head = |header: Value| format!("{}.{claims}", part(&header));
    let without_exp = signer.token(&json!({"aud": "shop"}));
    let attacks = [
        ("no algorithm", format!("{}.", head(json!({"alg": "none"})))),
        (
            "no algorithm, and a signature",
            format!("{}.{signature}", head(json!({"alg": "nOnE"}))),
        ),
        (
            "a public key as a secret",
            hs256(&head(json!({"alg": "HS256", "kid": "k"})), &signer),
        ),
        ("another's signature", other.token(&good)),
        (
            "a key that it brings itself",
            other.sign(&json!({"alg": "ES256", "jwk": other.jwk()}), &good),
        ),
        (
            "an unknown key",
            signer.sign(&json!({"alg": "ES256", "kid": "/dev/null"}), &good),
        ),
        (
            "an extension",
            signer.sign(&json!({"alg": "ES256", "crit": ["x"], "x": 1}), &good),
        ),
        (
            "other claims",
            format!(
                "{}.{}.{signature}",
                part(&json!({"alg": "ES256"})),
                part(&json!({"sub": "root"}))
            ),
        ),
        ("no signature", message.to_owned()),
        ("half a signature", token[..token.len() - 40].to_owned()),
        ("expired", with("exp", json!(1_000_000_000))),
        ("no end", without_exp),
        ("not yet", with("nbf", json!(3_000_000_000u64))),
        (
            "no audience",
            signer.token(&json!({"sub": "ann", "exp": 4_000_000_000u64})),
        ),
        ("another audience", with("aud", json!(["till"]))),
        ("dates as text", with("exp", json!("4000000000"))),
        (
            "a date beyond numbers",
            signer.text(r#"{"aud":"shop","exp":1e999999999}"#),
        ),
        (
            "a date of many digits",
            signer.text(&format!(r#"{{"aud":"shop","exp":{}}}"#, "9".repeat(9000))),
        ),
        (
            "two dates",
            signer.text(r#"{"aud":"shop","exp":1000000000,"exp":4000000000}"#),
        ),
        (
            "a deep one",
            signer.text(&format!(
                r#"{{"aud":"shop","x":{}{}}}"#,
                "[".repeat(4000),
                "]".repeat(4000)
            )),
        ),
        ("a list", signer.text(r#"[{"aud":"shop","exp":4000000000}]"#)),
        ("huge", with("x", json!("x".repeat(16 * 1024)))),
        ("garbage", "!.a.b".to_owned()),
    ];
    for (what, token) in &attacks {
        let answer = gateway.get_with("a.test", "/", &[&format!("Authorization: Bearer {token}")]);
        assert_eq!(answer.status, 401, "{what}");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Bearer realm=\"trilithon\", error=\"invalid_token\""),
            "{what}"
        );
    }
    assert_eq!(gateway.upstream("b1").requests(), 0);
    let twice = [&*signer.bearer(&good), &*other.bearer(&good)];
    assert_eq!(
        status(&gateway, &twice),
        401,
        "another reader could take the other one"
    );
    assert_eq!(status(&gateway, &[&signer.bearer(&good)]), 200);
}

/// Signed with the text of a public key as if that were a secret.
fn hs256(message: &str, signer: &Signer) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, signer.jwk().to_string().as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[test]
fn claims_decide_and_403_says_so() {
    let signer = Signer::new("k");
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    let middleware = format!("plugin: {{jwt: {{jwksFile: '{keys}', claims: 'Contains(`grp`, `ops`)'}}}}");
    let gateway = guarded(&middleware, &Upstream::echo());
    assert_eq!(
        status(&gateway, &[&signer.bearer(&json!({"grp": ["dev", "ops"]}))]),
        200
    );
    for _ in 0..2 {
        let refused = gateway.get_with("a.test", "/", &[&signer.bearer(&json!({"grp": ["dev"]}))]);
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (403, "Bearer realm=\"trilithon\", error=\"insufficient_scope\"")
        );
    }
}

#[test]
fn keys_of_an_issuer_rotate_and_outlive_it() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let (issuer, say) = issuer(set(&[&old]));
    let gateway = guarded("jwt: {jwksUrl: 'http://127.0.0.1:@issuer@/keys?x=1'}", &issuer);
    let ann = json!({"sub": "ann"});
    assert_eq!(
        status(&gateway, &[&old.bearer(&ann)]),
        200,
        "waits for the first fetch"
    );
    assert_eq!(issuer.last().target, "/keys?x=1");
    assert_eq!(status(&gateway, &[&new.bearer(&ann)]), 401);
    assert_eq!(issuer.requests(), 1, "an unknown key asks again, but not at once");
    *say.lock().expect("no panic") = set(&[&new]);
    // Ten seconds after the last fetch a token with an unknown key causes the next one.
    let patience = PATIENCE + std::time::Duration::from_secs(15);
    let turned = until(patience, || {
        (status(&gateway, &[&new.bearer(&ann)]) == 200).then_some(())
    });
    assert!(turned.is_some(), "the new key is taken");
    assert_eq!(
        status(&gateway, &[&old.bearer(&ann)]),
        401,
        "a remembered token dies with its key"
    );
    issuer.down();
    assert_eq!(
        status(&gateway, &[&new.bearer(&json!({"sub": "bob"}))]),
        200,
        "the last set is used on"
    );
}

#[test]
fn issuers_that_lie() {
    let signer = Signer::new("k");
    let good = set(&[&signer]);
    let moved = Answer::new(302, "").header("Location", "/elsewhere");
    let mut published = json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0"});
    published["alg"] = json!("HS256");
    let bad = [
        ("an error", Answer::new(500, "no")),
        (
            "a page",
            Answer::new(200, "<html>").header("Content-Type", "application/json"),
        ),
        ("too much", Answer::new(200, " ".repeat(10 << 20))),
        ("elsewhere", moved),
        (
            "a published secret",
            Answer::new(200, json!({"keys": [published]}).to_string()),
        ),
        ("late", good.clone().after(std::time::Duration::from_secs(3))),
    ];
    for (what, answer) in bad {
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, said) = (asked.clone(), answer);
        let issuer = Upstream::answering(move |_| {
            count.fetch_add(1, SeqCst);
            said.clone()
        });
        let middleware = "jwt: {jwksUrl: 'http://127.0.0.1:@issuer@/keys', clientConfig: {timeoutSeconds: 1, maxRetries: 1}}";
        let gateway = guarded(middleware, &issuer);
        assert_eq!(status(&gateway, &[&signer.bearer(&json!({}))]), 503, "{what}");
        assert_eq!(
            status(&gateway, &[]),
            401,
            "{what}: without a token it does not matter"
        );
        let twice = until(PATIENCE, || (asked.load(SeqCst) >= 2).then_some(()));
        assert!(twice.is_some(), "{what}: there is a second attempt");
    }
    let typed = good.header("X-Content-Type-Options", "nosniff");
    let (issuer, _) = issuer(Answer {
        headers: vec![("Content-Type".into(), "text/plain".into())],
        ..typed
    });
    let gateway = guarded("jwt: {jwksUrl: 'http://127.0.0.1:@issuer@/keys'}", &issuer);
    assert_eq!(
        status(&gateway, &[&signer.bearer(&json!({}))]),
        200,
        "the type does not matter, the text does"
    );
}

#[test]
fn each_issuer_has_keys_of_its_own() {
    let (ours, theirs) = (Signer::new("k"), Signer::new("k"));
    let (our_keys, their_keys) = (set(&[&ours]), set(&[&theirs]));
    let issuer = Upstream::answering(move |seen| match &*seen.target {
        "/ours/jwks" => our_keys.clone(),
        _ => their_keys.clone(),
    });
    let middleware = "jwt: {trustedIssuers: [\
        {issuer: 'http://127.0.0.1:@issuer@/ours/', jwksUrl: /jwks}, \
        {issuer: 'theirs', jwksUrl: 'http://127.0.0.1:@issuer@/theirs'}]}";
    let gateway = guarded(middleware, &issuer);
    let our_name = format!("http://127.0.0.1:{}/ours/", issuer.port());
    let check = |signer: &Signer, issuer: Value, want: u16| {
        let bearer = signer.bearer(&json!({ "iss": issuer }));
        assert_eq!(status(&gateway, &[&bearer]), want, "{issuer}");
    };
    check(&ours, json!(our_name), 200);
    check(&theirs, json!("theirs"), 200);
    check(&theirs, json!(our_name), 401);
    check(&ours, json!("theirs"), 401);
    check(&ours, json!("nobody"), 401);
    check(&ours, json!(null), 401);
}

#[test]
fn a_path_asks_the_tokens_issuer_if_that_is_safe() {
    let signer = Signer::new("k");
    let (issuer, _) = issuer(set(&[&signer]));
    let gateway = guarded("jwt: {jwksUrl: /jwks, claims: 'Prefix(`iss`, `http`)'}", &issuer);
    let bearer = |iss: &str| signer.bearer(&json!({ "iss": iss }));
    assert_eq!(
        status(
            &gateway,
            &[&bearer(&format!("http://127.0.0.1:{}/", issuer.port()))]
        ),
        200
    );
    assert_eq!(issuer.last().target, "/jwks");
    for unsafe_issuer in [
        "http://192.0.2.1",
        "http://metadata.test/latest",
        "file:///etc",
        "https://a@b.test",
        "",
        "x",
    ] {
        assert_eq!(
            status(&gateway, &[&bearer(unsafe_issuer)]),
            401,
            "{unsafe_issuer}"
        );
    }
    assert_eq!(status(&gateway, &[&signer.bearer(&json!({}))]), 401, "no issuer");
}

const AUDITED: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  websecure: {address: '127.0.0.1:@websecure@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
providers: {file: {filename: '@DIR@/routing.yml'}}
audit: {checkpointInterval: 20ms}
store: {directory: '@DIR@/store'}
";

/// `a.test` verifies client certificates, `b.test` only asks for them; both through a password if the path says so.
const CERTIFIED: &str = "
http:
  routers:
    verified: {rule: 'Host(`a.test`)', service: s, entryPoints: [websecure], tls: {options: verified}, observability: {audit: true}}
    password: {rule: 'Host(`a.test`) && Path(`/password`)', service: s, entryPoints: [websecure], tls: {options: verified}, middlewares: [m], observability: {audit: true}}
    asked: {rule: 'Host(`b.test`)', service: s, entryPoints: [websecure], tls: {options: asked}, observability: {audit: true}}
  middlewares: {m: {basicAuth: {users: ['ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=']}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
tls:
  certificates:
    - {certFile: '@CERTS@/a.test.crt', keyFile: '@CERTS@/a.test.key'}
    - {certFile: '@CERTS@/b.test.crt', keyFile: '@CERTS@/b.test.key'}
  options:
    verified: {clientAuth: {caFiles: ['@CERTS@/ca.crt'], clientAuthType: VerifyClientCertIfGiven}}
    asked: {clientAuth: {clientAuthType: RequestClientCert}}
";

#[test]
fn a_verified_certificate_says_who_it_is_and_another_does_not() {
    let gateway = gateway()
        .install(AUDITED)
        .routing(CERTIFIED)
        .upstream("b1", Upstream::echo())
        .certs(trilithon_testkit::Certs::generate())
        .start();
    let ask = |host: &str, client: Option<&str>, head: &str| {
        let offer = TlsOffer {
            name: Some(host),
            client,
            ..TlsOffer::default()
        };
        let mut connection = gateway.tls_client("websecure", offer).expect("a handshake");
        let answer = connection.ask(&format!("GET {head}Host: {host}\r\n\r\n"));
        assert_eq!(answer.status, 200, "{host} {head}");
    };
    ask("a.test", Some("client"), "/ HTTP/1.1\r\n");
    ask("a.test", None, "/ HTTP/1.1\r\n");
    ask("b.test", Some("client"), "/ HTTP/1.1\r\n");
    ask("b.test", Some("other-client"), "/ HTTP/1.1\r\n");
    ask(
        "a.test",
        Some("client"),
        "/password HTTP/1.1\r\nAuthorization: Basic YW5uOnBhc3M=\r\n",
    );
    let recorded = entries(gateway.folder(), "request", 5);
    let actor = |at: usize, name: &str| {
        recorded[at].1["actor"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(actor(0, "credential"), "clientCertificate", "{recorded:?}");
    assert!(actor(0, "subject").contains("client"), "{recorded:?}");
    assert!(actor(0, "issuer").contains("ca"), "{recorded:?}");
    for (_, entry) in &recorded[1..4] {
        assert_eq!(entry["actor"]["credential"], Value::Null, "{entry}");
    }
    assert_eq!(
        (&*actor(4, "credential"), &*actor(4, "subject")),
        ("basic", "ann"),
        "the innermost has the last word"
    );
}
