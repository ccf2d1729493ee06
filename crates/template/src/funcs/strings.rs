//! Text: sprig's chapter "String Functions".

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::convert::display;
use crate::function::Kind::{Any, Int, Str};
use crate::function::{Function, fixed, int, text, variadic};
use crate::go::case;
use crate::go::quote::quote;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("trim", &[Str], |b, a| b.text(text(&a[0]).trim())),
    fixed("trimAll", &[Str, Str], trim_all),
    fixed("trimall", &[Str, Str], trim_all),
    fixed("trimSuffix", &[Str, Str], |b, a| {
        let (suffix, s) = (text(&a[0]), text(&a[1]));
        b.text(s.strip_suffix(suffix).unwrap_or(s))
    }),
    fixed("trimPrefix", &[Str, Str], |b, a| {
        let (prefix, s) = (text(&a[0]), text(&a[1]));
        b.text(s.strip_prefix(prefix).unwrap_or(s))
    }),
    fixed("upper", &[Str], |b, a| each(b, &a[0], case::upper)),
    fixed("lower", &[Str], |b, a| each(b, &a[0], case::lower)),
    fixed("title", &[Str], |b, a| b.text(case::title_words(text(&a[0])))),
    fixed("untitle", &[Str], |b, a| b.text(untitle(text(&a[0])))),
    fixed("swapcase", &[Str], |b, a| b.text(swap_case(text(&a[0])))),
    fixed("repeat", &[Int, Str], |b, a| repeat(b, int(&a[0]), text(&a[1]))),
    fixed("substr", &[Int, Int, Str], |b, a| {
        let (start, end, s) = (int(&a[0]), int(&a[1]), text(&a[2]));
        let length = s.len() as i64;
        b.text(if start < 0 {
            cut(s, 0, end)?
        } else if end < 0 || end > length {
            cut(s, start, length)?
        } else {
            cut(s, start, end)?
        })
    }),
    fixed("nospace", &[Str], |b, a| {
        b.text(text(&a[0]).replace(char::is_whitespace, ""))
    }),
    fixed("trunc", &[Int, Str], |b, a| {
        let (count, s) = (int(&a[0]), text(&a[1]));
        let length = s.len() as i64;
        b.text(if count < 0 && length.saturating_add(count) > 0 {
            cut(s, length + count, length)?
        } else if count >= 0 && length > count {
            cut(s, 0, count)?
        } else {
            s
        })
    }),
    fixed("abbrev", &[Int, Str], |b, a| {
        b.text(abbreviate(text(&a[1]), 0, int(&a[0]))?)
    }),
    fixed("abbrevboth", &[Int, Int, Str], |b, a| {
        let (left, right, s) = (int(&a[0]), int(&a[1]), text(&a[2]));
        if left > 0 && right < 7 {
            return b.text(s);
        }
        b.text(abbreviate(s, left, right)?)
    }),
    fixed("initials", &[Str], |b, a| {
        let firsts = text(&a[0])
            .split_whitespace()
            .filter_map(|word| word.chars().next());
        b.text(firsts.collect::<String>())
    }),
    fixed("wrap", &[Int, Str], |b, a| {
        wrap(b, text(&a[1]), int(&a[0]), "\n", false)
    }),
    fixed("wrapWith", &[Int, Str, Str], |b, a| {
        let line_end = match text(&a[1]) {
            "" => "\n",
            line_end => line_end,
        };
        wrap(b, text(&a[2]), int(&a[0]), line_end, true)
    }),
    fixed("contains", &[Str, Str], |_, a| {
        Ok(text(&a[1]).contains(text(&a[0])).into())
    }),
    fixed("hasPrefix", &[Str, Str], |_, a| {
        Ok(text(&a[1]).starts_with(text(&a[0])).into())
    }),
    fixed("hasSuffix", &[Str, Str], |_, a| {
        Ok(text(&a[1]).ends_with(text(&a[0])).into())
    }),
    variadic("quote", &[], Any, |b, a| joined(b, a, quote)),
    variadic("squote", &[], Any, |b, a| joined(b, a, |s| format!("'{s}'"))),
    variadic("cat", &[], Any, |b, a| joined(b, a, str::to_owned)),
    fixed("indent", &[Int, Str], |b, a| {
        b.text(indent(b, int(&a[0]), text(&a[1]))?)
    }),
    fixed("nindent", &[Int, Str], |b, a| {
        b.text(format!("\n{}", indent(b, int(&a[0]), text(&a[1]))?))
    }),
    fixed("replace", &[Str, Str, Str], |b, a| {
        replace(b, text(&a[0]), text(&a[1]), text(&a[2]))
    }),
    fixed("plural", &[Str, Str, Int], |_, a| {
        Ok(a[usize::from(int(&a[2]) != 1)].clone())
    }),
    fixed("snakecase", &[Str], |b, a| {
        b.text(words::separated(text(&a[0]), '_'))
    }),
    fixed("kebabcase", &[Str], |b, a| {
        b.text(words::separated(text(&a[0]), '-'))
    }),
    fixed("camelcase", &[Str], |b, a| b.text(words::camel(text(&a[0])))),
    // Traefik's own: what may stand in a name.
    fixed("normalize", &[Str], |b, a| {
        let parts = text(&a[0]).split(|c: char| !c.is_alphanumeric());
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        b.text(parts.join("-"))
    }),
];

fn trim_all(budget: &Budget, args: &[Value]) -> Result<Value> {
    let set = text(&args[0]);
    budget.text(text(&args[1]).trim_matches(|c| set.contains(c)))
}

fn each(budget: &Budget, value: &Value, map: fn(char) -> char) -> Result<Value> {
    budget.text(text(value).chars().map(map).collect::<String>())
}

/// Bytes of a text, as Go cuts them. A character that would be cut in two is refused: what came of it would be no text.
fn cut(text: &str, start: i64, end: i64) -> Result<&str> {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let Some((start, end)) = range.filter(|(start, end)| start <= end && *end <= text.len()) else {
        let length = text.len();
        return Err(Fault::new(format!(
            "slice bounds out of range [{start}:{end}] with length {length}"
        )));
    };
    text.get(start..end)
        .ok_or_else(|| Fault::new(format!("[{start}:{end}] cuts a character of `{text}` in two")))
}

fn untitle(text: &str) -> String {
    let mut starts = true;
    text.chars()
        .map(|c| {
            let mapped = if starts { case::lower(c) } else { c };
            starts = c.is_whitespace();
            mapped
        })
        .collect()
}

fn swap_case(text: &str) -> String {
    let mut after_space = true;
    text.chars()
        .map(|c| {
            if c.is_uppercase() {
                after_space = false;
                return case::lower(c);
            }
            if c.is_lowercase() {
                let mapped = if after_space {
                    case::title(c)
                } else {
                    case::upper(c)
                };
                after_space = false;
                return mapped;
            }
            after_space = c.is_whitespace();
            c
        })
        .collect()
}

fn repeat(budget: &Budget, count: i64, text: &str) -> Result<Value> {
    let count = usize::try_from(count).map_err(|_| Fault::new("strings: negative Repeat count"))?;
    budget.charge(text.len().saturating_mul(count))?;
    Ok(text.repeat(count).into())
}

/// At most `width` bytes of a text, from `offset` on, with dots where something is missing.
fn abbreviate(text: &str, offset: i64, width: i64) -> Result<String> {
    let length = text.len() as i64;
    if width < 4 || length <= width {
        return Ok(text.to_owned());
    }
    let kept = width - 3;
    let offset = offset.min(length);
    let offset = if length - offset < kept {
        length - kept
    } else {
        offset
    };
    if offset <= 4 {
        return Ok(format!("{}...", cut(text, 0, kept)?));
    }
    if width < 7 {
        return Ok(String::new());
    }
    if offset + kept < length {
        let inner = abbreviate(cut(text, offset, length)?, 0, kept)?;
        return Ok(format!("...{inner}"));
    }
    Ok(format!("...{}", cut(text, length - kept, length)?))
}

/// Lines of at most `width` characters, cut at spaces; `cuts_words` where there are none.
fn wrap(budget: &Budget, text: &str, width: i64, line_end: &str, cuts_words: bool) -> Result<Value> {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let chars: Vec<char> = text.chars().collect();
    budget.step(chars.len())?;
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while chars.len() - at > width {
        if chars[at] == ' ' {
            at += 1;
            continue;
        }
        let space = chars[at..=at + width].iter().rposition(|c| *c == ' ');
        let (end, next) = match space {
            Some(space) => (at + space, at + space + 1),
            None if cuts_words => (at + width, at + width),
            None => match chars[at + width..].iter().position(|c| *c == ' ') {
                Some(space) => (at + width + space, at + width + space + 1),
                None => break,
            },
        };
        out.extend(&chars[at..end]);
        budget.charge(line_end.len())?;
        out.push_str(line_end);
        at = next;
    }
    out.extend(&chars[at..]);
    budget.text(out)
}

/// The arguments that are not nil, each changed, with spaces between.
fn joined(budget: &Budget, args: &[Value], change: impl Fn(&str) -> String) -> Result<Value> {
    let mut parts = Vec::with_capacity(args.len());
    for arg in args.iter().filter(|arg| !matches!(arg, Value::Nil)) {
        parts.push(change(&display(arg, budget)?));
    }
    budget.text(parts.join(" "))
}

fn indent(budget: &Budget, spaces: i64, text: &str) -> Result<String> {
    let spaces = usize::try_from(spaces).map_err(|_| Fault::new("strings: negative Repeat count"))?;
    let lines = text.matches('\n').count() + 1;
    budget.charge(spaces.saturating_mul(lines))?;
    let pad = " ".repeat(spaces);
    Ok(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

fn replace(budget: &Budget, old: &str, new: &str, text: &str) -> Result<Value> {
    let count = if old.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(old).count()
    };
    budget.charge(new.len().saturating_mul(count))?;
    budget.text(text.replace(old, new))
}

/// Words in names: where one ends and the next begins.
mod words {
    use crate::go::case;

    fn is_connector(c: char) -> bool {
        c == '-' || c == '_' || c.is_whitespace()
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Kind {
        Number,
        Upper,
        Letters,
        Connector,
        Punctuation,
        Other,
    }

    fn is_punctuation(c: char) -> bool {
        c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c)
            || matches!(c, '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '‐'..='‧' | '‰'..='⁞' | '、'..='〃')
    }

    fn kind(c: char) -> Kind {
        if is_connector(c) {
            Kind::Connector
        } else if is_punctuation(c) {
            Kind::Punctuation
        } else if c.is_uppercase() {
            Kind::Upper
        } else if c.is_alphabetic() {
            Kind::Letters
        } else if c.is_numeric() {
            Kind::Number
        } else {
            Kind::Other
        }
    }

    /// The text cut into words: capitals that belong together, a capital with its small letters, numbers, what is between.
    fn split(text: &str) -> Vec<(Kind, String)> {
        let chars: Vec<char> = text.chars().collect();
        let mut words = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            let first = kind(chars[at]);
            let run = |from: usize, wanted: Kind| {
                let rest = &chars[from..];
                from + rest.iter().position(|c| kind(*c) != wanted).unwrap_or(rest.len())
            };
            let mut end = run(at + 1, first);
            if first == Kind::Upper {
                let letters = end < chars.len() && kind(chars[end]) == Kind::Letters;
                if end > at + 1 && letters {
                    // The last capital begins the next word.
                    end -= 1;
                } else if letters {
                    end = run(end, Kind::Letters);
                }
            }
            words.push((first, chars[at..end].iter().collect()));
            at = end;
        }
        words
    }

    /// Small letters, with a connector between words.
    pub(super) fn separated(text: &str, connector: char) -> String {
        let words = split(text);
        let mut out = String::with_capacity(text.len() + 8);
        let is_word = |k: Kind| matches!(k, Kind::Letters | Kind::Number);
        let joins = |k: Option<&(Kind, String)>| {
            k.is_some_and(|(k, _)| !matches!(k, Kind::Connector | Kind::Punctuation))
        };
        let mut at = 0;
        while let Some((kind, word)) = words.get(at) {
            push(&mut out, *kind, word, connector);
            at += 1;
            match kind {
                Kind::Connector | Kind::Punctuation => continue,
                Kind::Number => {
                    at = push_run(&mut out, &words, at, is_word, connector);
                    if joins(words.get(at)) {
                        out.push(connector);
                    }
                }
                _ => {
                    let Some((next, number)) = words.get(at) else {
                        continue;
                    };
                    if *next != Kind::Number {
                        if joins(words.get(at)) {
                            out.push(connector);
                        }
                        continue;
                    }
                    // A number at the end, or before what is no small letter, belongs to the word before it.
                    let Some((after, _)) = words.get(at + 1) else {
                        continue;
                    };
                    if *after != Kind::Letters {
                        push(&mut out, *next, number, connector);
                        at += 1;
                        if joins(words.get(at)) {
                            out.push(connector);
                        }
                        continue;
                    }
                    out.push(connector);
                    at = push_run(&mut out, &words, at, is_word, connector);
                    if joins(words.get(at)) {
                        out.push(connector);
                    }
                }
            }
        }
        out
    }

    fn push_run(
        out: &mut String,
        words: &[(Kind, String)],
        mut at: usize,
        belongs: impl Fn(Kind) -> bool,
        connector: char,
    ) -> usize {
        while let Some((kind, word)) = words.get(at).filter(|(kind, _)| belongs(*kind)) {
            push(out, *kind, word, connector);
            at += 1;
        }
        at
    }

    fn push(out: &mut String, kind: Kind, word: &str, connector: char) {
        match kind {
            Kind::Connector => out.extend(word.chars().map(|_| connector)),
            Kind::Upper => out.extend(word.chars().map(case::lower)),
            _ => out.push_str(word),
        }
    }

    /// Words written together, each but the first with a capital; of several connectors all but one stay.
    pub(super) fn camel(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let first = chars.iter().position(|c| !is_connector(*c));
        let Some(first) = first.filter(|first| first + 1 < chars.len()) else {
            return last_alone(&chars);
        };
        let mut out: String = chars[..first].iter().collect();
        // Capitals that follow a capital become small: it was a word of capitals.
        let mut capitals = chars[first].is_uppercase();
        let mut before = case::lower(chars[first]);
        for &next in &chars[first + 1..] {
            let mut c = next;
            match (is_connector(before), is_connector(c)) {
                (true, true) => out.push(before),
                (true, false) => {
                    capitals = c.is_uppercase();
                    c = case::upper(c);
                }
                (false, _) => {
                    if capitals && c.is_uppercase() {
                        c = case::lower(c);
                    } else if capitals {
                        capitals = false;
                    }
                    out.push(before);
                }
            }
            before = c;
        }
        out.push(if capitals { case::lower(before) } else { before });
        out
    }

    /// A text of connectors, or one whose only other character is its last.
    fn last_alone(chars: &[char]) -> String {
        let small = |c: &char| if is_connector(*c) { *c } else { case::lower(*c) };
        let text: String = chars.iter().map(small).collect();
        match chars.last() {
            // Go's function says the last connector twice.
            Some(c) if is_connector(*c) => format!("{text}{c}"),
            _ => text,
        }
    }
}
