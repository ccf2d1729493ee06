//! An issuer of tokens for `quickstart`: a key made just now, and one token signed with it.

use anyhow::Context;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the token is good for.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// What the samples are configured and asked with.
pub struct Issuer {
    /// The public key, as a JSON Web Key Set (RFC 7517).
    pub keys: String,
    /// A token of subject `ada` (RFC 7519), signed with ES256.
    pub token: String,
}

impl Issuer {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> anyhow::Result<Issuer> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("cannot make a key")?;
        // An uncompressed point (SEC 1 §2.3.3): a byte, then both coordinates.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let keys = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "quickstart",
            "x": BASE64.encode(x), "y": BASE64.encode(y),
        }]});
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "quickstart"});
        let claims = json!({
            "iss": "quickstart", "sub": "ada", "groups": ["staff"],
            "iat": now.as_secs(), "exp": (now + LIFE).as_secs(),
        });
        let part = |value: serde_json::Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .context("cannot sign a token")?;
        Ok(Issuer {
            keys: keys.to_string(),
            token: format!("{signed}.{}", BASE64.encode(signature)),
        })
    }
}
