//! `digestAuth`: asks for a name and password without the password being sent (RFC 7616 with MD5 and `qop=auth`).
//!
//! Not a defence against somebody who can read the traffic: MD5 is what Traefik's users have in their files.

mod nonces;

use self::nonces::{Nonces, Use};
use super::{htpasswd, identity};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use md5::{Digest, Md5};
use std::collections::HashMap;
use std::sync::Arc;
use trilithon_flow::{
    Build, BuildError, Credential, Edit, Exchange, Identity, Known, Request, Response, Step, target,
};
use trilithon_model::Secret;
use trilithon_model::dynamic::http::DigestAuth as Config;

/// Builds the middleware. Without users it refuses everybody. Known nonces are kept over reloads that leave it as it is.
///
/// # Errors
/// A file that cannot be read, and a line that is not `name:realm:hash`.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let realm = if config.realm.is_empty() {
        "traefik"
    } else {
        &config.realm
    };
    let mut users = HashMap::new();
    for line in htpasswd::lines(&config.users, &config.users_file)? {
        let (name, of, hash) = user(&line)?;
        if of == realm {
            let identity = Identity::new(Credential::Digest, &*name);
            users.insert(name, (hash, Arc::new(identity)));
        }
    }
    Ok(Step::edit(DigestAuth {
        users,
        nonces: cx.keep.get(&cx.state_name(), config, Nonces::new),
        realm: realm.into(),
        remove_header: config.remove_header,
        header_field: Some(config.header_field.as_str())
            .filter(|h| !h.is_empty())
            .map(Into::into),
    }))
}

/// MD5 of `name:realm:password` in hexadecimal: what RFC 7616 calls A1, hashed.
type Ha1 = Secret;

fn user(line: &Secret) -> Result<(Box<str>, &str, Ha1), BuildError> {
    match line.expose().split(':').collect::<Vec<_>>()[..] {
        [name, realm, hash] => Ok((name.into(), realm, Secret::from(hash))),
        _ => Err(
            BuildError::new(format!("error parsing DigestUser: {}", line.expose()))
                .help("write `name:realm:hash`, as `htdigest` does"),
        ),
    }
}

struct DigestAuth {
    /// Users of this realm.
    users: HashMap<Box<str>, (Ha1, Arc<Identity>)>,
    nonces: Arc<Nonces>,
    realm: Box<str>,
    remove_header: bool,
    header_field: Option<Box<str>>,
}

/// What is wrong with an answer to a challenge.
enum Refused {
    No,
    /// Right, but for a count that was used already: the client may try again with a new nonce and need not ask its user.
    Stale,
}

impl DigestAuth {
    fn check(&self, req: &Request, given: &Parameters) -> Result<(), Refused> {
        let algorithm = given.find("algorithm").unwrap_or("MD5");
        if given.get("opaque") != self.nonces.opaque() || algorithm != "MD5" || given.get("qop") != "auth" {
            return Err(Refused::No);
        }
        if !uri_fits(given.get("uri"), req) {
            return Err(Refused::No);
        }
        self.check_response(req, given)?;
        let count = u64::from_str_radix(given.get("nc"), 16).map_err(|_| Refused::No)?;
        match self.nonces.using(given.get("nonce"), count) {
            Use::Good => Ok(()),
            Use::Lower => Err(Refused::Stale),
            Use::Again | Use::Unknown => Err(Refused::No),
        }
    }

    /// An unknown user is compared with nonsense, for the time it takes, and refused whatever comes out.
    fn check_response(&self, req: &Request, given: &Parameters) -> Result<(), Refused> {
        let known = self
            .users
            .get(given.get("username"))
            .map(|(ha1, _)| ha1)
            .filter(|ha1| !ha1.is_empty());
        let ha1 = known.map_or("0123456789abcdef0123456789abcdef", Secret::expose);
        let ha2 = hash(&[req.method.as_str(), given.get("uri")]);
        let parts = [
            ha1,
            given.get("nonce"),
            given.get("nc"),
            given.get("cnonce"),
            given.get("qop"),
            &ha2,
        ];
        let right =
            verify_slices_are_equal(hash(&parts).as_bytes(), given.get("response").as_bytes()).is_ok();
        if right && known.is_some() {
            Ok(())
        } else {
            Err(Refused::No)
        }
    }

    fn challenge(&self, refused: &Refused) -> Response {
        let stale = match refused {
            Refused::No => "",
            Refused::Stale => ", stale=\"true\"",
        };
        identity::unauthorized(&format!(
            "Digest realm=\"{}\", nonce=\"{}\", opaque=\"{}\", algorithm=\"MD5\", qop=\"auth\"{stale}",
            self.realm,
            self.nonces.issue(),
            self.nonces.opaque(),
        ))
    }
}

/// The parts joined by colons, hashed, in hexadecimal.
fn hash(parts: &[&str]) -> String {
    let sum = Md5::digest(parts.join(":"));
    sum.iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|d| char::from_digit(u32::from(d), 16))
        .collect()
}

/// Whether the target that the client hashed is the one it asks for, or a beginning of its path.
fn uri_fits(uri: &str, req: &Request) -> bool {
    if uri == req.target.as_str() {
        return true;
    }
    let path = uri.find(['?', '#']).map_or(uri, |at| &uri[..at]);
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => path,
    };
    req.target.decoded_path().starts_with(&target::decode(path))
}

/// The parameters of an `Authorization: Digest` header.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(req: &Request) -> Option<Parameters> {
        let value = std::str::from_utf8(req.headers.known(Known::Authorization)?).ok()?;
        let mut rest = value.strip_prefix("Digest ")?;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (item, after) = rest.split_at(item_end(rest));
            rest = after.strip_prefix(',').unwrap_or(after);
            if let Some((name, value)) = item.trim().split_once('=') {
                found.push((name.to_owned(), unquote(value)));
            }
        }
        Some(Parameters(found))
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The parameter, empty when it is not there.
    fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }
}

/// Where the first item of a list ends: at a comma outside of quotes.
fn item_end(list: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    list.len()
}

fn unquote(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    inner.chars().filter(keep).collect()
}

impl Edit for DigestAuth {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let Some(given) = Parameters::of(req) else {
            return Err(self.challenge(&Refused::No));
        };
        let name = given.get("username");
        if !name.is_empty() {
            cx.record.user = Some(name.to_owned());
        }
        self.check(req, &given)
            .map_err(|refused| self.challenge(&refused))?;
        if let Some((_, identity)) = self.users.get(name) {
            cx.identify(identity.clone());
        }
        if let Some(header) = &self.header_field {
            identity::set(&mut req.headers, header, name);
        }
        if self.remove_header {
            req.headers.remove_known(Known::Authorization);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{Bench, Outcome};
    use super::super::testing;
    use super::*;
    use trilithon_flow::Chain;

    const DIG: &str = "dig:traefik:5575836a6aeb8045911fc43726f401c3";

    fn config(users: &[&str]) -> Config {
        Config {
            users: users.iter().map(|u| Secret::from(*u)).collect(),
            ..Config::default()
        }
    }

    struct Client {
        bench: Bench,
        chain: Chain,
        challenge: Vec<(String, String)>,
    }

    impl Client {
        fn new(config: &Config) -> Client {
            let mut bench = Bench::new(|_| Response::new(200));
            let chain = bench.around(|cx| build(config, cx));
            let mut client = Client {
                bench,
                chain,
                challenge: Vec::new(),
            };
            client.challenge = client.challenged(&client.bench.get(&client.chain, "/"));
            client
        }

        fn challenged(&self, out: &Outcome) -> Vec<(String, String)> {
            assert_eq!(out.status, 401);
            let value = out.header("www-authenticate").expect("a challenge").to_owned();
            Parameters::of(&testing::get("/", &[("Authorization", &value)]))
                .expect("Digest")
                .0
        }

        /// The status of an answer; `edit` changes the parameters, `ha1` is what the client knows.
        fn answer(
            &self,
            method: &str,
            path: &str,
            nc: u32,
            ha1: &str,
            edit: &[(&str, Option<&str>)],
        ) -> Outcome {
            let mut p: Vec<(String, String)> = self.challenge.clone();
            let uri = if path == "/pre/x" { "/x" } else { path };
            for (name, value) in [
                ("username", "dig"),
                ("uri", uri),
                ("nc", &format!("{nc:08x}")),
                ("cnonce", "c0"),
            ] {
                p.push((name.to_owned(), value.to_owned()));
            }
            for (name, value) in edit {
                p.retain(|(n, _)| n != name);
                p.extend(value.map(|v| ((*name).to_owned(), v.to_owned())));
            }
            let get = |name: &str| p.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
            let ha2 = hash(&[method, get("uri")]);
            let response = hash(&[ha1, get("nonce"), get("nc"), get("cnonce"), get("qop"), &ha2]);
            let list: Vec<String> = p.iter().map(|(n, v)| format!("{n}=\"{v}\"")).collect();
            let line = format!("Digest {}, response=\"{response}\"", list.join(", "));
            self.bench.send(
                &self.chain,
                testing::request(method, path, &[("Authorization", &line), ("X_User", "root")]),
            )
        }

        fn statuses(&self, ncs: &[u32]) -> Vec<(u16, bool)> {
            let one = |nc: &u32| {
                let out = self.answer("GET", "/", *nc, HA1, &[]);
                let stale = out
                    .header("www-authenticate")
                    .is_some_and(|c| c.ends_with(", stale=\"true\""));
                (out.status, stale)
            };
            ncs.iter().map(one).collect()
        }
    }

    const HA1: &str = "5575836a6aeb8045911fc43726f401c3";

    #[test]
    fn the_challenge() {
        let client = Client::new(&config(&[DIG]));
        let out = client.bench.get(&client.chain, "/");
        assert_eq!(
            (out.text().as_str(), out.header("content-type")),
            ("401 Unauthorized\n", Some("text/plain"))
        );
        let again = client.challenged(&out);
        let names: Vec<_> = again.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["realm", "nonce", "opaque", "algorithm", "qop"]);
        assert_eq!(again[2], client.challenge[2], "one opaque");
        assert_ne!(again[1], client.challenge[1], "a new nonce each time");
        assert_eq!((again[1].1.len(), again[2].1.len()), (16, 16));
        assert_eq!(out.record.user, None);
    }

    #[test]
    fn answers() {
        let client = Client::new(&config(&[
            DIG,
            "empty:traefik:",
            "dig:other:00000000000000000000000000000000",
        ]));
        let nc = std::cell::Cell::new(0);
        let check = |ha1: &str, path: &str, edit: &[(&str, Option<&str>)], want: u16| {
            nc.set(nc.get() + 1);
            assert_eq!(
                client.answer("POST", path, nc.get(), ha1, edit).status,
                want,
                "{path} {edit:?}"
            );
        };
        check(HA1, "/x?q=1", &[], 200);
        check("00000000000000000000000000000000", "/", &[], 401);
        check("", "/", &[], 401);
        check("", "/", &[("username", Some("ghost"))], 401);
        check(
            "0123456789abcdef0123456789abcdef",
            "/",
            &[("username", Some("ghost"))],
            401,
        );
        check("", "/", &[("username", Some("empty"))], 401);
        for (name, value) in [
            ("opaque", "x"),
            ("algorithm", "SHA-256"),
            ("qop", "auth-int"),
            ("nonce", "AAAAAAAAAAAAAAAA"),
        ] {
            check(HA1, "/", &[(name, Some(value))], 401);
        }
        for (name, want) in [
            ("algorithm", 200),
            ("realm", 200),
            ("opaque", 401),
            ("qop", 401),
            ("nc", 401),
            ("username", 401),
        ] {
            check(HA1, "/", &[(name, None)], want);
        }
        for (uri, want) in [
            ("/a/b?q=1", 200),
            ("/a/b", 200),
            ("/a/c", 401),
            ("/a/b/c", 401),
            ("/other", 401),
        ] {
            check(HA1, "/a/b?q=1", &[("uri", Some(uri))], want);
        }
        check(HA1, "/pre/x", &[], 401);
        check(HA1, "/pre/x", &[("uri", Some("/pre/x"))], 200);
    }

    #[test]
    fn counts_rise() {
        let check = |ncs: &[u32], want: &[(u16, bool)]| {
            assert_eq!(Client::new(&config(&[DIG])).statuses(ncs), want, "{ncs:?}");
        };
        check(&[1, 2, 3, 7], &[(200, false); 4]);
        check(&[1, 1, 2], &[(200, false), (401, false), (200, false)]);
        check(&[5, 3, 6], &[(200, false), (401, true), (200, false)]);
    }

    #[test]
    fn what_the_server_sees() {
        let config = Config {
            header_field: "X-User".to_owned(),
            remove_header: true,
            ..config(&[DIG])
        };
        let client = Client::new(&config);
        let out = client.answer("GET", "/", 1, HA1, &[]);
        assert_eq!((out.status, out.record.user.as_deref()), (200, Some("dig")));
        let identity = out.record.identity.expect("somebody");
        assert_eq!(
            (identity.credential, &*identity.subject),
            (Credential::Digest, "dig")
        );
        assert_eq!(testing::lines(&client.bench.last().headers), ["X-User: dig"]);
        let refused = client.answer("GET", "/", 2, "wrong", &[]);
        assert_eq!(
            (refused.status, refused.record.user.as_deref()),
            (401, Some("dig"))
        );
    }

    #[test]
    fn realms_and_no_users() {
        let mine = Config {
            realm: "my realm".to_owned(),
            ..config(&[DIG, "dig:my realm:4c52c67f9e86e2ea1d80e0b037766db5"])
        };
        let client = Client::new(&mine);
        assert_eq!(
            client
                .answer("GET", "/", 1, "4c52c67f9e86e2ea1d80e0b037766db5", &[])
                .status,
            200
        );
        assert_eq!(client.answer("GET", "/", 2, HA1, &[]).status, 401);
        assert_eq!(
            Client::new(&Config::default())
                .answer("GET", "/", 1, HA1, &[])
                .status,
            401
        );
        let bad = config(&["dig:5575836a6aeb8045911fc43726f401c3"]);
        assert_eq!(
            testing::build_error(|cx| build(&bad, cx)),
            "error parsing DigestUser: dig:5575836a6aeb8045911fc43726f401c3"
        );
    }

    #[test]
    fn quoted_lists() {
        let check = |line: &str, want: &[(&str, &str)]| {
            let found = Parameters::of(&testing::get("/", &[("Authorization", line)]))
                .expect("Digest")
                .0;
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, want);
        };
        check(
            "Digest a=1, b=\"x, y\",c=\"q\\\"\\\\\" , d",
            &[("a", "1"), ("b", "x, y"), ("c", "q\"\\")],
        );
        check("Digest ,,a=\"\\", &[("a", "\"\\")]);
    }
}
