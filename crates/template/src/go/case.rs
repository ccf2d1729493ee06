//! Upper, lower and title case as Go has them: one character becomes one character.

/// `unicode.ToUpper`.
pub(crate) fn upper(c: char) -> char {
    single(c, c.to_uppercase())
}

/// `unicode.ToLower`.
pub(crate) fn lower(c: char) -> char {
    // Its full mapping has two characters, its simple one is this.
    if c == 'İ' {
        return 'i';
    }
    single(c, c.to_lowercase())
}

/// `unicode.ToTitle`, which differs from upper case for digraphs alone.
pub(crate) fn title(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        c => upper(c),
    }
}

fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// `strings.Title`: the first letter of every word.
pub(crate) fn title_words(text: &str) -> String {
    let mut before = ' ';
    text.chars()
        .map(|c| {
            let starts = separates(before);
            before = c;
            if starts { title(c) } else { c }
        })
        .collect()
}

fn separates(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric() && c != '_';
    }
    !c.is_alphanumeric() && c.is_whitespace()
}
