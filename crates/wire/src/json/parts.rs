//! Members that are looked for, found while the document is checked: nobody walks over it a second time.

use super::check::Watch;
use super::text::Text;
use super::{Error, Fault, Splice, Value, name};
use std::ops::Range;

/// A member to look for. Tables of them are constants, so each says itself where it is found.
#[derive(Debug)]
pub struct Wanted {
    pub name: &'static str,
    /// Its place in [`Parts`].
    pub part: usize,
    /// In another spelling that lenient readers take for it (`Model`, `\u006dodel` is the same name) it is no reason to refuse the
    /// document: then it is only [there](Parts::place), and not [found](Parts::get).
    pub lenient: bool,
    /// What to look for in it, where it is an object.
    pub within: &'static [Wanted],
}

impl Wanted {
    /// One that is there once, in this spelling, or not at all.
    pub const fn new(name: &'static str, part: usize) -> Wanted {
        Wanted {
            name,
            part,
            lenient: false,
            within: &[],
        }
    }

    /// One that other spellings are no mistake for.
    pub const fn lenient(name: &'static str, part: usize) -> Wanted {
        Wanted {
            lenient: true,
            ..Wanted::new(name, part)
        }
    }

    /// The same, with what to look for in it.
    pub const fn with(self, within: &'static [Wanted]) -> Wanted {
        Wanted { within, ..self }
    }
}

/// Where the values of members stand that were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<const N: usize>([Part; N]);

/// A range of a document that is smaller than 4 GiB. No member's value is empty, or stands at its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    start: u32,
    end: u32,
    misspelt: bool,
}

impl Part {
    fn new(at: &Range<usize>, misspelt: bool) -> Part {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Part {
            start: narrow(at.start),
            end: narrow(at.end),
            misspelt,
        }
    }
}

impl<const N: usize> Default for Parts<N> {
    fn default() -> Parts<N> {
        Parts([Part::default(); N])
    }
}

impl<const N: usize> Parts<N> {
    /// The value of a member.
    pub fn get(&self, part: usize) -> Option<Range<usize>> {
        self.place(part).filter(|_| !self.0[part].misspelt)
    }

    /// The value of a member, in whatever spelling its name is there.
    pub fn place(&self, part: usize) -> Option<Range<usize>> {
        let found = self.0.get(part).filter(|found| found.end > 0)?;
        Some(found.start as usize..found.end as usize)
    }

    /// The value of a member of `doc`, which they were found in.
    pub fn value<'j>(&self, doc: &'j str, part: usize) -> Option<Value<'j>> {
        Some(Value::at(doc, self.get(part)?))
    }

    /// The value of a member of the document that `root` is of, which they were found in.
    pub fn value_in<'j>(&self, root: &Value<'j>, part: usize) -> Option<Value<'j>> {
        self.value(root.doc, part)
    }

    /// Says where a member's value is that was not there.
    pub fn put(&mut self, part: usize, value: Range<usize>) {
        if let Some(found) = self.0.get_mut(part) {
            *found = Part::new(&value, false);
        }
    }

    /// Forgets all from this one on.
    pub fn truncate(&mut self, from: usize) {
        self.0
            .iter_mut()
            .skip(from)
            .for_each(|found| *found = Part::default());
    }

    /// Adds those that `others` found in what begins at `at`.
    pub fn join(&mut self, others: &Parts<N>, at: usize) {
        for part in 0..N {
            if let Some(range) = others.place(part) {
                self.put(part, range.start + at..range.end + at);
            }
        }
    }

    /// Where they stand in the document with everything replaced, which is in parts, or parts as a whole.
    pub fn moved(&self, splice: &Splice) -> Parts<N> {
        let mut moved = self.clone();
        for (part, found) in moved.0.iter_mut().enumerate() {
            if let Some(range) = self.place(part) {
                *found = Part::new(&splice.moved(range), found.misspelt);
            }
        }
        moved
    }
}

/// Objects within each other that are looked into.
const MAX_LEVELS: usize = 4;

/// Looks for members while the grammar of a document is checked.
pub(super) struct Search<'j, const N: usize> {
    doc: &'j str,
    depth: usize,
    /// For each open object, outermost first.
    levels: [Level; MAX_LEVELS],
    parts: Parts<N>,
    found: Option<Error>,
}

#[derive(Clone, Copy, Default)]
struct Level {
    /// What is looked for in this object.
    wanted: &'static [Wanted],
    /// The member that is read now.
    member: Option<&'static Wanted>,
    /// Where its value begins.
    start: usize,
    misspelt: bool,
}

impl<'j, const N: usize> Search<'j, N> {
    pub(super) fn new(doc: &'j str, wanted: &'static [Wanted]) -> Search<'j, N> {
        let mut levels = [Level::default(); MAX_LEVELS];
        levels[0].wanted = wanted;
        Search {
            doc,
            depth: 0,
            levels,
            parts: Parts::default(),
            found: None,
        }
    }

    /// What was found.
    ///
    /// # Errors
    /// A member is there twice, or in another spelling.
    pub(super) fn parts(self) -> Result<Parts<N>, Error> {
        match self.found {
            Some(error) => Err(error),
            None => Ok(self.parts),
        }
    }

    /// The innermost object, where it is one that is looked into.
    #[inline]
    fn level(&mut self) -> Option<&mut Level> {
        self.levels.get_mut(self.depth.checked_sub(1)?)
    }

    /// What is looked for in an object that begins now.
    fn wanted(&self) -> &'static [Wanted] {
        match self.depth {
            0 => self.levels[0].wanted,
            depth => {
                let outer = self.levels.get(depth - 1).and_then(|outer| outer.member);
                outer.map_or(&[], |member| member.within)
            }
        }
    }
}

/// Which of those a lenient reader takes a name for, and whether it is another spelling.
fn which(wanted: &'static [Wanted], name: &Text<'_>) -> Option<(&'static Wanted, bool)> {
    let raw = name.raw();
    if let Some(same) = wanted.iter().find(|wanted| wanted.name == raw) {
        return Some((same, false));
    }
    let alike = wanted.get(name::position(name, wanted.iter().map(|w| w.name))?)?;
    Some((alike, !name.is(alike.name)))
}

impl<const N: usize> Watch for Search<'_, N> {
    #[inline]
    fn open(&mut self, object: bool) {
        let wanted = if object { self.wanted() } else { &[] };
        self.depth += 1;
        if let Some(level) = self.level() {
            *level = Level {
                wanted,
                ..Level::default()
            };
        }
    }

    #[inline]
    fn close(&mut self) {
        self.depth -= 1;
    }

    #[inline]
    fn name(&mut self, at: Range<usize>, _: bool) {
        let doc = self.doc;
        let Some(level) = self.level().filter(|level| !level.wanted.is_empty()) else {
            return;
        };
        let (start, text) = (at.start, Text::at(doc, at));
        let Some((member, misspelt)) = which(level.wanted, &text) else {
            return;
        };
        (level.member, level.misspelt) = (Some(member), misspelt);
        let is_wrong = level.misspelt && !member.lenient;
        if is_wrong || self.parts.place(member.part).is_some() {
            self.found.get_or_insert(Error {
                what: Fault::Twice,
                at: start,
            });
        }
    }

    #[inline]
    fn begin(&mut self, at: usize) {
        if let Some(level) = self.level() {
            level.start = at;
        }
    }

    #[inline]
    fn end(&mut self, at: usize) {
        let Some(level) = self.level() else { return };
        let Some(member) = level.member.take() else { return };
        let part = Part::new(&(level.start..at), level.misspelt);
        if let Some(found) = self.parts.0.get_mut(member.part) {
            *found = part;
        }
    }

    #[inline]
    fn string(&mut self, _: Range<usize>, _: bool) {}
    #[inline]
    fn number(&mut self, _: Range<usize>) {}
}

#[cfg(test)]
mod tests {
    use super::super::{find, find_alike, parse};
    use super::*;

    const INNER: &[Wanted] = &[Wanted::new("x", 3), Wanted::lenient("y", 4)];
    const MIDDLE: &[Wanted] = &[Wanted::new("a", 2), Wanted::new("in", 5).with(INNER)];
    const OUTER: &[Wanted] = &[Wanted::new("a", 0), Wanted::new("b", 1).with(MIDDLE)];

    /// As `part=value`, those in another spelling as `part~value`.
    fn found(doc: &str) -> Result<String, (Fault, usize)> {
        let (_, parts) = find::<6>(doc.as_bytes(), OUTER).map_err(|e| (e.what, e.at))?;
        let told = (0..6).filter_map(|part| {
            let sign = if parts.get(part).is_some() { '=' } else { '~' };
            Some(format!("{part}{sign}{}", &doc[parts.place(part)?]))
        });
        Ok(told.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn members_are_found_where_they_are_looked_for() {
        let check = |doc: &str, want: &str| assert_eq!(found(doc).as_deref(), Ok(want), "{doc}");
        check("{}", "");
        check("7", "");
        check(r#"[{"a":1}]"#, "");
        check(r#" { "a" : [1, {"a":2}] , "c":{"a":3} } "#, r#"0=[1, {"a":2}]"#);
        check(
            r#"{"b":{"in":{"x":null,"z":{"x":2}},"a":"t\"" },"a":-1e3}"#,
            r#"0=-1e3 1={"in":{"x":null,"z":{"x":2}},"a":"t\"" } 2="t\"" 3=null 5={"x":null,"z":{"x":2}}"#,
        );
        check(r#"{"b":[{"a":1}],"a":{}}"#, r#"0={} 1=[{"a":1}]"#);
        check(
            r#"{"b":{"in":{"Y":true}}}"#,
            r#"1={"in":{"Y":true}} 4~true 5={"Y":true}"#,
        );
        check(r#"{"\u0061":1}"#, "0=1");
    }

    #[test]
    fn what_two_readers_could_take_for_two_is_refused() {
        let check = |doc: &str, at: usize| assert_eq!(found(doc), Err((Fault::Twice, at)), "{doc}");
        check(r#"{"a":1,"a":1}"#, 8);
        check(r#"{"A":1}"#, 2);
        check(r#"{"a":1,"b":{"a":1,"\u0041":1}}"#, 19);
        check(r#"{"b":{"in":{"y":1,"Y":1}}}"#, 19);
        assert_eq!(found("{"), Err((Fault::End, 1)));
    }

    /// With any byte another, it finds what a walk over the document finds.
    #[test]
    fn a_walk_finds_the_same() {
        let whole = r#"{"a":[1,{"a":2}],"b":{"a":"x","in":{"x":{"x":1},"y":0.5}},"c":{"a":{}}}"#;
        for at in 0..whole.len() {
            for byte in *br#""\{}[],:aAbxy 19"# {
                let mut other = whole.as_bytes().to_vec();
                other[at] = byte;
                let doc = String::from_utf8_lossy(&other);
                let Ok((root, parts)) = find_alike::<6>(&other, OUTER) else {
                    assert!(parse(&other).is_err(), "{doc}");
                    continue;
                };
                let Ok(parts) = parts else { continue };
                let walk = |names: &[&str]| {
                    let inner = names.iter().try_fold(root.clone(), |value, name| value.get(name));
                    inner.map(|value| value.range())
                };
                let want: [&[&str]; 6] = [
                    &["a"],
                    &["b"],
                    &["b", "a"],
                    &["b", "in", "x"],
                    &["b", "in", "y"],
                    &["b", "in"],
                ];
                for (part, names) in want.iter().enumerate() {
                    assert_eq!(parts.get(part), walk(names), "{names:?} of {doc}");
                }
            }
        }
    }
}
