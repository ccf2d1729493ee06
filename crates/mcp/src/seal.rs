//! What clients keep for the gateway, sealed: they can neither read nor change it, and any replica with the same secret opens it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// Seals with one key and opens with any. Keys are derived (HKDF, RFC 5869) when it is made, never while it is used.
pub struct Seal {
    /// The first one seals.
    keys: Vec<Key>,
}

struct Key {
    /// Tells keys apart without telling them.
    id: String,
    key: LessSafeKey,
}

/// Bytes that a key is derived to.
struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

impl Seal {
    /// With keys made of these secrets; one made by chance when there are none.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Seal {
        let mut keys: Vec<Key> = secrets.into_iter().filter_map(Key::of).collect();
        if keys.is_empty() {
            let mut chance = [0; 32];
            rand::fill(&mut chance).expect("the system gives random bytes");
            keys.extend(Key::of(&chance));
        }
        Seal { keys }
    }

    /// `v1.KEY.TEXT`, in characters that stand in headers. `about` is what it is for: only for the same is it opened.
    pub fn seal(&self, about: &str, plain: &[u8]) -> String {
        let Some(key) = self.keys.first() else {
            return String::new();
        };
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).expect("the system gives random bytes");
        let mut text = plain.to_vec();
        let about = Aad::from(about.as_bytes());
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        // Fails only for texts of gigabytes.
        if key
            .key
            .seal_in_place_append_tag(nonce_used, about, &mut text)
            .is_err()
        {
            return String::new();
        }
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        format!("v1.{}.{}", key.id, BASE64.encode(sealed))
    }

    /// What was sealed; `None` when it was not, or not with these keys, or for something else.
    pub fn open(&self, about: &str, sealed: &str) -> Option<Vec<u8>> {
        let (id, text) = sealed.strip_prefix("v1.")?.split_once('.')?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        let mut text = BASE64.decode(text).ok()?;
        let (nonce, text) = text.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = key.key.open_in_place(nonce, Aad::from(about.as_bytes()), text);
        plain.ok().map(|plain| plain.to_vec())
    }
}

impl Key {
    fn of(secret: &[u8]) -> Option<Key> {
        let salted = Salt::new(HKDF_SHA256, b"trilithon mcp").extract(secret);
        let derive = |what: &'static [u8], out: &mut [u8]| {
            let len = Len(out.len());
            salted.expand(&[what], len)?.fill(out)
        };
        let (mut id, mut key) = ([0; 4], [0; 32]);
        derive(b"id", &mut id).ok()?;
        derive(b"key", &mut key).ok()?;
        Some(Key {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_where_it_belongs() {
        let (old, new) = (Seal::new([&b"old"[..]]), Seal::new([&b"new"[..], b"old"]));
        let sealed = old.seal("session a", b"plain");
        assert!(sealed.bytes().all(|b| b.is_ascii_graphic()), "{sealed}");
        assert!(!sealed.contains("plain"));
        assert_ne!(sealed, old.seal("session a", b"plain"), "never the same twice");
        assert_eq!(old.open("session a", &sealed).as_deref(), Some(&b"plain"[..]));
        assert_eq!(new.open("session a", &sealed).as_deref(), Some(&b"plain"[..]));
        assert_eq!(old.open("session a", &new.seal("session a", b"plain")), None);
        assert_eq!(old.open("session b", &sealed), None);
        assert_eq!(Seal::new([]).open("session a", &sealed), None);
        assert_eq!(old.open("s", &old.seal("s", b"")).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_is_damaged_is_not_opened() {
        let seal = Seal::new([]);
        let sealed = seal.seal("s", b"some text");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(seal.open("s", &damaged), None, "{damaged}");
            assert_eq!(seal.open("s", &sealed[..at]), None, "{at}");
        }
        for text in ["", "v1", "v1..", "v1.00000000.AAAA", "7"] {
            assert_eq!(seal.open("s", text), None, "{text}");
        }
    }
}
