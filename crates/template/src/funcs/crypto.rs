//! Hashes and ciphers: sprig's chapter "Cryptographic and Security Functions", without its certificates.

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{self, Algorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::encoding::base64_bytes;
use crate::function::Kind::Str;
use crate::function::{Function, fixed, text};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("sha1sum", &[Str], |b, a| {
        sum(b, &digest::SHA1_FOR_LEGACY_USE_ONLY, &a[0])
    }),
    fixed("sha256sum", &[Str], |b, a| sum(b, &digest::SHA256, &a[0])),
    fixed("sha512sum", &[Str], |b, a| sum(b, &digest::SHA512, &a[0])),
    fixed("adler32sum", &[Str], |b, a| {
        b.text(adler32(text(&a[0]).as_bytes()).to_string())
    }),
    fixed("bcrypt", &[Str], |b, a| b.text(bcrypt(text(&a[0])))),
    fixed("htpasswd", &[Str, Str], |b, a| {
        let (user, password) = (text(&a[0]), text(&a[1]));
        b.text(if user.contains(':') {
            format!("invalid username: {user}")
        } else {
            format!("{user}:{}", bcrypt(password))
        })
    }),
    fixed("encryptAES", &[Str, Str], |b, a| {
        encrypt(b, text(&a[0]), text(&a[1]))
    }),
    fixed("decryptAES", &[Str, Str], |b, a| {
        decrypt(b, text(&a[0]), text(&a[1]))
    }),
];

fn sum(budget: &Budget, algorithm: &'static Algorithm, value: &Value) -> Result<Value> {
    let digest = digest::digest(algorithm, text(value).as_bytes());
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    budget.text(hex)
}

/// RFC 1950, section 8.2.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    b << 16 | a
}

/// Bytes of a password that bcrypt looks at; Go refuses longer ones.
const MAX_PASSWORD: usize = 72;

/// The hash, or what is wrong, as sprig's function returns it.
fn bcrypt(password: &str) -> String {
    const COST: u32 = 10;
    if password.len() > MAX_PASSWORD {
        return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".into();
    }
    match bcrypt::hash_with_result(password, COST) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(error) => format!("failed to encrypt string with bcrypt: {error}"),
    }
}

const BLOCK: usize = 16;

/// AES-256-CBC with PKCS #7 padding; the key is the password's first 32 bytes, filled up with zeros.
fn key(password: &str) -> Result<UnboundCipherKey> {
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password.as_bytes()[..length]);
    UnboundCipherKey::new(&AES_256, &key).map_err(|_| Fault::new("the password makes no key"))
}

fn encrypt(budget: &Budget, password: &str, plain: &str) -> Result<Value> {
    if plain.is_empty() {
        return Ok("".into());
    }
    let failed = |_| Fault::new("the text could not be encrypted");
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(key(password)?).map_err(failed)?;
    let mut body = plain.as_bytes().to_vec();
    let DecryptionContext::Iv128(iv) = cipher.encrypt(&mut body).map_err(failed)? else {
        return Err(Fault::new("the text could not be encrypted"));
    };
    let mut sealed = iv.as_ref().to_vec();
    sealed.append(&mut body);
    budget.text(STANDARD.encode(sealed))
}

fn decrypt(budget: &Budget, password: &str, sealed: &str) -> Result<Value> {
    if sealed.is_empty() {
        return Ok("".into());
    }
    let failed = || Fault::new("the text cannot be decrypted with this password");
    let bytes =
        base64_bytes(sealed).map_err(|at| Fault::new(format!("illegal base64 data at input byte {at}")))?;
    let (iv, body) = bytes.split_at_checked(BLOCK).ok_or_else(failed)?;
    let iv: [u8; BLOCK] = iv.try_into().map_err(|_| failed())?;
    let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(key(password)?).map_err(|_| failed())?;
    let mut body = body.to_vec();
    let plain = cipher
        .decrypt(&mut body, DecryptionContext::Iv128(iv.into()))
        .map_err(|_| failed())?;
    budget.text(std::str::from_utf8(plain).map_err(|_| failed())?)
}
