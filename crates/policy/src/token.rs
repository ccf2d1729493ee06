//! JSON Web Tokens (RFC 7519) in compact form (RFC 7515): read strictly, verified with keys that say themselves what they
//! are for.
//!
//! What a token says of its own key is never believed: `jwk`, `jku` and `x5u` are not looked at, `kid` only chooses among
//! the keys at hand, and `alg` must be one that the key was made for. There is no `none`.

mod checks;
mod jwks;
mod key;
mod pem;

pub use checks::Checks;
pub use jwks::{KeySet, Origin};
pub use key::{Algorithm, Key};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;
use trilithon_wire::json::tree;

/// Longest token, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;
/// Most keys that one token without a key's name is tried with.
const MAX_TRIES: usize = 16;

/// What a token claims.
pub type TokenClaims = Map<String, Value>;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Malformed,
    TooLong,
    /// `alg` is unknown, or `none`.
    Algorithm,
    /// `crit` asks for an extension; none is known (RFC 7515 §4.1.11).
    Critical,
    /// No key has this name, or none is for this algorithm.
    UnknownKey,
    Signature,
    Expired,
    NotYet,
    IssuedLater,
    Issuer,
    Audience,
    MissingClaim,
}

impl Refusal {
    /// For the client and the log: nothing of it comes from the token.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Malformed => "the token is malformed",
            Refusal::TooLong => "the token is too long",
            Refusal::Algorithm => "the algorithm is not accepted",
            Refusal::Critical => "the token needs an extension that is not known",
            Refusal::UnknownKey => "the key is not known",
            Refusal::Signature => "the signature is wrong",
            Refusal::Expired => "the token expired",
            Refusal::NotYet => "the token is not valid yet",
            Refusal::IssuedLater => "the token was issued in the future",
            Refusal::Issuer => "the issuer is not accepted",
            Refusal::Audience => "the token is for another audience",
            Refusal::MissingClaim => "a claim is missing",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refusal {}

/// A token that was read and not verified.
pub struct Token<'a> {
    algorithm: Algorithm,
    /// The name of its key.
    key: Option<String>,
    /// What is signed.
    message: &'a [u8],
    signature: Vec<u8>,
    claims: TokenClaims,
}

impl<'a> Token<'a> {
    /// Reads a token in compact form. Nothing in it is to be believed yet.
    ///
    /// # Errors
    /// It is no token, or asks for what there is not.
    pub fn read(text: &'a [u8]) -> Result<Token<'a>, Refusal> {
        if text.len() > MAX_TOKEN {
            return Err(Refusal::TooLong);
        }
        let mut parts = text.split(|b| *b == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Malformed);
        };
        let message = &text[..header.len() + 1 + claims.len()];
        let header = object(header)?;
        if header.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Refusal::Malformed),
        };
        Ok(Token {
            algorithm: algorithm.and_then(Algorithm::of).ok_or(Refusal::Algorithm)?,
            key,
            message,
            signature: decode(signature)?,
            claims: object(claims)?,
        })
    }

    /// Who says to have issued it: only to choose among keys.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Verifies the signature. A token that names its key is tried with the keys of that name, and with those that have
    /// none.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`] when there was no key to try, [`Refusal::Signature`] when none fits.
    pub fn verify<'k>(self, keys: impl Iterator<Item = &'k Key>) -> Result<TokenClaims, Refusal> {
        let named = |key: &&Key| match (&self.key, key.id()) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        let mut tried = keys
            .filter(named)
            .filter_map(|key| key.verifies(self.algorithm, self.message, &self.signature))
            .take(MAX_TRIES)
            .peekable();
        if tried.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        if tried.any(|good| good) {
            Ok(self.claims)
        } else {
            Err(Refusal::Signature)
        }
    }
}

/// One part of a token.
fn decode(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

fn object(part: &[u8]) -> Result<TokenClaims, Refusal> {
    match tree(&decode(part)?) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::hmac;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn part(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn signed(header: &str, claims: &str) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        let tag = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn verified(token: &str) -> Result<TokenClaims, Refusal> {
        let keys = [Key::secret(Some("k1".into()), SECRET).expect("a key")];
        Token::read(token.as_bytes())?.verify(keys.iter())
    }

    const HEADER: &str = r#"{"alg":"HS256"}"#;

    #[test]
    fn heads() {
        let check = |header: &str, want: Result<(), Refusal>| {
            assert_eq!(
                verified(&signed(header, r#"{"a":1}"#)).map(drop),
                want,
                "{header}"
            );
        };
        check(HEADER, Ok(()));
        check(r#"{"alg":"HS256","kid":"k1","typ":"at+jwt"}"#, Ok(()));
        check(r#"{"alg":"HS256","kid":"k2"}"#, Err(Refusal::UnknownKey));
        check(r#"{"alg":"HS256","kid":"../../k1"}"#, Err(Refusal::UnknownKey));
        check(r#"{"alg":"HS256","kid":["k1"]}"#, Err(Refusal::Malformed));
        check(r#"{"alg":"HS384"}"#, Err(Refusal::Signature));
        check(r#"{"alg":"RS256"}"#, Err(Refusal::UnknownKey));
        for none in ["none", "None", "NONE", "", "hs256", "HS1", "dir"] {
            check(&format!(r#"{{"alg":"{none}"}}"#), Err(Refusal::Algorithm));
        }
        check(r#"{"typ":"JWT"}"#, Err(Refusal::Algorithm));
        check(r#"{"alg":null}"#, Err(Refusal::Algorithm));
        check(
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            Err(Refusal::Critical),
        );
        check(r#"{"alg":"HS256","crit":[]}"#, Err(Refusal::Critical));
        check(r#"{"alg":"none","alg":"HS256"}"#, Err(Refusal::Malformed));
        check(r#"["HS256"]"#, Err(Refusal::Malformed));
    }

    #[test]
    fn forms() {
        let good = signed(HEADER, r#"{"sub":"a"}"#);
        let (message, signature) = good.rsplit_once('.').expect("three parts");
        let check = |token: &str, want: Refusal| assert_eq!(verified(token), Err(want), "{token}");
        assert_eq!(verified(&good).expect("good")["sub"], "a");
        check("", Refusal::Malformed);
        check("a.b", Refusal::Malformed);
        check(&format!("{good}."), Refusal::Malformed);
        check(&format!("{good}="), Refusal::Malformed);
        check(&format!("{message}. {signature}"), Refusal::Malformed);
        check(message, Refusal::Malformed);
        check(&format!("{message}."), Refusal::Signature);
        check(&format!("{message}.{}", &signature[..42]), Refusal::Malformed);
        check(&format!("{message}.AAAA"), Refusal::Signature);
        check(
            &format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}")),
            Refusal::Algorithm,
        );
        check(&signed(HEADER, r#"{"sub":"a","sub":"b"}"#), Refusal::Malformed);
        check(&signed(HEADER, r#"{"x":{"y":1,"y":2}}"#), Refusal::Malformed);
        check(&signed(HEADER, "1"), Refusal::Malformed);
        check(&signed(HEADER, r#"{"a":1}{"#), Refusal::Malformed);
        let long = signed(HEADER, &format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_TOKEN)));
        check(&long, Refusal::TooLong);
        let deep = signed(HEADER, &format!(r#"{{"a":{}}}"#, "[".repeat(5_000)));
        check(&deep, Refusal::Malformed);
    }

    #[test]
    fn a_public_key_is_no_secret() {
        let pair = rcgen::KeyPair::generate().expect("a key pair");
        let pem = pair.public_key_pem();
        let key = Key::from_pem(&pem).expect("a key");
        let message = format!("{}.{}", part(HEADER), part("{}"));
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes()),
            message.as_bytes(),
        );
        let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        let token = Token::read(forged.as_bytes()).expect("well formed");
        assert_eq!(token.verify([key].iter()), Err(Refusal::UnknownKey));
    }
}
