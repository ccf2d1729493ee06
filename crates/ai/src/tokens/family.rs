//! Which tokenizer a model has, by its name.

/// Models that share a tokenizer, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// OpenAI since GPT-4o: `o200k_base`.
    O200k,
    /// OpenAI up to GPT-4 Turbo: `cl100k_base`.
    Cl100k,
    Anthropic,
    Google,
    /// Everything else.
    Other,
}

/// How names begin. The first that fits counts.
const NAMES: &[(&str, Family)] = &[
    ("gpt-4o", Family::O200k),
    ("gpt-4.", Family::O200k),
    ("gpt-4", Family::Cl100k),
    ("gpt-3.5", Family::Cl100k),
    ("gpt-35", Family::Cl100k),
    ("text-embedding-", Family::Cl100k),
    ("gpt-", Family::O200k),
    ("chatgpt-", Family::O200k),
    ("codex-", Family::O200k),
    ("o1", Family::O200k),
    ("o3", Family::O200k),
    ("o4", Family::O200k),
    ("claude", Family::Anthropic),
    ("gemini", Family::Google),
    ("gemma", Family::Google),
];

impl Family {
    pub const ALL: [Family; 5] = [
        Family::O200k,
        Family::Cl100k,
        Family::Anthropic,
        Family::Google,
        Family::Other,
    ];

    /// The family of a model. What stands before a `/` is a vendor's name.
    pub fn of(model: &str) -> Family {
        let name = model.rsplit('/').next().unwrap_or(model);
        let begins = |with: &str| {
            name.get(..with.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(with))
        };
        NAMES
            .iter()
            .find(|(with, _)| begins(with))
            .map_or(Family::Other, |(_, family)| *family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name() {
        let check = |model: &str, want: Family| assert_eq!(Family::of(model), want, "{model}");
        check("gpt-4o-mini", Family::O200k);
        check("gpt-4.1", Family::O200k);
        check("gpt-5", Family::O200k);
        check("o3-mini", Family::O200k);
        check("gpt-oss-20b", Family::O200k);
        check("gpt-4", Family::Cl100k);
        check("gpt-4-turbo", Family::Cl100k);
        check("GPT-35-Turbo", Family::Cl100k);
        check("openai/gpt-4o", Family::O200k);
        check("anthropic/claude-sonnet-4-5", Family::Anthropic);
        check("gemini-2.5-pro", Family::Google);
        check("llama3.3", Family::Other);
        check("", Family::Other);
        check("/", Family::Other);
        check("gpt", Family::Other);
        check("größe", Family::Other);
    }
}
