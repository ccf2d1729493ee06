//! `apiKey`: asks for a key that fits one of the given hashes.
//!
//! A key that fits a slow hash (bcrypt, MD5-crypt) is looked at once and then remembered for a while by a keyed hash of
//! this process; so is one that fits none. The key goes on to the server as the client sent it, as in Traefik Hub.

use super::credentials;
use super::htpasswd::Hash;
use super::identity;
use super::remembered::{self, Print, Remembered};
use super::slow_checks::SlowChecks;
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;
use std::sync::Arc;
use trilithon_flow::limits::{API_KEY_SECONDS, MAX_API_KEY, REFUSED_KEY_SECONDS, REMEMBERED};
use trilithon_flow::{Build, BuildError, Credential, Exchange, Identity, Next, Reply, Request, Step, Wrap};
use trilithon_model::Secret;
use trilithon_model::dynamic::http::{ApiKey as Config, KeySource};

/// Builds the middleware. Keys that were verified stay so over reloads that leave it as it is.
///
/// # Errors
/// No place or no hash, and a hash that is none.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let source = config.key_source.clone().unwrap_or_default();
    if source.header.is_empty() && source.query.is_empty() && source.cookie.is_empty() {
        let help = "write `keySource.header`, `keySource.query` or `keySource.cookie`";
        return Err(BuildError::new("`apiKey` does not say where the key is").help(help));
    }
    if config.secret_values.is_empty() {
        let help = "write a hash for each key, as `htpasswd -nB name` prints it";
        return Err(BuildError::new("`apiKey` has no `secretValues`: nobody could pass").help(help));
    }
    let mut owners = config
        .secret_values
        .iter()
        .map(Owner::of)
        .collect::<Result<Vec<_>, _>>()?;
    owners.sort_by_key(|owner| owner.hash.cost());
    let scheme = match source.header_auth_scheme.as_str() {
        "" => "ApiKey",
        scheme => scheme,
    };
    Ok(Step::wrap(ApiKey {
        challenge: format!("{scheme} realm=\"trilithon\"").into(),
        source,
        is_plain: config.secret_non_base64_encoded,
        owners: owners.into(),
        state: cx.keep.get(&cx.state_name(), config, State::new),
    }))
}

/// Whose key it is, and its hash.
struct Owner {
    name: Option<Arc<str>>,
    hash: Hash,
}

impl Owner {
    fn of(line: &Secret) -> Result<Owner, BuildError> {
        let text = line.expose();
        if text.starts_with("urn:") {
            let help = "write the hash itself";
            return Err(
                BuildError::new("`secretValues` names a secret store, and none is built yet").help(help),
            );
        }
        let (name, hash) = match text.split_once(':') {
            Some((name, hash)) if !name.is_empty() => (Some(name.into()), hash),
            _ => (None, text),
        };
        match Hash::of(hash) {
            // The text may be a key: it is not shown.
            Hash::Never => Err(BuildError::new("one of `secretValues` is no hash")
                .help("accepted are bcrypt (`$2y$…`), MD5 (`$apr1$…`) and SHA-1 (`{SHA}…`), each with `name:` before it or not")),
            hash => Ok(Owner { name, hash }),
        }
    }
}

struct ApiKey {
    source: KeySource,
    /// Clients send keys as they are, not in Base64.
    is_plain: bool,
    /// The cheapest hash first.
    owners: Arc<[Owner]>,
    challenge: Box<str>,
    state: Arc<State>,
}

/// What outlives a reload.
struct State {
    good: Remembered<Arc<Identity>>,
    /// Keys that no slow hash fits. Apart from the good ones, so that nobody can push those out by guessing.
    bad: Remembered<()>,
    checks: SlowChecks<Option<usize>>,
}

impl State {
    fn new() -> State {
        State {
            good: Remembered::new(REMEMBERED),
            bad: Remembered::new(REMEMBERED / 4),
            checks: SlowChecks::default(),
        }
    }
}

/// Base64 with or without padding, in the standard alphabet.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

impl ApiKey {
    /// The key as the client sent it.
    fn sent<'a>(&'a self, req: &'a Request) -> Option<Cow<'a, [u8]>> {
        let KeySource {
            header,
            header_auth_scheme: scheme,
            query,
            cookie,
        } = &self.source;
        let named = |name: &str| !name.is_empty();
        let in_header = || credentials::in_header(&req.headers, header, scheme).filter(|_| named(header));
        let in_query = || credentials::in_query(req, query).filter(|_| named(query));
        let in_cookie = || credentials::in_cookie(&req.headers, cookie).filter(|_| named(cookie));
        in_header()
            .map(Cow::Borrowed)
            .or_else(|| in_query().map(Cow::Owned))
            .or_else(|| in_cookie().map(Cow::Borrowed))
    }

    /// Whose key it is; nothing if nobody's.
    async fn owner(&self, sent: &[u8]) -> Option<Arc<Identity>> {
        if sent.len() > MAX_API_KEY {
            return None;
        }
        let (print, now) = (remembered::print(sent), remembered::now());
        if let Some(identity) = self.state.good.get(&print, now) {
            return Some(identity);
        }
        if self.state.bad.get(&print, now).is_some() {
            return None;
        }
        let key = if self.is_plain {
            sent.to_vec()
        } else {
            BASE64.decode(sent).ok()?
        };
        let found = self.find(&key, print, now).await?;
        let identity = Arc::new(identify(&self.owners[found], &key));
        self.state
            .good
            .put(print, identity.clone(), now, now + API_KEY_SECONDS);
        Some(identity)
    }

    /// The position of the hash that `key` fits.
    async fn find(&self, key: &[u8], print: Print, now: u64) -> Option<usize> {
        let quick = self.owners.partition_point(|owner| owner.hash.cost() <= 1);
        if let Some(at) = self.owners[..quick].iter().position(|o| o.hash.matches(key)) {
            return Some(at);
        }
        if quick == self.owners.len() {
            return None;
        }
        let (owners, copy) = (self.owners.clone(), key.to_vec());
        let slow = move || {
            let mut slow = owners.iter().enumerate().skip(quick);
            slow.find(|(_, owner)| owner.hash.matches(&copy))
                .map(|(at, _)| at)
        };
        let found = self.state.checks.run(print.to_vec(), slow).await;
        if found.is_none() {
            self.state.bad.put(print, (), now, now + REFUSED_KEY_SECONDS);
        }
        found
    }
}

fn identify(owner: &Owner, key: &[u8]) -> Identity {
    let id = identity::credential_id(key);
    let subject = owner.name.clone().unwrap_or_else(|| id.clone());
    Identity {
        credential_id: id,
        ..Identity::new(Credential::ApiKey, subject)
    }
}

impl Wrap for ApiKey {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            let owner = match self.sent(&req) {
                Some(sent) => self.owner(&sent).await,
                None => None,
            };
            let Some(identity) = owner else {
                return identity::unauthorized(&self.challenge);
            };
            cx.identify(identity);
            next.run(req, cx).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::Bench;
    use super::super::testing;
    use super::*;
    use trilithon_flow::{Chain, Response};

    const SHA: &str = "sha:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=";
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6";
    const APR: &str = "apr:$apr1$abcdefgh$rK/lObuciIG5ziaV8BdHR/";

    fn config(secrets: &[&str]) -> Config {
        Config {
            key_source: Some(KeySource {
                header: "X-Key".to_owned(),
                ..KeySource::default()
            }),
            secret_non_base64_encoded: true,
            secret_values: secrets.iter().map(|s| Secret::from(*s)).collect(),
        }
    }

    fn bench(config: &Config) -> (Bench, Chain) {
        let mut bench = Bench::new(|_| Response::new(200));
        let chain = bench.around(|cx| build(config, cx));
        (bench, chain)
    }

    #[test]
    fn who_passes() {
        let check = |secrets: &[&str], key: &str, want: Option<&str>| {
            let (bench, chain) = bench(&config(secrets));
            for _ in 0..2 {
                let out = bench.send(&chain, testing::get("/", &[("X-Key", key)]));
                let subject = out.record.identity.map(|i| i.subject.to_string());
                assert_eq!(subject.as_deref(), want, "{secrets:?} {key}");
                assert_eq!(out.status, if want.is_some() { 200 } else { 401 });
            }
        };
        check(&[SHA], "pass", Some("sha"));
        check(&[APR], "pass", Some("apr"));
        check(&[BCRYPT], "pass", Some("d74ff0ee8da3b980"));
        check(&[APR, SHA], "pass", Some("sha"));
        check(&[SHA, BCRYPT, APR], "no", None);
        check(&[SHA], "", None);
        check(&[SHA], "Pass", None);
        check(&[SHA], "cGFzcw==", None);
    }

    #[test]
    fn where_the_key_is() {
        let all = Config {
            key_source: Some(KeySource {
                header: "Authorization".to_owned(),
                header_auth_scheme: "Bearer".to_owned(),
                query: "key".to_owned(),
                cookie: "key".to_owned(),
            }),
            ..config(&[SHA])
        };
        let encoded = Config {
            secret_non_base64_encoded: false,
            ..all.clone()
        };
        let check = |config: &Config, target: &str, headers: &[(&str, &str)], want: u16| {
            let (bench, chain) = bench(config);
            let out = bench.send(&chain, testing::get(target, headers));
            assert_eq!(out.status, want, "{target} {headers:?}");
        };
        check(&all, "/", &[("Authorization", "bearer pass")], 200);
        check(&all, "/", &[("Authorization", "pass")], 401);
        check(&all, "/?key=pass", &[], 200);
        check(&all, "/", &[("Cookie", "a=b; key=pass")], 200);
        check(&all, "/?key=pass", &[("Authorization", "Bearer no")], 401);
        let twice = [("Authorization", "Bearer no"), ("Authorization", "Bearer pass")];
        check(&all, "/", &twice, 401);
        check(&encoded, "/", &[("Authorization", "Bearer cGFzcw==")], 200);
        check(&encoded, "/?key=cGFzcw", &[], 200);
        check(&encoded, "/", &[("Authorization", "Bearer pass")], 401);
        check(&encoded, "/", &[("Authorization", "Bearer !")], 401);
    }

    #[test]
    fn the_refusal_and_what_goes_on() {
        let (bench, chain) = bench(&config(&[SHA]));
        let out = bench.get(&chain, "/");
        assert_eq!(
            (out.text().as_str(), out.header("www-authenticate")),
            ("401 Unauthorized\n", Some("ApiKey realm=\"trilithon\""))
        );
        let out = bench.send(&chain, testing::get("/", &[("X-Key", "pass")]));
        let identity = out.record.identity.expect("somebody");
        assert_eq!(identity.credential, Credential::ApiKey);
        assert_eq!(&*identity.credential_id, "d74ff0ee8da3b980");
        assert_eq!(bench.last().header("x-key"), Some("pass"), "as in Traefik Hub");
    }

    #[test]
    fn a_key_is_checked_once() {
        let mut bench = Bench::new(|_| Response::new(200));
        let mut step = None;
        bench.build(|cx| {
            let state = cx
                .keep
                .get::<State>(&cx.state_name(), &config(&[BCRYPT]), State::new);
            step = Some((build(&config(&[BCRYPT]), cx).expect("built"), state));
        });
        let (step, state) = step.expect("built");
        let chain = bench.chain(vec![step]);
        let key = |key: &str| bench.send(&chain, testing::get("/", &[("X-Key", key)])).status;
        assert_eq!((key("pass"), key("no")), (200, 401));
        let now = remembered::now();
        let (good, bad) = (remembered::print(b"pass"), remembered::print(b"no"));
        assert!(state.good.get(&good, now).is_some() && state.bad.get(&bad, now).is_some());
        assert!(state.good.get(&bad, now).is_none() && state.bad.get(&good, now).is_none());
        assert!(
            state.good.get(&good, now + 2 * API_KEY_SECONDS).is_none(),
            "for a while"
        );
    }

    #[test]
    fn what_cannot_be_built() {
        let check =
            |config: Config, want: &str| assert_eq!(testing::build_error(|cx| build(&config, cx)), want);
        check(Config::default(), "`apiKey` does not say where the key is");
        check(config(&[]), "`apiKey` has no `secretValues`: nobody could pass");
        check(config(&["top-secret"]), "one of `secretValues` is no hash");
        check(config(&["a:top-secret"]), "one of `secretValues` is no hash");
        let urn = "urn:k8s:secret:keys:one";
        check(
            config(&[SHA, urn]),
            "`secretValues` names a secret store, and none is built yet",
        );
    }
}
