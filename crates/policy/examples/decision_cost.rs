//! What a decision costs: nanoseconds per evaluation, ours beside crate `cel`'s.
//!
//! `cargo run --release -p trilithon-policy --example decision_cost`

use cel::Context;
use serde_json::json;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use trilithon_flow::{Connection, Credential, Exchange, Identity, Request, Target};
use trilithon_model::dynamic::http::{Effect, Policy as Config, PolicyRule};
use trilithon_policy::cel::Program;
use trilithon_policy::decide::Policy;
use trilithon_policy::fact::Facts;

const EXPRESSIONS: [(&str, &str); 5] = [
    ("one clause", "http.method == \"GET\""),
    (
        "two clauses",
        "http.method == \"GET\" && http.path.startsWith(\"/api\")",
    ),
    (
        "group and claim",
        "\"admins\" in identity.groups && jwt.level > 2",
    ),
    ("exists", "jwt.groups.exists(g, g == \"admins\")"),
    ("pattern", "http.path.matches(\"^/api/[a-z]+/[0-9]+$\")"),
];

const ROUNDS: u32 = 200_000;

fn nanos(mut once: impl FnMut()) -> f64 {
    let best = (0..5).map(|_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| once());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    });
    best.fold(f64::INFINITY, f64::min)
}

fn main() {
    let claims = json!({"sub": "ann", "level": 3, "groups": ["staff", "writers", "admins"]});
    let mut identity = Identity::new(Credential::Jwt, "ann");
    identity.groups = ["staff", "writers", "admins"].map(Into::into).to_vec();
    identity.claims = claims.as_object().cloned().unwrap_or_default();
    let address = "127.0.0.1:5000".parse().expect("an address");
    let connection = Connection::new(address, address, "web".into(), None);
    let mut exchange = Exchange::new(Rc::new(connection), Rc::default());
    exchange.identify(Arc::new(identity));
    let mut request = Request {
        target: Target::new("/api/items/17?page=2"),
        ..Request::default()
    };
    request.headers.append("Host", "shop.test");
    let facts = Facts {
        request: &request,
        exchange: &exchange,
        client_ip: "127.0.0.1",
        now: 1_796_042_096,
        mcp: None,
    };
    for (name, text) in EXPRESSIONS {
        let program = Program::compile(text).expect("it compiles");
        assert_eq!(program.holds(&facts), Ok(true), "{text}");
        let ours = nanos(|| drop(black_box(program.holds(black_box(&facts)))));
        let theirs = reference(text, &claims);
        println!("{name:16} {ours:7.0} ns   crate cel {theirs:7.0} ns   {text}");
    }
    let rule = |name: &str, effect, expression: &str| PolicyRule {
        name: name.into(),
        effect: Some(effect),
        expression: expression.into(),
        ..PolicyRule::default()
    };
    let config = Config {
        rules: vec![
            rule("no-admin", Effect::Deny, "http.path.startsWith(\"/admin\")"),
            rule("a", Effect::Allow, EXPRESSIONS[2].1),
            rule("b", Effect::Allow, EXPRESSIONS[1].1),
        ],
        ..Config::default()
    };
    let policy = Policy::compile(&config).expect("it compiles");
    let decision = nanos(|| {
        black_box(policy.decide(black_box(&facts)).allowed);
    });
    println!("{:16} {decision:7.0} ns", "policy, 3 rules");
}

/// The crate's own evaluation, its variables made beforehand.
fn reference(text: &str, claims: &serde_json::Value) -> f64 {
    let program = cel::Program::compile(text).expect("it compiles");
    let mut context = Context::default();
    let http = json!({"method": "GET", "path": "/api/items/17"});
    let identity = json!({"groups": ["staff", "writers", "admins"]});
    for (name, value) in [("http", &http), ("identity", &identity), ("jwt", claims)] {
        let value = cel::to_value(value).expect("it is a value");
        context.add_variable_from_value(name, value);
    }
    nanos(|| drop(black_box(program.execute(black_box(&context)))))
}
