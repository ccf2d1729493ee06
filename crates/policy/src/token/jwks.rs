//! Sets of public keys as issuers publish them: JSON Web Key Sets (RFC 7517).

use super::key::{Algorithm, Key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use trilithon_wire::json::tree;

/// Most keys of one set.
const MAX_KEYS: usize = 256;

/// Where a set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration: secrets are fine.
    Local,
    /// The network: a secret there is none.
    Remote,
}

/// The keys of one issuer that signatures can be verified with.
#[derive(Default)]
pub struct KeySet {
    pub keys: Vec<Key>,
    /// What was left out, and why: a set may hold keys for other things.
    pub skipped: Vec<String>,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// It is no set, or holds no key that can be used.
    pub fn parse(text: &[u8], origin: Origin) -> Result<KeySet, String> {
        let Ok(Value::Object(set)) = tree(text) else {
            return Err("no JSON object".to_owned());
        };
        let Some(Value::Array(all)) = set.get("keys") else {
            return Err("no list `keys`".to_owned());
        };
        if all.len() > MAX_KEYS {
            return Err(format!("more than {MAX_KEYS} keys"));
        }
        let mut out = KeySet::default();
        for (index, one) in all.iter().enumerate() {
            match key(one, origin) {
                Ok(key) => out.keys.push(key),
                Err(why) => out.skipped.push(format!("key {index}: {why}")),
            }
        }
        if out.keys.is_empty() {
            let why = if out.skipped.is_empty() {
                "it is empty".to_owned()
            } else {
                out.skipped.join("; ")
            };
            return Err(format!("no key that can be used: {why}"));
        }
        Ok(out)
    }
}

fn key(value: &Value, origin: Origin) -> Result<Key, String> {
    let jwk = value.as_object().ok_or("no JSON object")?;
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|u| u != "sig") {
        return Err("not for signatures".to_owned());
    }
    if let Some(Value::Array(operations)) = jwk.get("key_ops")
        && !operations.iter().any(|o| o == "verify")
    {
        return Err("not for verifying".to_owned());
    }
    let id = text("kid").map(Into::into);
    let key = match text("kty") {
        Some("RSA") => Key::rsa(id, &bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
        Some("EC") => Key::ec(
            id,
            text("crv").unwrap_or_default(),
            &bytes(jwk, "x")?,
            &bytes(jwk, "y")?,
        )?,
        Some("OKP") if text("crv") == Some("Ed25519") => Key::ed25519(id, &bytes(jwk, "x")?)?,
        Some("oct") if origin == Origin::Local => Key::secret(id, &bytes(jwk, "k")?)?,
        Some("oct") => return Err("a secret that was published".to_owned()),
        _ => return Err("a kind that is not supported".to_owned()),
    };
    match text("alg") {
        None => Ok(key),
        Some(name) => Algorithm::of(name)
            .and_then(|algorithm| key.only(algorithm))
            .ok_or_else(|| "an algorithm that is not for this key".to_owned()),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let text = jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| format!("`{name}` is no Base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The point of RFC 7515, appendix A.3.
    const POINT: &str = r#""x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    /// The key of RFC 8037, appendix A.2.
    const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    #[test]
    fn keys() {
        let check = |jwk: &str, origin: Origin, want: Result<Option<&str>, &str>| {
            let set = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes(), origin);
            let got = set.as_ref().map(|s| s.keys[0].id()).map_err(String::as_str);
            let want = want.map_err(|why| format!("no key that can be used: key 0: {why}"));
            assert_eq!(got, want.as_ref().map(|id| *id).map_err(String::as_str), "{jwk}");
        };
        let ec = format!(r#""kty":"EC","crv":"P-256",{POINT}"#);
        let short = format!(
            r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#,
            format_args!("{}A", "q".repeat(170))
        );
        use Origin::{Local, Remote};
        check(&format!("{{{ec},\"kid\":\"a\"}}"), Remote, Ok(Some("a")));
        check(
            &format!("{{{ec},\"use\":\"sig\",\"alg\":\"ES256\"}}"),
            Remote,
            Ok(None),
        );
        check(&format!("{{{ec},\"key_ops\":[\"verify\"]}}"), Remote, Ok(None));
        check(
            &format!("{{{ec},\"key_ops\":[\"sign\"]}}"),
            Remote,
            Err("not for verifying"),
        );
        check(
            &format!("{{{ec},\"use\":\"enc\"}}"),
            Remote,
            Err("not for signatures"),
        );
        check(
            &format!("{{{ec},\"alg\":\"HS256\"}}"),
            Remote,
            Err("an algorithm that is not for this key"),
        );
        check(
            &format!("{{{ec},\"alg\":\"none\"}}"),
            Remote,
            Err("an algorithm that is not for this key"),
        );
        let off = ec.replace("f83O", "f83P");
        check(&format!("{{{off}}}"), Remote, Err("no point on `P-256`"));
        let other = ec.replace("P-256", "P-384");
        check(&format!("{{{other}}}"), Remote, Err("no point on `P-384`"));
        let none = ec.replace("P-256", "P-1");
        check(
            &format!("{{{none}}}"),
            Remote,
            Err("the curve `P-1` is not supported"),
        );
        check(&format!("{{{ED}}}"), Remote, Ok(None));
        check(
            &format!("{{{}}}", ED.replace("25519", "448")),
            Remote,
            Err("a kind that is not supported"),
        );
        check(
            &short,
            Remote,
            Err("an RSA key of 1024 bits; accepted are 2048 to 8192"),
        );
        check(
            r#"{"kty":"RSA","n":"!","e":"AQAB"}"#,
            Remote,
            Err("`n` is no Base64"),
        );
        check(r#"{"kty":"oct","k":"c2VjcmV0"}"#, Local, Ok(None));
        check(
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
            Remote,
            Err("a secret that was published"),
        );
        check(r#"{"kty":"oct","k":""}"#, Local, Err("the secret is empty"));
        check("7", Remote, Err("no JSON object"));
        check("{}", Remote, Err("a kind that is not supported"));
    }

    #[test]
    fn sets() {
        let check = |text: &str, want: Result<(usize, usize), &str>| {
            let got = KeySet::parse(text.as_bytes(), Origin::Remote);
            let got = got.map(|s| (s.keys.len(), s.skipped.len()));
            assert_eq!(got, want.map_err(str::to_owned), "{text:.60}");
        };
        check(
            &format!(r#"{{"keys":[{{{ED}}},{{"kty":"new"}}],"x":1}}"#),
            Ok((1, 1)),
        );
        check("<html>", Err("no JSON object"));
        check("[]", Err("no JSON object"));
        check("{}", Err("no list `keys`"));
        check(r#"{"keys":[],"keys":[]}"#, Err("no JSON object"));
        check(r#"{"keys":[]}"#, Err("no key that can be used: it is empty"));
        let many = vec!["{}"; MAX_KEYS + 1].join(",");
        check(&format!(r#"{{"keys":[{many}]}}"#), Err("more than 256 keys"));
    }
}
