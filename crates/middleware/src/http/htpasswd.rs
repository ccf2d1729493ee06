//! Users with hashed passwords, as Apache's `htpasswd` writes them: bcrypt, `{SHA}` and MD5-crypt (`$apr1$`, `$1$`).
//!
//! Hashes of any other kind, clear text included, never match.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha1::Sha1;
use std::collections::HashMap;
use std::sync::Arc;
use trilithon_flow::{BuildError, Credential, Identity};
use trilithon_model::Secret;

/// Longer passwords match nothing: MD5-crypt reads them two thousand times.
const MAX_PASSWORD: usize = 4096;

/// The lines of `file` (unless it is empty), then those of the list: of two with one name the later one counts.
///
/// # Errors
/// A file that cannot be read.
pub fn lines(list: &[Secret], file: &str) -> Result<Vec<Secret>, BuildError> {
    let mut all = Vec::new();
    if !file.is_empty() {
        let text = std::fs::read_to_string(file).map_err(|e| BuildError::new(unreadable(file, &e)))?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with('#'));
        all.extend(lines.map(Secret::from));
    }
    all.extend(list.iter().cloned());
    Ok(all)
}

fn unreadable(file: &str, error: &std::io::Error) -> String {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!("open {file}: {why}")
}

/// A user list.
pub struct Users {
    hashes: HashMap<Box<str>, (Hash, Arc<Identity>)>,
    /// What an unknown user's password is compared with: the hash that takes longest, so that nobody can tell by the time.
    decoy: Hash,
}

impl Users {
    /// From lines `name:hash`; nothing if there is none.
    ///
    /// # Errors
    /// A line that is not of that form.
    pub fn parse(lines: &[Secret]) -> Result<Option<Users>, BuildError> {
        let hashes: HashMap<_, _> = lines.iter().map(user).collect::<Result<_, _>>()?;
        let decoy = hashes.values().map(|(h, _)| h).max_by_key(|h| h.cost()).cloned();
        Ok(decoy.map(|decoy| Users { hashes, decoy }))
    }

    /// Whether checking a password takes so long that it must not hold up a worker. It is so for all users or for none:
    /// whoever is refused is refused after the longest check.
    pub fn is_slow(&self) -> bool {
        self.decoy.cost() > 1
    }

    /// Who `name` is; nothing for unknown names.
    pub fn identity(&self, name: &str) -> Option<&Arc<Identity>> {
        self.hashes.get(name).map(|(_, identity)| identity)
    }

    /// Whether `name` is a user with this password. A refusal takes as long for unknown names, and for users whose own hash
    /// is a quick one.
    pub fn verify(&self, name: &str, password: &[u8]) -> bool {
        let (hash, known) = self.hash(name);
        let right = hash.matches(password) & known;
        if !right && hash.cost() < self.decoy.cost() {
            self.decoy.matches(password);
        }
        right
    }

    fn hash(&self, name: &str) -> (&Hash, bool) {
        let known = self.hashes.get(name);
        known.map_or((&self.decoy, false), |(hash, _)| (hash, true))
    }
}

type User = (Box<str>, (Hash, Arc<Identity>));

fn user(line: &Secret) -> Result<User, BuildError> {
    match line.expose().split(':').collect::<Vec<_>>()[..] {
        [name, hash] => {
            let identity = Identity::new(Credential::Basic, name);
            Ok((name.into(), (Hash::of(hash), Arc::new(identity))))
        }
        _ => Err(
            BuildError::new(format!("error parsing BasicUser: {}", line.expose()))
                .help("write `name:hash`, as `htpasswd -nB name` prints it"),
        ),
    }
}

/// A hash of a password.
#[derive(Clone)]
pub enum Hash {
    Bcrypt {
        text: Box<str>,
        rounds: u8,
    },
    /// Base64 of the SHA-1.
    Sha(Box<str>),
    /// `$magic$salt$…`
    Md5 {
        magic: Box<str>,
        salt: Box<str>,
        text: Box<str>,
    },
    /// None that is known: fits nothing.
    Never,
}

impl Hash {
    /// As htpasswd writes it; [`Hash::Never`] for what it does not write.
    pub fn of(text: &str) -> Hash {
        if ["$2a$", "$2b$", "$2x$", "$2y$"]
            .iter()
            .any(|p| text.starts_with(p))
        {
            let rounds = text.get(4..6).and_then(|n| n.parse().ok()).unwrap_or(0);
            return Hash::Bcrypt {
                text: text.into(),
                rounds,
            };
        }
        if let Some(sha) = text.strip_prefix("{SHA}") {
            return Hash::Sha(sha.into());
        }
        for magic in ["$apr1$", "$1$"] {
            if let Some((salt, _)) = text.strip_prefix(magic).and_then(|rest| rest.split_once('$')) {
                return Hash::Md5 {
                    magic: magic.into(),
                    salt: salt.into(),
                    text: text.into(),
                };
            }
        }
        Hash::Never
    }

    /// How long a check takes, in doublings.
    pub fn cost(&self) -> u8 {
        match self {
            Hash::Bcrypt { rounds, .. } => rounds.saturating_add(3),
            Hash::Md5 { .. } => 2,
            Hash::Sha(_) => 1,
            Hash::Never => 0,
        }
    }

    /// Whether it is the hash of `password`.
    pub fn matches(&self, password: &[u8]) -> bool {
        if password.len() > MAX_PASSWORD {
            return false;
        }
        let equal = |a: &str, b: &str| verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok();
        match self {
            Hash::Bcrypt { text, .. } => bcrypt::verify(password, text).unwrap_or(false),
            Hash::Sha(sha) => equal(&STANDARD.encode(Sha1::digest(password)), sha),
            Hash::Md5 { magic, salt, text } => equal(&md5_crypt(password, salt, magic), text),
            Hash::Never => false,
        }
    }
}

/// Poul-Henning Kamp's MD5-crypt, with Apache's magic or the original one.
fn md5_crypt(password: &[u8], salt: &str, magic: &str) -> String {
    let salt_bytes = salt.as_bytes();
    let mut mixed = Md5::new()
        .chain_update(password)
        .chain_update(magic)
        .chain_update(salt_bytes);
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt_bytes)
        .chain_update(password)
        .finalize();
    for chunk in password.chunks(inner.len()) {
        mixed.update(&inner[..chunk.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        mixed.update(if bits & 1 == 1 { &[0][..] } else { &password[..1] });
        bits >>= 1;
    }
    let mut sum = mixed.finalize();
    for round in 0..1000 {
        sum = md5_round(round, password, salt_bytes, &sum).finalize();
    }
    format!("{magic}{salt}${}", crypt_text(&sum))
}

fn md5_round(round: u32, password: &[u8], salt: &[u8], sum: &[u8]) -> Md5 {
    let (first, last) = if round & 1 == 1 {
        (password, sum)
    } else {
        (sum, password)
    };
    let mut hash = Md5::new().chain_update(first);
    if !round.is_multiple_of(3) {
        hash.update(salt);
    }
    if !round.is_multiple_of(7) {
        hash.update(password);
    }
    hash.chain_update(last)
}

/// The digest in crypt's alphabet and order.
fn crypt_text(sum: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(22);
    let mut push = |mut value: u32, digits: u32| {
        for _ in 0..digits {
            text.push(ALPHABET[(value & 63) as usize] as char);
            value >>= 6;
        }
    };
    for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        push(
            u32::from(sum[a]) << 16 | u32::from(sum[b]) << 8 | u32::from(sum[c]),
            4,
        );
    }
    push(u32::from(sum[11]), 2);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(lines: &[&str]) -> Users {
        let lines: Vec<Secret> = lines.iter().map(|l| Secret::from(*l)).collect();
        Users::parse(&lines).expect("valid").expect("somebody")
    }

    #[test]
    fn hashes_of_each_kind() {
        let check = |hash: &str, password: &str, want: bool| {
            assert_eq!(
                users(&[&format!("u:{hash}")]).verify("u", password.as_bytes()),
                want,
                "{hash} {password}"
            );
        };
        for kind in ["2a", "2b", "2y"] {
            let hash = format!("${kind}$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6");
            check(&hash, "pass", true);
            check(&hash, "no", false);
        }
        check("{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=", "pass", true);
        check("{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=", "pas", false);
        check("$apr1$abcdefgh$rK/lObuciIG5ziaV8BdHR/", "pass", true);
        check("$apr1$abcdefgh$rK/lObuciIG5ziaV8BdHR/", "Pass", false);
        check("$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie.", "", true);
        check("$1$abcdefgh$1s0bv7.OjNizlrMAOIQD7.", "pass", true);
        check("$1$abcdefgh$1s0bv7.OjNizlrMAOIQD7.", "", false);
        for never in [
            "pass",
            "abccBcrPOxnLU",
            "",
            "$6$saltsalt$KN.twvCyfwE67paW76hS2",
            "$2y$04$short",
            "$apr1$nosalt",
            "{SHA}",
        ] {
            check(never, "pass", false);
            check(never, "", false);
        }
    }

    #[test]
    fn refusals_take_the_longest_way() {
        let all = users(&[
            "a:{SHA}x",
            "b:$2y$12$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6",
            "c:$apr1$s$x",
        ]);
        assert!(all.is_slow());
        let quick = users(&["a:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ="]);
        assert!(!quick.is_slow());
        assert!(
            !quick.verify("nobody", b"pass"),
            "the decoy's own password opens nothing"
        );
    }

    #[test]
    fn the_later_line_counts() {
        let twice = users(&[
            "u:$apr1$abcdefgh$rK/lObuciIG5ziaV8BdHR/",
            "u:$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie.",
        ]);
        assert!(twice.verify("u", b"") && !twice.verify("u", b"pass"));
    }

    #[test]
    fn bad_lines_are_named() {
        for bad in ["nocolon", "a:b:c"] {
            let error = Users::parse(&[Secret::from(bad)]).err().expect("refused");
            assert_eq!(error.message, format!("error parsing BasicUser: {bad}"));
        }
        assert!(Users::parse(&[]).expect("valid").is_none());
        assert_eq!(
            lines(&[], "/nonexistent/users").expect_err("refused").message,
            "open /nonexistent/users: no such file or directory"
        );
    }
}
