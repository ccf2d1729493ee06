//! E9: what can be learnt about users without a password.

use crate::world::gateway;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::{Duration, Instant};
use trilithon_testkit::{Gateway, Upstream};

/// `open.test` needs no password; everything else goes through middleware `m`.
fn guarded(middleware: &str) -> Gateway {
    let routing = format!(
        "
http:
  routers:
    open: {{rule: 'Host(`open.test`)', service: s}}
    all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [m]}}
  middlewares: {{m: {{{middleware}}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    );
    gateway()
        .file("empty", "# nobody\n")
        .routing(&routing)
        .upstream("b1", Upstream::echo())
        .ready("open.test", "/")
        .start()
}

fn basic(user: &str, password: &str) -> String {
    format!(
        "Authorization: Basic {}",
        STANDARD.encode(format!("{user}:{password}"))
    )
}

/// A slow hash (bcrypt) and a quick one (SHA-1), both of `pass`.
const USERS: &str = "'bc:$2y$08$abcdefghijklmnopqrstuuRoWJLWgs8UbjsfZLu9563G7Ldqy2ZDC', 'sha:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ='";

/// The middle one of several times that each of `users` waits for a refusal, asked in turns.
fn waits<const N: usize>(gateway: &Gateway, users: [&str; N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..9 {
        for (user, times) in users.iter().zip(&mut times) {
            // Checks of equal credentials that arrive together run once: none are equal here.
            let line = basic(user, &format!("wrong{round}"));
            let began = Instant::now();
            assert_eq!(gateway.get_with("a.test", "/", &[&line]).status, 401, "{user}");
            times.push(began.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

/// A name that nobody has, and one with a quick hash, are refused as late as one with a slow hash. Without that the times lie
/// twenty-fold apart; what is asked here leaves room for a busy machine.
#[test]
fn e09_the_time_of_a_refusal_names_nobody() {
    let gateway = guarded(&format!("basicAuth: {{users: [{USERS}]}}"));
    assert_eq!(
        gateway.get_with("a.test", "/", &[&basic("sha", "pass")]).status,
        200
    );
    assert_eq!(
        gateway.get_with("a.test", "/", &[&basic("bc", "pass")]).status,
        200
    );
    let [slow, quick, nobody] = waits(&gateway, ["bc", "sha", "nobody"]);
    for (who, time) in [("a quick hash", quick), ("nobody", nobody)] {
        assert!(
            time < slow * 3 && slow < time * 3,
            "{who}: {time:?}, a slow hash: {slow:?}"
        );
    }
}

/// All of a refusal but what is new in each.
fn refusal(gateway: &Gateway, lines: &[&str]) -> Vec<u8> {
    let answer = gateway.get_with("a.test", "/", lines);
    assert_eq!(answer.status, 401);
    let mut text = String::from_utf8(answer.head).expect("text");
    for start in ["Date: ", "nonce=\""] {
        if let Some(at) = text.find(start) {
            let from = at + start.len();
            let end = text[from..].find(['"', '\r']).expect("an end");
            text.replace_range(from..from + end, "");
        }
    }
    [text.into_bytes(), answer.body].concat()
}

#[test]
fn e09_refusals_read_alike() {
    let gateway = guarded(&format!("basicAuth: {{users: [{USERS}]}}"));
    let want = refusal(&gateway, &[]);
    for line in [
        basic("bc", "no"),
        basic("sha", "no"),
        basic("nobody", "no"),
        basic("", ""),
        "Authorization: Basic !".into(),
    ] {
        assert_eq!(refusal(&gateway, &[&line]), want, "{line}");
    }
    let gateway = guarded("digestAuth: {users: ['me:traefik:0123456789abcdef0123456789abcdef']}");
    let want = refusal(&gateway, &[]);
    for user in ["me", "nobody", ""] {
        let line = format!(
            "Authorization: Digest username=\"{user}\", realm=\"traefik\", nonce=\"x\", uri=\"/\", qop=auth, nc=00000001, cnonce=\"y\", response=\"z\""
        );
        assert_eq!(refusal(&gateway, &[&line]), want, "{user}");
    }
}

/// Nobody may come in where nobody is listed: the router without users is not served at all, or refuses everybody.
#[test]
fn e09_no_users_let_nobody_in() {
    for (middleware, want) in [
        ("basicAuth: {users: []}", 404),
        ("basicAuth: {usersFile: '@DIR@/none'}", 404),
        ("basicAuth: {usersFile: '@DIR@/empty'}", 404),
        ("digestAuth: {users: []}", 401),
        ("digestAuth: {usersFile: '@DIR@/empty'}", 401),
        (
            "digestAuth: {users: ['me:elsewhere:0123456789abcdef0123456789abcdef']}",
            401,
        ),
    ] {
        let gateway = guarded(middleware);
        let served = gateway.upstream("b1").requests();
        for lines in [vec![], vec![basic("me", "")], vec![basic("", "")]] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(
                gateway.get_with("a.test", "/", &lines).status,
                want,
                "{middleware}"
            );
        }
        assert_eq!(gateway.upstream("b1").requests(), served, "{middleware}");
        let status = gateway.api("/api/http/routers/all@file")["status"].clone();
        assert_eq!(
            status,
            if want == 404 { "disabled" } else { "enabled" },
            "{middleware}"
        );
    }
}
