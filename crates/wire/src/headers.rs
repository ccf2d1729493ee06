//! A header list: fields in wire order over one buffer of text.
//!
//! Names are kept in Go's canonical spelling (`X-Forwarded-For`), because that is what Traefik's upstreams see. The list
//! is made for messages of ten to forty fields: a look-up is a scan over 12-byte entries, a known name that is absent is
//! answered by one bit test, and text and entries come from a per-thread store, so that a request allocates nothing.
//!
//! The text of a field is the very line that goes out, `Name: value` and CRLF, so that a run of fields is written to the
//! wire with one copy.

use crate::known::Known;
use crate::scan::find_below;
use std::cell::RefCell;
use std::fmt;

/// Header fields in order. Names compare without case.
#[derive(Default)]
pub struct Headers {
    text: Vec<u8>,
    fields: Vec<Field>,
    present: u64,
}

/// One line of the text.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub line: u32,
    pub value_len: u32,
    pub name_len: u16,
    pub known: Known,
}

/// The fields of a list, apart from their text.
pub(crate) struct Fields<'h> {
    list: &'h mut Vec<Field>,
    present: &'h mut u64,
}

impl Fields<'_> {
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds the line at `line`, its name in canonical spelling.
    #[inline(always)]
    pub fn add(&mut self, line: usize, name_len: usize, value_len: usize, known: Known) {
        *self.present |= known.bit();
        self.list.push(Field {
            line: line as u32,
            value_len: value_len as u32,
            name_len: name_len as u16,
            known,
        });
    }
}

/// Between name and value, and after the value.
const SEPARATOR: &[u8] = b": ";
const END: &[u8] = b"\r\n";
/// A longer name is cut.
const MAX_NAME: usize = u16::MAX as usize;

impl Field {
    #[inline]
    fn name(self, text: &[u8]) -> &[u8] {
        &text[self.line as usize..][..self.name_len as usize]
    }
    #[inline]
    fn value(self, text: &[u8]) -> &[u8] {
        &text[self.line as usize + self.name_len as usize + SEPARATOR.len()..][..self.value_len as usize]
    }
    #[inline]
    fn end(self) -> usize {
        self.line as usize + self.name_len as usize + SEPARATOR.len() + self.value_len as usize + END.len()
    }
}

impl Headers {
    /// An empty list, with buffers that an earlier one gave back where there are any.
    pub fn new() -> Headers {
        SPARE.with_borrow_mut(|s| s.pop()).unwrap_or_default()
    }

    /// Number of fields (not of distinct names).
    #[inline]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of text held: every line with its separators, including what was replaced since.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Fields in order, as canonical name and value.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + Clone {
        self.fields
            .iter()
            .map(|f| (f.name(&self.text), f.value(&self.text)))
    }

    /// Fields in order with the number of the name.
    #[inline]
    pub fn iter_known(&self) -> impl Iterator<Item = (Known, &[u8], &[u8])> {
        self.fields
            .iter()
            .map(|f| (f.known, f.name(&self.text), f.value(&self.text)))
    }

    /// Fields in order whose names are among `names`: the [bits](Known::bit) of those that are asked for.
    #[inline]
    pub(crate) fn iter_among(&self, names: u64) -> impl Iterator<Item = (Known, &[u8])> {
        let fields = if self.present & names == 0 {
            &[][..]
        } else {
            &self.fields[..]
        };
        fields
            .iter()
            .filter(move |f| f.known.bit() & names != 0)
            .map(|f| (f.known, f.value(&self.text)))
    }

    /// The first value of a known name.
    #[inline]
    pub fn known(&self, known: Known) -> Option<&[u8]> {
        if self.present & known.bit() == 0 {
            return None;
        }
        self.fields
            .iter()
            .find(|f| f.known == known)
            .map(|f| f.value(&self.text))
    }

    /// The first value of a known name when it is UTF-8 text.
    pub fn known_str(&self, known: Known) -> Option<&str> {
        std::str::from_utf8(self.known(known)?).ok()
    }

    /// Whether a known name is there.
    #[inline]
    pub fn has(&self, known: Known) -> bool {
        self.present & known.bit() != 0
    }

    /// Whether any header of `X-Forwarded-*` and `X-Real-Ip` is there.
    #[inline]
    pub fn has_forwarding(&self) -> bool {
        self.present & FORWARDING != 0
    }

    /// The first value of `name`, in any case.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let key = Key::of(name.as_ref());
        if key.absent_from(self.present) {
            return None;
        }
        self.fields
            .iter()
            .find(|f| key.is(f, self))
            .map(|f| f.value(&self.text))
    }

    /// The first value of `name` when it is UTF-8 text.
    pub fn get_str(&self, name: impl AsRef<[u8]>) -> Option<&str> {
        self.get(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// Every value of `name` in order, in any case.
    pub fn get_all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        let key = Key::of(name);
        let fields = if key.absent_from(self.present) {
            &[][..]
        } else {
            &self.fields[..]
        };
        fields
            .iter()
            .filter(move |f| key.is(f, self))
            .map(|f| f.value(&self.text))
    }

    /// Whether `name` is there, in any case.
    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field at the end; the name is written in canonical spelling. An empty name adds nothing.
    pub fn append(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.append_key(Key::of(name.as_ref()), value.as_ref());
    }

    fn append_key(&mut self, key: Key<'_>, value: &[u8]) {
        match key.known {
            Known::Other => self.push(key.name, Known::Other, value, true),
            known => self.append_known(known, value),
        }
    }

    /// Adds a field at the end with the name spelt as given. An empty name adds nothing.
    pub fn append_verbatim(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref();
        self.push(name, Known::of(name), value.as_ref(), false);
    }

    /// Adds a field of a known name at the end; nothing for [`Known::Other`].
    #[inline]
    pub fn append_known(&mut self, known: Known, value: impl AsRef<[u8]>) {
        let (start, value) = (known.line_start().as_bytes(), value.as_ref());
        if start.is_empty() {
            return;
        }
        let line = self.text.len();
        self.text.reserve(start.len() + value.len() + END.len());
        self.text.extend_from_slice(start);
        self.finish_line(line, start.len() - SEPARATOR.len(), known, value);
    }

    /// Adds a field of a known name with the first value of another; nothing if there is no value.
    #[inline]
    pub fn append_copy(&mut self, known: Known, of: Known) {
        if !self.has(of) {
            return;
        }
        let Some(from) = self.fields.iter().find(|f| f.known == of).copied() else {
            return;
        };
        let line = self.text.len();
        self.text.extend_from_slice(known.line_start().as_bytes());
        let name_len = self.text.len() - line - SEPARATOR.len();
        let value = from.end() - END.len() - from.value_len as usize;
        // A value that is in the list is clean.
        self.text.extend_from_within(value..from.end());
        self.add(line, name_len, from.value_len as usize, known);
    }

    /// Puts `value` in the place of the first field of that name and drops the others; adds it at the end if there is none.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.set_key(Key::of(name.as_ref()), value.as_ref());
    }

    fn set_key(&mut self, key: Key<'_>, value: &[u8]) {
        let first = if key.absent_from(self.present) {
            None
        } else {
            self.fields.iter().position(|f| key.is(f, self))
        };
        let Some(at) = first else {
            return self.append_key(key, value);
        };
        let old = self.fields[at];
        let line = self.text.len();
        let name = old.line as usize..old.line as usize + old.name_len as usize;
        self.text.extend_from_within(name);
        self.text.extend_from_slice(SEPARATOR);
        self.finish_line(line, old.name_len as usize, old.known, value);
        if let Some(new) = self.fields.pop() {
            self.fields[at] = new;
        }
        self.remove_after(at + 1, key);
    }

    /// Like [`Headers::set`] for a known name; nothing for [`Known::Other`].
    #[inline]
    pub fn set_known(&mut self, known: Known, value: impl AsRef<[u8]>) {
        self.set_key(Key::known(known), value.as_ref());
    }

    /// Drops every field of that name; says whether there was one.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) -> bool {
        let key = Key::of(name.as_ref());
        if key.absent_from(self.present) {
            return false;
        }
        let before = self.fields.len();
        self.remove_after(0, key);
        if key.known != Known::Other {
            self.present &= !key.known.bit();
        }
        self.fields.len() != before
    }

    /// Drops every field of a known name.
    #[inline]
    pub fn remove_known(&mut self, known: Known) {
        if self.has(known) {
            self.fields.retain(|f| f.known != known);
            self.present &= !known.bit();
        }
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Known, &[u8], &[u8]) -> bool) {
        let text = &self.text;
        let mut present = 0;
        self.fields.retain(|f| {
            let kept = keep(f.known, f.name(text), f.value(text));
            if kept {
                present |= f.known.bit();
            }
            kept
        });
        self.present = present;
    }

    /// Removes all fields; keeps the buffers.
    pub fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.present = 0;
    }

    /// Adds all fields of `other` at the end.
    pub fn extend(&mut self, other: &Headers) {
        // Lines of a list are clean as they are; what was replaced in `other` comes along and is of no use here either.
        let at = self.text.len() as u32;
        self.text.extend_from_slice(&other.text);
        let moved = |f: &Field| Field {
            line: f.line + at,
            ..*f
        };
        self.fields.extend(other.fields.iter().map(moved));
        self.present |= other.present;
    }

    /// Makes room for `text` bytes in `fields` fields, as a parser knows them beforehand.
    #[inline]
    pub fn reserve(&mut self, fields: usize, text: usize) {
        self.fields.reserve(fields);
        self.text.reserve(text);
    }

    /// The lines of the fields that `keep` says, as they stand, in as few pieces as there are.
    #[inline]
    pub(crate) fn write_lines(&self, out: &mut Vec<u8>, mut keep: impl FnMut(Known, &[u8]) -> bool) {
        let (mut from, mut to) = (0, 0);
        for f in &self.fields {
            if !keep(f.known, f.name(&self.text)) {
                continue;
            }
            if f.line as usize != to {
                out.extend_from_slice(&self.text[from..to]);
                from = f.line as usize;
            }
            to = f.end();
        }
        out.extend_from_slice(&self.text[from..to]);
    }

    /// The text, for a parser that writes lines to it and adds them as fields.
    #[inline(always)]
    pub(crate) fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// The text, and where to add the fields that a parser finds in it.
    #[inline(always)]
    pub(crate) fn parts(&mut self) -> (&mut [u8], Fields<'_>) {
        (
            &mut self.text,
            Fields {
                list: &mut self.fields,
                present: &mut self.present,
            },
        )
    }

    fn push(&mut self, name: &[u8], known: Known, value: &[u8], canonical: bool) {
        let name = &name[..name.len().min(MAX_NAME)];
        if name.is_empty() {
            return;
        }
        let line = self.text.len();
        self.text.extend_from_slice(name);
        let written = &mut self.text[line..];
        if canonical {
            canonicalize(written)
        } else {
            clean(written)
        }
        self.text.extend_from_slice(SEPARATOR);
        self.finish_line(line, name.len(), known, value);
    }

    /// Puts a value and the line end behind a name and its separator.
    #[inline]
    fn finish_line(&mut self, line: usize, name_len: usize, known: Known, value: &[u8]) {
        let at = self.text.len();
        self.text.extend_from_slice(value);
        clean(&mut self.text[at..]);
        self.text.extend_from_slice(END);
        self.add(line, name_len, value.len(), known);
    }

    #[inline(always)]
    fn add(&mut self, line: usize, name_len: usize, value_len: usize, known: Known) {
        self.present |= known.bit();
        self.fields.push(Field {
            line: line as u32,
            value_len: value_len as u32,
            name_len: name_len as u16,
            known,
        });
    }

    fn remove_after(&mut self, from: usize, key: Key<'_>) {
        let text = &self.text;
        let mut i = 0;
        self.fields.retain(|f| {
            i += 1;
            i <= from || !key.matches(f, text)
        });
    }
}

/// A name to look for: by number if it has one, by text otherwise.
#[derive(Clone, Copy)]
struct Key<'a> {
    known: Known,
    name: &'a [u8],
}

impl<'a> Key<'a> {
    #[inline]
    fn of(name: &'a [u8]) -> Key<'a> {
        Key {
            known: Known::of(name),
            name,
        }
    }
    #[inline]
    fn known(known: Known) -> Key<'static> {
        Key {
            known,
            name: known.name().as_bytes(),
        }
    }
    #[inline]
    fn absent_from(&self, present: u64) -> bool {
        present & self.known.bit() == 0
    }
    #[inline]
    fn is(&self, f: &Field, of: &Headers) -> bool {
        self.matches(f, &of.text)
    }
    #[inline]
    fn matches(&self, f: &Field, text: &[u8]) -> bool {
        f.known == self.known
            && (self.known != Known::Other
                || (f.name_len as usize == self.name.len() && f.name(text).eq_ignore_ascii_case(self.name)))
    }
}

const FORWARDING: u64 = Known::XForwardedFor.bit()
    | Known::XForwardedHost.bit()
    | Known::XForwardedMethod.bit()
    | Known::XForwardedPort.bit()
    | Known::XForwardedPrefix.bit()
    | Known::XForwardedProto.bit()
    | Known::XForwardedServer.bit()
    | Known::XForwardedTlsClientCert.bit()
    | Known::XForwardedTlsClientCertInfo.bit()
    | Known::XForwardedUri.bit()
    | Known::XRealIp.bit();

/// A value can never end a line: whatever put CR, LF or NUL there, a space goes out instead.
#[inline]
fn clean(value: &mut [u8]) {
    let odd = find_below(value, 0, 0x20);
    for b in &mut value[odd..] {
        if matches!(*b, b'\r' | b'\n' | 0) {
            *b = b' ';
        }
    }
}

/// Go's canonical header spelling: upper case at the start and after `-`, lower case elsewhere. A name that is not a
/// token (RFC 9110 §5.6.2) keeps its spelling; it still cannot end a line.
pub fn canonicalize(name: &mut [u8]) {
    if !name.iter().all(|&b| is_token(b)) {
        return clean(name);
    }
    let mut upper = true;
    for b in name {
        *b = if upper {
            b.to_ascii_uppercase()
        } else {
            b.to_ascii_lowercase()
        };
        upper = *b == b'-';
    }
}

/// Whether `b` may stand in a token (RFC 9110 §5.6.2).
#[inline]
pub fn is_token(b: u8) -> bool {
    TOKEN[b as usize]
}

static TOKEN: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        t[i] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        i += 1;
    }
    t
};

thread_local! {
    static SPARE: RefCell<Vec<Headers>> = const { RefCell::new(Vec::new()) };
}
/// Lists kept for reuse per thread, and the largest text kept with one.
const SPARE_LISTS: usize = 256;
const SPARE_TEXT: usize = 8 * 1024;

impl Drop for Headers {
    fn drop(&mut self) {
        if self.text.capacity() == 0 || self.text.capacity() > SPARE_TEXT {
            return;
        }
        let mut back = Headers {
            text: std::mem::take(&mut self.text),
            fields: std::mem::take(&mut self.fields),
            present: 0,
        };
        back.clear();
        // The store may be gone already when a thread ends; what is not kept must not come back here.
        let kept = SPARE.try_with(|s| {
            let mut s = s.borrow_mut();
            if s.len() < SPARE_LISTS {
                s.push(std::mem::take(&mut back));
            }
        });
        let _ = kept;
        back.text = Vec::new();
    }
}

impl Clone for Headers {
    fn clone(&self) -> Headers {
        let mut copy = Headers::new();
        copy.text.extend_from_slice(&self.text);
        copy.fields.extend_from_slice(&self.fields);
        copy.present = self.present;
        copy
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v))),
            )
            .finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Headers {
        let mut list = Headers::new();
        for (name, value) in fields {
            list.append(name, value);
        }
        list
    }
}

#[cfg(test)]
mod tests;
