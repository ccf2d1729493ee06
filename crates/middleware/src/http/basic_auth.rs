//! `basicAuth`: asks for a name and password (RFC 7617).
//!
//! Slow hashes are checked beside the workers. No result is kept, because a table of good passwords in memory is worth more
//! to a thief than the time it saves.

use super::htpasswd::{self, Users};
use super::identity;
use super::slow_checks::SlowChecks;
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::sync::Arc;
use trilithon_flow::{Build, BuildError, Exchange, Headers, Known, Next, Reply, Request, Step, Wrap};
use trilithon_model::dynamic::http::BasicAuth as Config;

/// Builds the middleware.
///
/// # Errors
/// A file that cannot be read, a line that is not `name:hash`, and no user at all.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let lines = htpasswd::lines(&config.users, &config.users_file)?;
    let users = Users::parse(&lines)?
        .ok_or_else(|| BuildError::new(format!("no users found in {}", config.users_file)))?;
    let realm = if config.realm.is_empty() {
        "traefik"
    } else {
        &config.realm
    };
    Ok(Step::wrap(BasicAuth {
        users: Arc::new(users),
        checks: SlowChecks::default(),
        challenge: format!("Basic realm=\"{realm}\"").into(),
        remove_header: config.remove_header,
        header_field: Some(config.header_field.as_str())
            .filter(|h| !h.is_empty())
            .map(Into::into),
    }))
}

struct BasicAuth {
    users: Arc<Users>,
    checks: SlowChecks<bool>,
    challenge: Box<str>,
    remove_header: bool,
    header_field: Option<Box<str>>,
}

/// A name and a password as the client sent them.
struct Credentials {
    name: String,
    password: Vec<u8>,
}

/// Standard base64 as Go reads it: padding is required, unused bits are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

impl Credentials {
    fn of(headers: &Headers) -> Option<Credentials> {
        let value = headers.known(Known::Authorization)?;
        let (scheme, text) = value.split_at_checked("Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let mut name = BASE64.decode(text).ok()?;
        let colon = name.iter().position(|b| *b == b':')?;
        let password = name.split_off(colon + 1);
        name.pop();
        Some(Credentials {
            name: String::from_utf8_lossy(&name).into_owned(),
            password,
        })
    }

    fn key(&self) -> Vec<u8> {
        [self.name.as_bytes(), b":", &self.password].concat()
    }
}

impl BasicAuth {
    async fn accepts(&self, given: &Credentials) -> bool {
        if !self.users.is_slow() {
            return self.users.verify(&given.name, &given.password);
        }
        let users = self.users.clone();
        let (name, password) = (given.name.clone(), given.password.clone());
        let check = move || users.verify(&name, &password);
        self.checks.run(given.key(), check).await
    }
}

impl Wrap for BasicAuth {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let given = Credentials::of(&req.headers);
            let accepted = match &given {
                Some(given) => self.accepts(given).await,
                None => false,
            };
            let name = given.map(|g| g.name).unwrap_or_default();
            if accepted {
                if let Some(identity) = self.users.identity(&name) {
                    cx.identify(identity.clone());
                }
                if let Some(header) = &self.header_field {
                    identity::set(&mut req.headers, header, &name);
                }
                if self.remove_header {
                    req.headers.remove_known(Known::Authorization);
                }
            }
            cx.record.user = Some(name);
            if accepted {
                next.run(req, cx).await
            } else {
                identity::unauthorized(&self.challenge)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{self, Bench, Outcome};
    use super::super::testing;
    use super::*;
    use trilithon_flow::{Chain, Credential, Response};
    use trilithon_model::Secret;

    const SHA: &str = "sha:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=";
    const BCRYPT: &str = "bc:$2y$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6";

    fn config(users: &[&str]) -> Config {
        Config {
            users: users.iter().map(|u| Secret::from(*u)).collect(),
            ..Config::default()
        }
    }

    fn bench(config: &Config) -> (Bench, Chain) {
        let mut bench = Bench::new(|_| Response::new(200));
        let chain = bench.around(|cx| build(config, cx));
        (bench, chain)
    }

    fn send(config: &Config, headers: &[(&str, &str)]) -> (Outcome, kit::Asked) {
        let (bench, chain) = bench(config);
        let out = bench.send(&chain, testing::get("/", headers));
        (out, bench.last())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn who_passes() {
        let check = |authorization: &str, want: u16, user: &str| {
            let (out, _) = send(&config(&[SHA, BCRYPT]), &[("Authorization", authorization)]);
            assert_eq!(
                (out.status, out.record.user.as_deref()),
                (want, Some(user)),
                "{authorization}"
            );
        };
        check(&basic("sha:pass"), 200, "sha");
        check(&basic("bc:pass"), 200, "bc");
        check(&basic("bc:no"), 401, "bc");
        check(&basic("sha:pas"), 401, "sha");
        check(&basic("SHA:pass"), 401, "SHA");
        check(&basic("ghost:pass"), 401, "ghost");
        check(&basic(":pass"), 401, "");
        check(&basic("sha:pass:"), 401, "sha");
        check(&basic("sha"), 401, "");
        check(&basic("sha:pass").replace("Basic", "bASIC"), 200, "sha");
        check(&basic("sha:pass").replace("Basic", "Bearer"), 401, "");
        check(&basic("sha:pass").replace("Basic ", "Basic  "), 401, "");
        for garbage in ["", "Basic", "Basic ", "Basic !!!", "c2hhOnBhc3M="] {
            check(garbage, 401, "");
        }
    }

    #[test]
    fn the_challenge() {
        let (out, _) = send(&config(&[SHA]), &[]);
        assert_eq!((out.status, out.text().as_str()), (401, "401 Unauthorized\n"));
        assert_eq!(
            testing::lines(&out.headers),
            [
                "Content-Type: text/plain",
                "Www-Authenticate: Basic realm=\"traefik\""
            ]
        );
        let named = Config {
            realm: "My own realm".to_owned(),
            ..config(&[SHA])
        };
        assert_eq!(
            send(&named, &[]).0.header("www-authenticate"),
            Some("Basic realm=\"My own realm\"")
        );
    }

    #[test]
    fn what_the_server_sees() {
        let sent = [
            ("Authorization", &*basic("sha:pass")),
            ("X-User", "root"),
            ("X_User", "root"),
        ];
        let check =
            |config: &Config, want: &[&str]| assert_eq!(testing::lines(&send(config, &sent).1.headers), want);
        let authorization = "Authorization: Basic c2hhOnBhc3M=";
        check(&config(&[SHA]), &[authorization, "X-User: root", "X_user: root"]);
        let field = Config {
            header_field: "X-User".to_owned(),
            ..config(&[SHA])
        };
        check(&field, &[authorization, "X-User: sha"]);
        check(
            &Config {
                header_field: "x-user".to_owned(),
                remove_header: true,
                ..field
            },
            &["x-user: sha"],
        );
    }

    #[test]
    fn who_it_is() {
        let (out, _) = send(&config(&[SHA]), &[("Authorization", &basic("sha:pass"))]);
        let identity = out.record.identity.expect("somebody");
        assert_eq!(
            (identity.credential, &*identity.subject),
            (Credential::Basic, "sha")
        );
        let (out, _) = send(&config(&[SHA]), &[("Authorization", &basic("sha:no"))]);
        assert_eq!(out.record.identity, None, "a name alone is nobody");
    }

    #[test]
    fn what_cannot_be_built() {
        let check =
            |config: Config, want: &str| assert_eq!(testing::build_error(|cx| build(&config, cx)), want);
        check(Config::default(), "no users found in ");
        check(config(&["nocolon"]), "error parsing BasicUser: nocolon");
        let absent = Config {
            users_file: "/nonexistent".to_owned(),
            ..Config::default()
        };
        check(absent, "open /nonexistent: no such file or directory");
    }
}
