//! The tokens of a prompt: its texts, and what is said around them.

use super::{Family, Ratios, count};
use trilithon_flow::model_call::Basis;

/// What a chat format puts around each message (OpenAI's cookbook names three), …
const EACH_MESSAGE: u64 = 3;
/// … and before the answer.
const ANSWER: u64 = 3;
/// An image whose size is unknown: that of OpenAI's 1024 × 1024 at high detail, which is 85 + 4 × 170.
const IMAGE: u64 = 765;

/// Sums a prompt up.
#[derive(Clone, Copy, Debug)]
pub struct Prompt {
    family: Family,
    tokens: u64,
    basis: Basis,
}

impl Prompt {
    pub fn new(family: Family) -> Prompt {
        Prompt {
            family,
            tokens: ANSWER,
            basis: Basis::Counted,
        }
    }

    /// Adds a text: of a message, or of a tool's definition.
    pub fn text(&mut self, text: &[u8]) {
        let (tokens, basis) = count(self.family, text);
        self.add(tokens);
        self.basis = self.basis.min(basis);
    }

    /// Adds what stands around so many messages.
    pub fn messages(&mut self, messages: u64) {
        self.add(messages.saturating_mul(EACH_MESSAGE));
    }

    /// Adds images.
    pub fn images(&mut self, images: u64) {
        if images > 0 {
            self.add(images.saturating_mul(IMAGE));
            self.basis = Basis::Estimated;
        }
    }

    fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    pub fn family(&self) -> Family {
        self.family
    }

    /// The sum as it was counted or guessed, which is what reports are compared with.
    pub fn raw(&self) -> u64 {
        self.tokens
    }

    /// The sum, and how it was come by; a guess is corrected by what was learned.
    pub fn tokens(&self, ratios: &Ratios) -> (u64, Basis) {
        match self.basis {
            Basis::Estimated => (ratios.correct(self.family, self.tokens), Basis::Estimated),
            basis => (self.tokens, basis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let check = |texts: &[&str], images: u64, want: (u64, Basis)| {
            let mut prompt = Prompt::new(Family::Other);
            texts.iter().for_each(|t| prompt.text(t.as_bytes()));
            prompt.messages(texts.len() as u64);
            prompt.images(images);
            assert_eq!(prompt.tokens(&Ratios::default()), want, "{texts:?} {images}");
        };
        check(&[], 0, (3, Basis::Counted));
        check(&["abcd"], 0, (3 + 3 + 2, Basis::Estimated));
        check(&["abcd", ""], 2, (3 + 6 + 2 + 1_530, Basis::Estimated));
    }

    #[test]
    fn what_was_learned_corrects_guesses() {
        let ratios = Ratios::default();
        (0..200).for_each(|_| ratios.learn(Family::Other, 100, 150));
        let mut prompt = Prompt::new(Family::Other);
        prompt.text("a".repeat(4_000).as_bytes());
        assert_eq!(prompt.raw(), 1_053);
        let corrected = prompt.tokens(&ratios).0;
        assert!((1_560..=1_580).contains(&corrected), "{corrected}");
    }
}
