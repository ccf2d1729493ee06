//! One key for signatures of tokens (RFC 7518), and the algorithms that it is for. A key of one kind verifies nothing of
//! another kind: an RSA key is no HMAC secret, whatever a token's `alg` says.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

/// How a token is signed (RFC 7518 §3, RFC 8037, RFC 8812).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    Es256k,
    EdDsa,
}

use Algorithm::{
    EdDsa, Es256, Es256k, Es384, Es512, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
};

const NAMES: [(&str, Algorithm); 15] = [
    ("RS256", Rs256),
    ("ES256", Es256),
    ("HS256", Hs256),
    ("EdDSA", EdDsa),
    // Its name since RFC 9864.
    ("Ed25519", EdDsa),
    ("PS256", Ps256),
    ("RS384", Rs384),
    ("RS512", Rs512),
    ("PS384", Ps384),
    ("PS512", Ps512),
    ("ES384", Es384),
    ("ES512", Es512),
    ("ES256K", Es256k),
    ("HS384", Hs384),
    ("HS512", Hs512),
];

const RSA: [(Algorithm, &RsaParameters); 6] = [
    (Rs256, &RSA_PKCS1_2048_8192_SHA256),
    (Rs384, &RSA_PKCS1_2048_8192_SHA384),
    (Rs512, &RSA_PKCS1_2048_8192_SHA512),
    (Ps256, &RSA_PSS_2048_8192_SHA256),
    (Ps384, &RSA_PSS_2048_8192_SHA384),
    (Ps512, &RSA_PSS_2048_8192_SHA512),
];

/// Curves as a JSON Web Key names them, the bytes of a coordinate, and the only algorithm of each.
const CURVES: [(&str, usize, Algorithm, &dyn VerificationAlgorithm); 4] = [
    ("P-256", 32, Es256, &ECDSA_P256_SHA256_FIXED),
    ("P-384", 48, Es384, &ECDSA_P384_SHA384_FIXED),
    ("P-521", 66, Es512, &ECDSA_P521_SHA512_FIXED),
    ("secp256k1", 32, Es256k, &ECDSA_P256K1_SHA256_FIXED),
];

impl Algorithm {
    /// By its registered name, in its own case; `none` is not one.
    pub fn of(name: &str) -> Option<Algorithm> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, a)| *a)
    }
}

/// A key, with its name and everything it may verify.
pub struct Key {
    id: Option<Box<str>>,
    uses: Vec<(Algorithm, Material)>,
}

enum Material {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// A secret shared with whoever signs: HS256, HS384, HS512.
    ///
    /// # Errors
    /// It is empty.
    pub fn secret(id: Option<Box<str>>, secret: &[u8]) -> Result<Key, String> {
        if secret.is_empty() {
            return Err("the secret is empty".to_owned());
        }
        let of = |algorithm| Material::Secret(Box::new(hmac::Key::new(algorithm, secret)));
        Ok(Key {
            id,
            uses: vec![
                (Hs256, of(hmac::HMAC_SHA256)),
                (Hs384, of(hmac::HMAC_SHA384)),
                (Hs512, of(hmac::HMAC_SHA512)),
            ],
        })
    }

    /// An RSA key by modulus and exponent, big-endian: RS256 to RS512, PS256 to PS512.
    ///
    /// # Errors
    /// It is no RSA key, or shorter than 2048 bits.
    pub fn rsa(id: Option<Box<str>>, n: &[u8], e: &[u8]) -> Result<Key, String> {
        let trim = |bytes: &'_ [u8]| bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        let (n, e) = (&n[trim(n)..], &e[trim(e)..]);
        let bits = n.len() * 8 - n.first().map_or(0, |b| b.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            return Err(format!("an RSA key of {bits} bits; accepted are 2048 to 8192"));
        }
        let components = RsaPublicKeyComponents { n, e };
        let uses = RSA.iter().map(|(algorithm, parameters)| {
            let key = components.to_parsed_public_key(parameters).ok()?;
            Some((*algorithm, Material::Public(key)))
        });
        let uses = uses.collect::<Option<Vec<_>>>().ok_or("no RSA key")?;
        Ok(Key { id, uses })
    }

    /// A point on a curve, by the curve's name and the point's coordinates: ES256, ES384, ES512, ES256K.
    ///
    /// # Errors
    /// The curve is unknown, or the point is not on it.
    pub fn ec(id: Option<Box<str>>, curve: &str, x: &[u8], y: &[u8]) -> Result<Key, String> {
        let Some((_, size, algorithm, verification)) = CURVES.iter().find(|c| c.0 == curve) else {
            return Err(format!("the curve `{curve}` is not supported"));
        };
        if x.len() != *size || y.len() != *size {
            return Err(format!("no point on `{curve}`"));
        }
        let point = [&[4][..], x, y].concat();
        let key = ParsedPublicKey::new(*verification, point).map_err(|_| format!("no point on `{curve}`"))?;
        Ok(Key {
            id,
            uses: vec![(*algorithm, Material::Public(key))],
        })
    }

    /// An Ed25519 key: EdDSA.
    ///
    /// # Errors
    /// It is none.
    pub fn ed25519(id: Option<Box<str>>, x: &[u8]) -> Result<Key, String> {
        let key = (x.len() == 32).then(|| ParsedPublicKey::new(&ED25519, x).ok());
        let key = key.flatten().ok_or("no Ed25519 key")?;
        Ok(Key {
            id,
            uses: vec![(EdDsa, Material::Public(key))],
        })
    }

    /// A public key or certificate in PEM: what it is for follows from what it is.
    ///
    /// # Errors
    /// It is none, of a kind that is not supported, or too short.
    pub fn from_pem(text: &str) -> Result<Key, String> {
        let der = super::pem::public_key(text)?;
        let rsa = RSA.iter().map(|(algorithm, parameters)| {
            let key = ParsedPublicKey::new(*parameters, &der).ok()?;
            Some((*algorithm, Material::Public(key)))
        });
        if let Some(uses) = rsa.collect::<Option<Vec<_>>>() {
            // A modulus alone has 256 bytes.
            if der.len() < 256 {
                return Err("an RSA key of fewer than 2048 bits".to_owned());
            }
            return Ok(Key { id: None, uses });
        }
        let curves = CURVES.iter().map(|(_, _, algorithm, v)| (*algorithm, *v));
        let others: [(Algorithm, &'static dyn VerificationAlgorithm); 1] = [(EdDsa, &ED25519)];
        let one = curves.chain(others).find_map(|(algorithm, v)| {
            Some((algorithm, Material::Public(ParsedPublicKey::new(v, &der).ok()?)))
        });
        one.map(|found| Key {
            id: None,
            uses: vec![found],
        })
        .ok_or_else(|| "no RSA, EC or Ed25519 key".to_owned())
    }

    /// For `algorithm` alone; nothing if the key is not for it.
    pub fn only(mut self, algorithm: Algorithm) -> Option<Key> {
        self.uses.retain(|(a, _)| *a == algorithm);
        (!self.uses.is_empty()).then_some(self)
    }

    /// Its name.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether `signature` is one of `message`; nothing if the key is not for `algorithm`.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
        let (_, material) = self.uses.iter().find(|(a, _)| *a == algorithm)?;
        Some(match material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        })
    }
}
