//! Characters that a reader does not see and a program, or a model, reads all the same.

/// Whether a character is one: without width, a tag, a change of direction, a control character that is no white space. Joiners within
/// words and pictures (U+200C, U+200D) are none: languages need them.
pub fn is_unseen(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_unseen;

    #[test]
    fn what_nobody_sees() {
        let unseen = [
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{200b}',
            '\u{202e}',
            '\u{2064}',
            '\u{feff}',
            '\u{e0041}',
        ];
        assert_eq!(unseen.into_iter().find(|c| !is_unseen(*c)), None);
        let seen = [
            '\t',
            '\n',
            '\r',
            ' ',
            'a',
            '\u{a0}',
            '\u{ad}',
            '\u{200d}',
            '\u{2065}',
            '\u{1f469}',
        ];
        assert_eq!(seen.into_iter().find(|c| is_unseen(*c)), None);
    }
}
