//! `basicAuth`: asks for a name and password (RFC 7617).
//!
//! bcrypt and MD5-crypt are made to be slow, so they run beside the workers, at most one for each core at a time. Equal
//! credentials that arrive together are checked once; no result is kept, because a table of good passwords in memory is
//! worth more to a thief than the time it saves.

use super::htpasswd::{self, Users};
use super::identity;
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::{OnceCell, Semaphore};
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
        flights: Flights::default(),
        challenge: format!("Basic realm=\"{realm}\"").into(),
        remove_header: config.remove_header,
        header_field: Some(config.header_field.as_str())
            .filter(|h| !h.is_empty())
            .map(Into::into),
    }))
}

struct BasicAuth {
    users: Arc<Users>,
    flights: Flights,
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
        if !self.users.is_slow(&given.name) {
            return self.users.verify(&given.name, &given.password);
        }
        let flight = self.flights.join(given.key());
        *flight
            .cell
            .get_or_init(|| slow_check(self.users.clone(), given))
            .await
    }
}

/// Checks that run at one time, over all workers.
static SLOW: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

async fn slow_check(users: Arc<Users>, given: &Credentials) -> bool {
    let _turn = SLOW.acquire().await;
    let (name, password) = (given.name.clone(), given.password.clone());
    tokio::task::spawn_blocking(move || users.verify(&name, &password))
        .await
        .unwrap_or(false)
}

/// Checks under way, by credentials.
#[derive(Default)]
struct Flights(Mutex<HashMap<Vec<u8>, Arc<OnceCell<bool>>>>);

/// One check, and who waits for it. The last one to leave removes it.
struct Flight<'a> {
    flights: &'a Flights,
    key: Vec<u8>,
    cell: Arc<OnceCell<bool>>,
}

impl Flights {
    fn join(&self, key: Vec<u8>) -> Flight<'_> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = flights.entry(key.clone()).or_default().clone();
        Flight {
            flights: self,
            key,
            cell,
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This one and the table's: whoever else waits holds another.
        if Arc::strong_count(&self.cell) == 2 {
            flights.remove(&self.key);
        }
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
    use trilithon_flow::{Chain, Response};
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
    fn equal_credentials_are_checked_once() {
        let flights = Flights::default();
        let (a, b) = (flights.join(b"x".to_vec()), flights.join(b"x".to_vec()));
        assert!(Arc::ptr_eq(&a.cell, &b.cell));
        drop(a);
        assert_eq!(flights.0.lock().unwrap().len(), 1, "somebody waits still");
        drop(b);
        assert_eq!(flights.0.lock().unwrap().len(), 0, "nothing is kept");
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
