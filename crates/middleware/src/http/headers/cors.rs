//! CORS (Fetch Standard §3.2): answers preflights without asking the server, and tells browsers on every other answer who may
//! read it. It refuses nobody: that is the browser's part.

use crate::http::regex_template;
use regex::bytes::Regex;
use trilithon_flow::{BuildError, Headers, Known, Method, Request, Response};
use trilithon_model::dynamic::http::Headers as Config;

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";
const ALLOW_HEADERS: &str = "Access-Control-Allow-Headers";
const ALLOW_METHODS: &str = "Access-Control-Allow-Methods";
const EXPOSE_HEADERS: &str = "Access-Control-Expose-Headers";
const REQUEST_HEADERS: &str = "Access-Control-Request-Headers";
const REQUEST_METHOD: &str = "Access-Control-Request-Method";
const MAX_AGE: &str = "Access-Control-Max-Age";

pub(super) struct Cors {
    credentials: bool,
    headers: Allowed,
    methods: Allowed,
    expose: Option<Box<str>>,
    max_age: Option<Box<str>>,
    origins: Vec<Box<str>>,
    origin_patterns: Vec<Regex>,
    vary: bool,
}

/// What a preflight is told.
enum Allowed {
    Unsaid,
    /// The option, joined.
    Listed(Box<str>),
    /// `*` means nothing beside credentials, so what was asked for is said back.
    AsAsked,
}

impl Cors {
    /// `None` when no option is about CORS.
    ///
    /// # Errors
    /// An origin pattern that is not a regular expression.
    pub(super) fn build(config: &Config) -> Result<Option<Cors>, BuildError> {
        let credentials = config.access_control_allow_credentials;
        let cors = Cors {
            credentials,
            headers: Allowed::of(&config.access_control_allow_headers, credentials),
            methods: Allowed::of(&config.access_control_allow_methods, credentials),
            expose: match Allowed::of(&config.access_control_expose_headers, credentials) {
                Allowed::Listed(list) => Some(list),
                // There is nothing asked for that could be said back.
                Allowed::AsAsked | Allowed::Unsaid => None,
            },
            max_age: config.access_control_max_age.map(|age| age.to_string().into()),
            origins: config
                .access_control_allow_origin_list
                .iter()
                .map(|o| o.as_str().into())
                .collect(),
            origin_patterns: patterns(&config.access_control_allow_origin_list_regex)?,
            vary: config.add_vary_header,
        };
        let expose_given = !config.access_control_expose_headers.is_empty();
        Ok((cors.says_anything() || expose_given).then_some(cors))
    }

    fn says_anything(&self) -> bool {
        let said = |a: &Allowed| !matches!(a, Allowed::Unsaid);
        self.credentials
            || self.vary
            || self.max_age.is_some()
            || said(&self.headers)
            || said(&self.methods)
            || self.names_origins()
    }

    /// Whether answers depend on the `Origin` that asked.
    pub(super) fn names_origins(&self) -> bool {
        !self.origins.is_empty() || !self.origin_patterns.is_empty()
    }

    /// The answer to a preflight; `None` for any other request.
    pub(super) fn preflight(&self, req: &Request) -> Option<Response> {
        if req.method != Method::Options {
            return None;
        }
        let given = |value: Option<&'_ [u8]>| value.is_some_and(|v| !v.is_empty());
        let origin = req.headers.known(Known::Origin).filter(|o| !o.is_empty())?;
        if !given(req.headers.get(REQUEST_METHOD)) {
            return None;
        }
        let mut res = Response::new(200);
        self.headers
            .say(ALLOW_HEADERS, REQUEST_HEADERS, req, &mut res.headers);
        self.methods
            .say(ALLOW_METHODS, REQUEST_METHOD, req, &mut res.headers);
        if let Some(age) = &self.max_age {
            res.headers.append(MAX_AGE, &**age);
        }
        self.say_always(&mut res.headers, origin);
        Some(res)
    }

    /// Adds what belongs on an answer; `origin` is empty when none was sent.
    pub(super) fn apply(&self, headers: &mut Headers, origin: &[u8]) {
        self.say_always(headers, origin);
        if self.vary {
            vary_by_origin(headers);
        }
    }

    fn say_always(&self, headers: &mut Headers, origin: &[u8]) {
        if let Some(allowed) = self.allowed_origin(origin) {
            headers.set(ALLOW_ORIGIN, allowed);
        }
        if self.credentials {
            headers.set(ALLOW_CREDENTIALS, "true");
        }
        if let Some(expose) = &self.expose {
            headers.set(EXPOSE_HEADERS, &**expose);
        }
    }

    /// What `Access-Control-Allow-Origin` says to this origin. Origins compare as they are written.
    fn allowed_origin<'a>(&self, origin: &'a [u8]) -> Option<&'a [u8]> {
        for item in &self.origins {
            match &**item {
                "*" if !self.credentials => return Some(b"*"),
                "*" if !origin.is_empty() => return Some(origin),
                item if item.as_bytes() == origin => return Some(origin),
                _ => {}
            }
        }
        let matches = !origin.is_empty() && self.origin_patterns.iter().any(|p| p.is_match(origin));
        matches.then_some(origin)
    }
}

impl Allowed {
    fn of(list: &[String], credentials: bool) -> Allowed {
        let joined = list.join(",");
        match joined.is_empty() {
            true => Allowed::Unsaid,
            false if credentials && list.iter().any(|item| item == "*") => Allowed::AsAsked,
            false => Allowed::Listed(joined.into()),
        }
    }

    fn say(&self, name: &str, asked: &str, req: &Request, answer: &mut Headers) {
        match self {
            Allowed::Unsaid => {}
            Allowed::Listed(list) => answer.append(name, &**list),
            Allowed::AsAsked => {
                if let Some(asked) = req.headers.get(asked).filter(|a| !a.is_empty()) {
                    answer.append(name, asked);
                }
            }
        }
    }
}

fn patterns(list: &[String]) -> Result<Vec<Regex>, BuildError> {
    let error = |e: BuildError| BuildError::new(format!("error occurred during origin parsing: {e}"));
    list.iter()
        .map(|p| regex_template::compile(p).map_err(error))
        .collect()
}

/// Adds `Origin` to `Vary`, unless a line is just that.
fn vary_by_origin(headers: &mut Headers) {
    let mut all = Vec::new();
    for line in headers.get_all(b"Vary") {
        if line == b"Origin" {
            return;
        }
        all.extend_from_slice(line);
        if !line.is_empty() {
            all.push(b',');
        }
    }
    all.extend_from_slice(b"Origin");
    headers.set_known(Known::Vary, all);
}
