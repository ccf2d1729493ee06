//! One call of a function: what it looks at, and what it wants to find there.

use super::Place;
use crate::value::{Failure, List, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Every function, with the fewest and the most arguments it takes. The functions behind [`OF_CLAIMS`] of them order numbers, which
/// claims have none for.
pub const FUNCTIONS: [(&str, usize, usize); 9] = [
    ("Equals", 2, 2),
    ("Prefix", 2, 2),
    ("Contains", 2, 2),
    ("SplitContains", 3, 3),
    ("OneOf", 2, usize::MAX),
    ("Lt", 2, 2),
    ("Lte", 2, 2),
    ("Gt", 2, 2),
    ("Gte", 2, 2),
];
/// Of [`FUNCTIONS`], those that a claims expression has.
pub(super) const OF_CLAIMS: usize = 5;

/// One call. A further function is a line in [`FUNCTIONS`], and an arm in [`Call::of`] and in [`Test::holds`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call<P> {
    place: P,
    test: Test<P>,
}

#[derive(Clone, Debug, PartialEq)]
enum Test<P> {
    /// It is this text; a number or truth value that is written so.
    Equals(Wanted<P>),
    /// It is text that begins so.
    Prefix(Wanted<P>),
    /// It is text with this in it, or a list with this item.
    Contains(Wanted<P>),
    /// It is text whose parts, cut at the separator, are one of them this.
    SplitContains(Box<str>, Wanted<P>),
    /// It is a list with one of these items; a call's fact can also be one of them.
    OneOf(Vec<Wanted<P>>),
    /// It is a number that stands so to this one.
    Order(&'static str, Wanted<P>),
}

/// A value that is asked for: text, with facts in it where the language has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted<P> {
    Text(Box<str>),
    /// Pieces that follow each other.
    Made(Vec<Piece<P>>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece<P> {
    Text(Box<str>),
    Fact(P),
}

impl<P: Place> Call<P> {
    /// The call of a function by its position among [`FUNCTIONS`], with as many values behind the place as it takes.
    pub fn of(function: usize, place: P, separator: Box<str>, mut values: Vec<Wanted<P>>) -> Call<P> {
        let mut value = || values.pop().unwrap_or(Wanted::Text("".into()));
        let test = match function {
            0 => Test::Equals(value()),
            1 => Test::Prefix(value()),
            2 => Test::Contains(value()),
            3 => Test::SplitContains(separator, value()),
            4 => Test::OneOf(values),
            order => Test::Order(FUNCTIONS[order].0, value()),
        };
        Call { place, test }
    }

    pub fn places<'a>(&'a self, into: &mut Vec<&'a P>) {
        into.push(&self.place);
        match &self.test {
            Test::OneOf(all) => all.iter().for_each(|wanted| wanted.places(into)),
            Test::Equals(wanted)
            | Test::Prefix(wanted)
            | Test::Contains(wanted)
            | Test::SplitContains(_, wanted)
            | Test::Order(_, wanted) => wanted.places(into),
        }
    }

    /// Whether what is found fits. What is absent, and what nothing can be made of, fits nothing.
    pub fn holds<'f>(&'f self, facts: P::Facts<'f>) -> Result<bool, Failure> {
        let Some(found) = self.place.find(facts)? else {
            return Ok(false);
        };
        match &self.test {
            Test::OneOf(all) => {
                for wanted in all {
                    if let Some(text) = wanted.text(facts)?
                        && is_among::<P>(&found, &text)
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::Equals(wanted)
            | Test::Prefix(wanted)
            | Test::Contains(wanted)
            | Test::SplitContains(_, wanted)
            | Test::Order(_, wanted) => match wanted.text(facts)? {
                Some(text) => self.test.holds(&found, &text),
                None => Ok(false),
            },
        }
    }
}

impl<P: Place> Test<P> {
    fn holds(&self, found: &Value<'_>, wanted: &str) -> Result<bool, Failure> {
        Ok(match (self, found) {
            (Test::Equals(_), found) => is::<P>(found, wanted),
            (Test::Prefix(_), Value::Text(text)) => text.starts_with(wanted),
            (Test::Contains(_), Value::Text(text)) => text.contains(wanted),
            (Test::Contains(_), Value::List(items)) => has::<P>(items, wanted),
            (Test::SplitContains(separator, _), Value::Text(text)) => {
                text.split(&**separator).any(|part| part == wanted)
            }
            (Test::Order(function, _), found) => return order(function, found, wanted),
            _ => false,
        })
    }
}

/// Whether a number stands so to another. What is there and is none is a failure: a server may well read a number from `"5000"`.
fn order(function: &'static str, found: &Value<'_>, wanted: &str) -> Result<bool, Failure> {
    if !matches!(found, Value::Int(_) | Value::UInt(_) | Value::Double(_)) {
        return Err(Failure::mismatch(function, &[found]));
    }
    let bound = number(wanted).ok_or_else(|| Failure::NotANumber(wanted.to_owned()))?;
    let order = found.order(&bound, function)?;
    Ok(match function {
        "Lt" => order == Some(Ordering::Less),
        "Lte" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "Gt" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

/// A number as it is written.
pub(super) fn number(text: &str) -> Option<Value<'static>> {
    match text.parse::<i64>() {
        Ok(whole) => Some(Value::Int(whole)),
        Err(_) => text
            .parse()
            .ok()
            .filter(|n: &f64| n.is_finite())
            .map(Value::Double),
    }
}

/// A list that has the item; of a call, also the item itself.
fn is_among<P: Place>(found: &Value<'_>, wanted: &str) -> bool {
    match found {
        Value::List(items) => has::<P>(items, wanted),
        single => P::OF_CALLS && is::<P>(single, wanted),
    }
}

fn has<P: Place>(items: &List<'_>, wanted: &str) -> bool {
    items.iter().any(|item| is::<P>(&item, wanted))
}

/// Whether a single value is what `text` writes. Claims are compared as JSON writes them; numbers of a call, which its server is
/// free to read as it likes, by their value.
fn is<P: Place>(found: &Value<'_>, text: &str) -> bool {
    match found {
        Value::Text(found) => found == text,
        Value::Bool(found) => text == if *found { "true" } else { "false" },
        Value::Int(_) | Value::UInt(_) | Value::Double(_) => match written(found) {
            Some(written) if written == text => true,
            _ => P::OF_CALLS && number(text).is_some_and(|n| n.same(found)),
        },
        Value::Null | Value::List(_) | Value::Map(_) => false,
    }
}

/// A number as JSON writes it.
fn written(number: &Value<'_>) -> Option<String> {
    match number {
        Value::Int(n) => Some(n.to_string()),
        Value::UInt(n) => Some(n.to_string()),
        Value::Double(n) => serde_json::Number::from_f64(*n).map(|n| n.to_string()),
        _ => None,
    }
}

impl<P: Place> Wanted<P> {
    fn places<'a>(&'a self, into: &mut Vec<&'a P>) {
        let Wanted::Made(pieces) = self else { return };
        for piece in pieces {
            if let Piece::Fact(place) = piece {
                into.push(place);
            }
        }
    }

    /// The text; `None` where a fact in it is absent, is empty, or is no single value. A value made of nothing would be part
    /// of any text.
    fn text<'f>(&'f self, facts: P::Facts<'f>) -> Result<Option<Cow<'f, str>>, Failure> {
        let pieces = match self {
            Wanted::Text(text) => return Ok(Some(Cow::Borrowed(text))),
            Wanted::Made(pieces) => pieces,
        };
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Fact(place) => match place.find(facts)?.as_ref().and_then(single) {
                    Some(piece) => text.push_str(&piece),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(Cow::Owned(text)))
    }
}

fn single(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()).filter(|t| !t.is_empty()),
        Value::Bool(truth) => Some(truth.to_string()),
        number => written(number),
    }
}
