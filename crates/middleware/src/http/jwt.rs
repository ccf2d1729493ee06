//! `jwt`: asks for a JSON Web Token that one of the given keys signed (RFC 7519, RFC 6750).
//!
//! Reading and verifying is `trilithon_policy::token`; here is where the token and the keys come from, and what becomes of
//! the claims. A token that was verified is remembered until it expires or its keys change, so that the next request costs
//! a hash and a look. What it says about the client, the client cannot say itself: such headers are taken away first.

mod caller;
mod freshness;
mod keys;
mod remote;

use self::caller::{Caller, Naming};
use self::keys::{Keys, Unverified};
use super::media_type::media_type;
use super::remembered::{self, Remembered};
use super::{credentials, identity};
use std::borrow::Cow;
use std::sync::Arc;
use trilithon_flow::limits::{MAX_TOKEN_FORM, REMEMBERED, TOKEN_SECONDS};
use trilithon_flow::{
    Beginning, Body, Build, BuildError, Exchange, Fault, Known, Next, Reply, Request, Response, Step, Wrap,
    read_up_to,
};
use trilithon_model::dynamic::http::Jwt as Config;
use trilithon_policy::Claims;
use trilithon_policy::token::{Checks, Refusal, Token, TokenClaims};

/// Builds the middleware. Fetched keys are shared by all that fetch the same; they and the tokens that were verified stay
/// over reloads that leave them as they are.
///
/// # Errors
/// No keys, keys that cannot be read, an expression that cannot be read, a claim without a name.
pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let (keys, contents) = Keys::build(config, cx)?;
    let claims = match config.claims.as_str() {
        "" => None,
        text => Some(Claims::parse(text).map_err(|e| {
            BuildError::new(format!("`claims` cannot be read: {}", e.message)).at(text, e.at)
        })?),
    };
    if keys.trusts_anybody() && !claims.as_ref().is_some_and(|c| c.mentions("iss")) {
        cx.warnings.push("`jwksUrl` is a path: whoever has a host can issue tokens; name the issuers in `trustedIssuers`, or check `iss` in `claims`".to_owned());
    }
    let name = match config.header_name.as_str() {
        "" => Known::Authorization.name(),
        name => name,
    };
    Ok(Step::wrap(Jwt {
        keys,
        checks: Checks {
            skew: config.clock_skew.to_std_opt().map_or(0, |skew| skew.as_secs()),
            audience: config.audience.clone(),
            required: config.required_claims.clone(),
        },
        claims,
        naming: Naming::build(config)?,
        header: name.into(),
        parameter: Some(config.token_key.as_str())
            .filter(|k| !k.is_empty())
            .map(Into::into),
        forward: config.forward_authorization,
        known: cx.keep.get(&cx.state_name(), &(config, contents), || {
            Remembered::new(REMEMBERED)
        }),
        name: cx.name.into(),
    }))
}

struct Jwt {
    keys: Keys,
    checks: Checks,
    claims: Option<Claims>,
    naming: Naming,
    /// Where the token is.
    header: Box<str>,
    /// The query parameter or form field where it may be too.
    parameter: Option<Box<str>>,
    forward: bool,
    known: Arc<Remembered<Arc<Caller>>>,
    name: Box<str>,
}

/// Why a request does not pass.
enum Denied {
    NoToken,
    Refused(Refusal),
    /// Verified, but `claims` does not hold.
    Forbidden,
    /// The issuer's keys cannot be had.
    NoKeys,
    /// The form that may hold the token cannot be read.
    Broken(Fault),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Denied {
        Denied::Refused(refusal)
    }
}

impl From<Unverified> for Denied {
    fn from(why: Unverified) -> Denied {
        match why {
            Unverified::Refused(refusal) => refusal.into(),
            Unverified::NoKeys => Denied::NoKeys,
        }
    }
}

impl Denied {
    /// The answer (RFC 6750 §3.1).
    fn answer(self) -> Response {
        let challenge = |status: u16, body: &'static str, error: &str| {
            let mut res = identity::unauthorized(&format!("Bearer realm=\"trilithon\"{error}"));
            (res.status, res.body) = (status, Body::from(bytes::Bytes::from_static(body.as_bytes())));
            res
        };
        let unauthorized = "401 Unauthorized\n";
        match self {
            Denied::NoToken => challenge(401, unauthorized, ""),
            Denied::Refused(why) => {
                let error = format!(", error=\"invalid_token\", error_description=\"{why}\"");
                challenge(401, unauthorized, &error)
            }
            Denied::Forbidden => challenge(403, "403 Forbidden\n", ", error=\"insufficient_scope\""),
            Denied::NoKeys => Response::status_text(503),
            Denied::Broken(fault) => Response::from(fault),
        }
    }

    fn why(&self) -> Cow<'static, str> {
        match self {
            Denied::NoToken => "there is no token".into(),
            Denied::Refused(why) => why.as_str().into(),
            Denied::Forbidden => "`claims` does not hold".into(),
            Denied::NoKeys => "the issuer's keys cannot be had".into(),
            Denied::Broken(fault) => fault.detail.clone(),
        }
    }
}

impl Jwt {
    /// Who is asking, and whether the token was in the header.
    async fn admit(&self, req: &mut Request) -> Result<(Arc<Caller>, bool), Denied> {
        if let Some(token) = self.in_header(req) {
            return Ok((self.caller(token).await?, true));
        }
        let Some(parameter) = &self.parameter else {
            return Err(Denied::NoToken);
        };
        let token = match credentials::in_query(req, parameter) {
            Some(token) => Some(token),
            None => in_form(req, parameter).await.map_err(Denied::Broken)?,
        };
        let token = token.ok_or(Denied::NoToken)?;
        Ok((self.caller(&token).await?, false))
    }

    /// Behind `Bearer`; in a header of its own the token may also stand alone.
    fn in_header<'a>(&'a self, req: &'a Request) -> Option<&'a [u8]> {
        if self.header.eq_ignore_ascii_case(Known::Authorization.name()) {
            return credentials::in_header(&req.headers, &self.header, "Bearer");
        }
        let value = credentials::in_header(&req.headers, &self.header, "")?;
        Some(credentials::behind(value, "Bearer").unwrap_or(value).trim_ascii())
    }

    async fn caller(&self, token: &[u8]) -> Result<Arc<Caller>, Denied> {
        let (print, now) = (remembered::print(token), remembered::now());
        if let Some(caller) = self.known.get(&print, now).filter(|caller| caller.is_current()) {
            return Ok(caller);
        }
        let read = Token::read(token)?;
        let remote = self.keys.remote(read.issuer())?;
        // The version before the keys: if they change in between, the caller is verified once more, not once less.
        let version = remote.as_ref().map(|remote| remote.version());
        let claims: TokenClaims = self.keys.verify(read, token, remote.as_deref()).await?;
        let until = self.checks.check(&claims, now)?;
        let allowed = self
            .claims
            .as_ref()
            .is_none_or(|expression| expression.holds(&claims));
        let caller = Arc::new(self.naming.caller(claims, token, allowed, version));
        let until = until.map_or(now + TOKEN_SECONDS, |until| until.min(now + TOKEN_SECONDS));
        self.known.put(print, caller.clone(), now, until);
        Ok(caller)
    }
}

/// The field of a form in the request's body, which stays as it is.
async fn in_form(req: &mut Request, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let is_form = req
        .headers
        .known(Known::ContentType)
        .and_then(|t| media_type(std::str::from_utf8(t).ok()?))
        .is_some_and(|t| t == "application/x-www-form-urlencoded");
    if !is_form {
        return Ok(None);
    }
    match read_up_to(req.body.take(), MAX_TOKEN_FORM).await? {
        Beginning::Larger(body) => {
            req.body = body;
            Ok(None)
        }
        Beginning::Whole(bytes, trailers) => {
            let found = credentials::in_form(&bytes, name);
            req.body = Body::with_trailers(bytes, trailers);
            Ok(found)
        }
    }
}

impl Wrap for Jwt {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange, next: Next<'a>) -> Reply<'a> {
        Box::pin(async move {
            self.naming.strip(&mut req.headers);
            let outcome = self.admit(&mut req).await.and_then(|(caller, in_header)| {
                caller.introduce(cx);
                if caller.is_allowed() {
                    Ok((caller, in_header))
                } else {
                    Err(Denied::Forbidden)
                }
            });
            let (caller, in_header) = match outcome {
                Ok(admitted) => admitted,
                Err(denied) => {
                    tracing::debug!(middlewareName = &*self.name, reason = %denied.why(), "token refused");
                    return denied.answer();
                }
            };
            if in_header && !self.forward {
                req.headers.remove(&*self.header);
            }
            caller.describe(&mut req.headers);
            next.run(req, cx).await
        })
    }
}

#[cfg(test)]
mod tests;
