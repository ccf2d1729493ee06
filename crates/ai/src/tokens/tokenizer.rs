//! OpenAI's published encodings. Crate `bpe-openai` was taken because its time is linear in the text whatever that is
//! made of; an encoding's tables are loaded by the first call that needs them.

use super::Family;

/// The tokens of `text`; `None` where the family's tokenizer is not public, or the text is not UTF-8.
pub(super) fn count(family: Family, text: &[u8]) -> Option<u64> {
    let text = || std::str::from_utf8(text).ok();
    let tokens = match family {
        Family::O200k => bpe_openai::o200k_base().count(text()?),
        Family::Cl100k => bpe_openai::cl100k_base().count(text()?),
        Family::Anthropic | Family::Google | Family::Other => return None,
    };
    u64::try_from(tokens).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_published_encodings() {
        let check = |family: Family, text: &str, want: Option<u64>| {
            assert_eq!(count(family, text.as_bytes()), want, "{family:?} {text}");
        };
        check(Family::O200k, "", Some(0));
        check(Family::O200k, "hello world", Some(2));
        check(Family::Cl100k, "hello world", Some(2));
        // The example that OpenAI's cookbook counts.
        check(Family::Cl100k, "tiktoken is great!", Some(6));
        check(Family::O200k, "tiktoken is great!", Some(6));
        check(Family::Anthropic, "hello world", None);
        assert_eq!(count(Family::O200k, b"\xff"), None);
    }

    /// What no word is in costs no more than its length.
    #[test]
    fn hostile_text_is_counted_in_linear_time() {
        for text in ["a", " ", "\u{300}", "!@", " \n", "1"] {
            let time = |len: usize| {
                let text = text.repeat(len / text.len());
                let once = |_| {
                    let start = std::time::Instant::now();
                    assert!(count(Family::O200k, text.as_bytes()).is_some());
                    start.elapsed()
                };
                // The best of several: others use this machine too.
                (0..5).map(once).min().unwrap_or_default()
            };
            let (short, long) = (time(1 << 14), time(1 << 18));
            assert!(long < short * 16 * 20, "{text:?}: {short:?} and {long:?}");
        }
    }
}
