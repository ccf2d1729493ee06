//! The way to a claim: names joined by `.`; `\.` is a dot in a name, `\\` a backslash.

use serde_json::{Map, Value};

/// The way to a claim, from the outermost object inwards. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Box<str>>);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// The byte, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, (usize, &'static str)> {
        let mut names = Vec::new();
        let mut name = String::new();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '.' if name.is_empty() => return Err((at, "a name is missing before `.`")),
                '.' => names.push(std::mem::take(&mut name).into_boxed_str()),
                '\\' => match chars.next() {
                    Some((_, c @ ('.' | '\\'))) => name.push(c),
                    _ => return Err((at, "`\\` stands before `.` or `\\` only")),
                },
                c => name.push(c),
            }
        }
        if name.is_empty() {
            return Err((text.len(), "the name of a claim is missing"));
        }
        names.push(name.into_boxed_str());
        Ok(Path(names))
    }

    /// The claim at its end.
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(&**first)?, |value, name| {
            value.as_object()?.get(&**name)
        })
    }

    /// The names, from the outermost object inwards.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Whether its first name is `name`.
    pub fn starts_with(&self, name: &str) -> bool {
        self.0.first().is_some_and(|first| &**first == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |text: &str, want: Result<&[&str], usize>| {
            let got = Path::parse(text).map_err(|(at, _)| at);
            let got = got.as_ref().map(|p| p.0.iter().map(|n| &**n).collect::<Vec<_>>());
            assert_eq!(got.map_err(|at| *at), want.map(<[&str]>::to_vec), "{text}");
        };
        check("sub", Ok(&["sub"]));
        check("a.b.c", Ok(&["a", "b", "c"]));
        check(r"https://x\.test/roles", Ok(&["https://x.test/roles"]));
        check(r"a\\.b", Ok(&["a\\", "b"]));
        check("", Err(0));
        check(".a", Err(0));
        check("a..b", Err(2));
        check("a.", Err(2));
        check(r"a\b", Err(1));
        check(r"a\", Err(1));
    }
}
