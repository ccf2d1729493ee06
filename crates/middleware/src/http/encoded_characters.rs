//! `encodedCharacters`: refuses paths that hold certain characters percent-encoded. An entry point has the same option; the
//! check is [`Denied`].

use trilithon_flow::{Build, BuildError, Edit, Exchange, Request, Response, Step};
use trilithon_model::dynamic::http::EncodedCharacters as Config;

/// Builds the step; there is no configuration that it refuses.
///
/// # Errors
/// None.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    let denied = Denied::new([
        config.allow_encoded_slash,
        config.allow_encoded_back_slash,
        config.allow_encoded_null_character,
        config.allow_encoded_semicolon,
        config.allow_encoded_percent,
        config.allow_encoded_question_mark,
        config.allow_encoded_hash,
    ]);
    Ok(if denied.is_none() {
        super::idle::step()
    } else {
        Step::edit(EncodedCharacters { denied })
    })
}

/// The characters that can be denied, in the order of the options.
const CHARACTERS: [u8; 7] = [b'/', b'\\', 0, b';', b'%', b'?', b'#'];

/// Characters that must not stand percent-encoded in a path. A broken escape is always denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied(u8);

impl Denied {
    /// From whether each is allowed: `/`, `\`, NUL, `;`, `%`, `?`, `#`.
    pub fn new(allowed: [bool; 7]) -> Denied {
        Denied(
            allowed
                .iter()
                .enumerate()
                .fold(0, |bits, (i, allowed)| bits | (u8::from(!allowed) << i)),
        )
    }

    /// Whether nothing is denied.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether an escaped path holds nothing that is denied.
    pub fn admits(self, path: &str) -> bool {
        let mut escapes = path.split('%');
        escapes.next();
        self.is_none() || escapes.all(|e| decoded(e).is_some_and(|b| !self.holds(b)))
    }

    fn holds(self, character: u8) -> bool {
        CHARACTERS
            .iter()
            .position(|c| *c == character)
            .is_some_and(|i| self.0 & (1 << i) != 0)
    }
}

/// The byte that two hex digits at the start of `text` stand for.
fn decoded(text: &str) -> Option<u8> {
    let digit = |at: usize| text.as_bytes().get(at).and_then(|b| (*b as char).to_digit(16));
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

struct EncodedCharacters {
    denied: Denied,
}

impl Edit for EncodedCharacters {
    fn request(&self, req: &mut Request, _cx: &mut Exchange) -> Result<(), Response> {
        if self.denied.admits(req.target.path()) {
            Ok(())
        } else {
            Err(Response::new(400))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, get, step, text};

    fn check(config: &Config, target: &str, status: u16) {
        let bench = Bench::new(vec![step(|cx| build(config, cx))]);
        let mut res = bench.run(get(target, &[]));
        assert_eq!(res.status, status, "{target}");
        assert_eq!(text(&mut res).is_empty(), status == 400, "{target}");
    }

    #[test]
    fn characters() {
        let none = Config::default();
        for bad in [
            "/%2F", "/%2f", "/%5C", "/a%5cb", "/%00", "/%3B", "/%25", "/%3f", "/a%20%23", "/%252F",
        ] {
            check(&none, bad, 400);
        }
        for good in ["/", "/a%20b", "/a?x=%2F", "/%C3%A9", "/%2E"] {
            check(&none, good, 200);
        }
        let slash = Config {
            allow_encoded_slash: true,
            ..Config::default()
        };
        check(&slash, "/%2F%2f", 200);
        check(&slash, "/%2F%5C", 400);
    }

    #[test]
    fn all_allowed_is_no_check_at_all() {
        assert!(Denied::new([true; 7]).admits("/%2F%"));
        assert!(!Denied::new([false; 7]).admits("/%"));
    }
}
