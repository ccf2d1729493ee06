use super::super::kit::{Bench, Outcome};
use super::super::testing;
use super::*;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trilithon_flow::Chain;
use trilithon_model::Secret;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn signed(claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(&json!({"alg": "HS256"})), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
    )
}

fn config() -> Config {
    Config {
        signing_secret: Secret::from(SECRET),
        ..Config::default()
    }
}

fn bench(config: &Config) -> (Bench, Chain) {
    let mut bench = Bench::new(|_| Response::new(200));
    let chain = bench.around(|cx| build(config, cx));
    (bench, chain)
}

fn send(config: &Config, headers: &[(&str, &str)]) -> (Outcome, super::super::kit::Asked) {
    let (bench, chain) = bench(config);
    let out = bench.send(&chain, testing::get("/", headers));
    (out, bench.last())
}

fn bearer(claims: &Value) -> String {
    format!("Bearer {}", signed(claims))
}

#[test]
fn challenges() {
    let check = |authorization: Option<&str>, status: u16, challenge: &str| {
        let headers: Vec<_> = authorization.map(|a| ("Authorization", a)).into_iter().collect();
        let config = Config {
            claims: "Equals(`grp`, `admin`)".to_owned(),
            ..config()
        };
        let (out, _) = send(&config, &headers);
        assert_eq!(
            (out.status, out.header("www-authenticate")),
            (status, Some(challenge)),
            "{authorization:?}"
        );
    };
    let realm = "Bearer realm=\"trilithon\"";
    let invalid = |why: &str| format!("{realm}, error=\"invalid_token\", error_description=\"{why}\"");
    check(None, 401, realm);
    check(Some("Basic YTpi"), 401, realm);
    check(Some("Bearer "), 401, realm);
    check(Some("Bearer x"), 401, &invalid("the token is malformed"));
    check(Some("Bearer a.b.c"), 401, &invalid("the token is malformed"));
    check(
        Some(&bearer(&json!({"exp": 1}))),
        401,
        &invalid("the token expired"),
    );
    check(
        Some(&bearer(&json!({"nbf": 9e9}))),
        401,
        &invalid("the token is not valid yet"),
    );
    let forbidden = format!("{realm}, error=\"insufficient_scope\"");
    check(Some(&bearer(&json!({"grp": "dev"}))), 403, &forbidden);
}

#[test]
fn who_it_is() {
    let claims = json!({
        "sub": "ann", "iss": "https://id.test", "azp": "shop", "jti": "t1", "email": "a@b.test", "n": 7,
        "groups": ["dev", 1], "roles": ["r"], "realm_access": {"roles": ["kc"]},
    });
    let config = Config {
        username_claim: "email".to_owned(),
        ..config()
    };
    let (out, _) = send(&config, &[("Authorization", &bearer(&claims))]);
    assert_eq!((out.status, out.record.user.as_deref()), (200, Some("a@b.test")));
    let who = out.record.identity.expect("somebody");
    let groups: Vec<&str> = who.groups.iter().map(|g| &**g).collect();
    assert_eq!(
        (&*who.subject, &*who.issuer, &*who.application),
        ("ann", "https://id.test", "shop")
    );
    assert_eq!((&*who.credential_id, groups), ("t1", vec!["dev", "r", "kc"]));
    assert_eq!(who.claims["n"], 7);
    let by = |identity: &str| {
        let config = Config {
            identity: identity.to_owned(),
            ..config.clone()
        };
        let (out, _) = send(&config, &[("Authorization", &bearer(&claims))]);
        out.record.identity.map(|i| i.subject.to_string())
    };
    assert_eq!(by("email").as_deref(), Some("a@b.test"));
    assert_eq!(by("missing").as_deref(), Some("ann"));
}

#[test]
fn what_the_server_sees() {
    let forward = [
        ("X-User", "sub"),
        ("X-Level", "level"),
        ("X-None", "none"),
        ("X-Bad", "bad"),
    ];
    let config = Config {
        forward_headers: forward
            .iter()
            .map(|(h, c)| ((*h).to_owned(), (*c).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        ..config()
    };
    let token = bearer(&json!({"sub": "ann", "level": 3, "bad": "a\r\nX-Admin: 1"}));
    let sent = [
        ("Authorization", token.as_str()),
        ("x_user", "root"),
        ("X.LEVEL", "9"),
        ("X-None", "1"),
        ("x-user", "root"),
        ("X-Other", "o"),
    ];
    let (out, asked) = send(&config, &sent);
    assert_eq!(out.status, 200);
    let told = ["X-Bad: ", "X-Level: 3", "X-None: ", "X-User: ann"];
    assert_eq!(
        testing::lines(&asked.headers),
        [&["X-Other: o"][..], &told].concat()
    );
    let config = Config {
        forward_authorization: true,
        ..config
    };
    let (_, asked) = send(&config, &sent[..1]);
    assert_eq!(asked.header("authorization"), Some(token.as_str()));
}

#[test]
fn where_the_token_is() {
    let token = signed(&json!({"sub": "ann"}));
    let config = Config {
        header_name: "X-Token".to_owned(),
        token_key: "access_token".to_owned(),
        ..config()
    };
    let (bench, chain) = bench(&config);
    let check = |target: &str, headers: &[(&str, &str)], body: &str, want: u16| {
        let mut req = testing::request("POST", target, headers);
        req.body = Body::from(body.to_owned());
        assert_eq!(
            bench.send(&chain, req).status,
            want,
            "{target} {headers:?} {body}"
        );
    };
    let bearer = format!("bearer {token}");
    check("/", &[("X-Token", &bearer)], "", 200);
    check("/", &[("X-Token", &token)], "", 200);
    check("/", &[("Authorization", &bearer)], "", 401);
    check("/", &[("X-Token", &token), ("x-token", &token)], "", 401);
    check(&format!("/?access_token={token}"), &[], "", 200);
    check(&format!("/?access_token={token}"), &[("X-Token", "x")], "", 401);
    let form = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    let body = format!("a=b&access_token={token}");
    check("/", &[form], &body, 200);
    assert_eq!(bench.last().body, body, "the form goes on as it was");
    check("/", &[], &body, 401);
    let large = format!("{}&{body}", "x".repeat(MAX_TOKEN_FORM as usize));
    check("/", &[form], &large, 401);
}

#[test]
fn a_token_is_verified_once() {
    let mut bench = Bench::new(|_| Response::new(200));
    let chain = bench.around(|cx| build(&config(), cx));
    let token = bearer(&json!({"sub": "ann"}));
    let ask = || {
        bench
            .send(&chain, testing::get("/", &[("Authorization", &token)]))
            .record
            .identity
    };
    let (first, second) = (ask().expect("somebody"), ask().expect("somebody"));
    assert!(
        Arc::ptr_eq(&first, &second),
        "the same identity, not an equal one"
    );
}

#[test]
fn what_cannot_be_built() {
    let check = |config: Config, want: &str| assert_eq!(testing::build_error(|cx| build(&config, cx)), want);
    check(Config::default(), "`jwt` has no keys: nobody could pass");
    let with = |edit: fn(&mut Config)| {
        let mut config = config();
        edit(&mut config);
        config
    };
    check(
        with(|c| c.claims = "Equals(`a`)".into()),
        "`claims` cannot be read: `Equals` takes 2 arguments, found 1",
    );
    check(
        with(|c| c.username_claim = "a..b".into()),
        "`usernameClaim`: a name is missing before `.`",
    );
    check(
        with(|c| (c.signing_secret_base64_encoded, c.signing_secret) = (true, "!".into())),
        "`signingSecret` cannot be used: it is no Base64",
    );
    check(
        with(|c| c.signing_secret = "urn:k8s:secret:a:b".into()),
        "`signingSecret` names a secret store, and none is built yet",
    );
    check(
        with(|c| c.public_key = "-----BEGIN NOTHING-----".into()),
        "`publicKey` cannot be used: no PEM of a public key or certificate",
    );
    check(
        with(|c| c.jwks_file = "{}".into()),
        "`jwksFile` cannot be used: no list `keys`",
    );
    check(
        with(|c| c.jwks_url = "ftp://a/b".into()),
        "`ftp://a/b` is no address of keys",
    );
    check(
        with(|c| c.trusted_issuers = vec![Default::default()]),
        "an entry of `trustedIssuers` has no `jwksUrl`",
    );
}
