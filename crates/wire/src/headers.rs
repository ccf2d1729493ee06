//! A header list: fields in wire order over one buffer of text.
//!
//! Names are kept in Go's canonical spelling (`X-Forwarded-For`), because that is what Traefik's upstreams see. The list
//! is made for messages of ten to forty fields: a look-up is a scan over 16-byte entries, a known name that is absent is
//! answered by one bit test, and text and entries come from a per-thread store, so that a request allocates nothing.

use crate::known::Known;
use std::cell::RefCell;
use std::fmt;

/// Header fields in order. Names compare without case.
#[derive(Default)]
pub struct Headers {
    text: Vec<u8>,
    fields: Vec<Field>,
    present: u64,
}

#[derive(Clone, Copy)]
struct Field {
    name: u32,
    value: u32,
    value_len: u32,
    name_len: u16,
    known: Known,
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

    /// Bytes of text held, names and values, including what was replaced since.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Fields in order, as canonical name and value.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.iter().map(|f| (self.name_of(f), self.value_of(f)))
    }

    /// Fields in order with the number of the name.
    #[inline]
    pub fn iter_known(&self) -> impl Iterator<Item = (Known, &[u8], &[u8])> {
        self.fields.iter().map(|f| (f.known, self.name_of(f), self.value_of(f)))
    }

    /// The first value of a known name.
    #[inline]
    pub fn known(&self, known: Known) -> Option<&[u8]> {
        if self.present & known.bit() == 0 {
            return None;
        }
        self.fields.iter().find(|f| f.known == known).map(|f| self.value_of(f))
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
        self.fields.iter().find(|f| key.is(f, self)).map(|f| self.value_of(f))
    }

    /// The first value of `name` when it is UTF-8 text.
    pub fn get_str(&self, name: impl AsRef<[u8]>) -> Option<&str> {
        self.get(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// Every value of `name` in order, in any case.
    pub fn get_all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        let key = Key::of(name);
        let fields = if key.absent_from(self.present) { &[][..] } else { &self.fields[..] };
        fields.iter().filter(move |f| key.is(f, self)).map(|f| self.value_of(f))
    }

    /// Whether `name` is there, in any case.
    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field at the end; the name is written in canonical spelling.
    pub fn append(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref();
        let at = self.text.len();
        self.text.extend_from_slice(name);
        canonicalize(&mut self.text[at..]);
        self.push_value(at, name, value.as_ref());
    }

    /// Adds a field at the end with the name spelt as given.
    pub fn append_verbatim(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref();
        let at = self.text.len();
        self.text.extend_from_slice(name);
        self.push_value(at, name, value.as_ref());
    }

    /// Puts `value` in the place of the first field of that name and drops the others; adds it at the end if there is none.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        let key = Key::of(name);
        let first = if key.absent_from(self.present) { None } else { self.fields.iter().position(|f| key.is(f, self)) };
        let Some(first) = first else { return self.append(name, value) };
        let at = self.text.len();
        self.text.extend_from_slice(value);
        clean(&mut self.text[at..]);
        self.fields[first].value = at as u32;
        self.fields[first].value_len = value.len() as u32;
        self.remove_after(first + 1, key);
    }

    /// Like [`Headers::set`] for a known name.
    #[inline]
    pub fn set_known(&mut self, known: Known, value: impl AsRef<[u8]>) {
        self.set(known.name(), value);
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
            let kept = keep(f.known, slice(text, f.name, f.name_len as usize), slice(text, f.value, f.value_len as usize));
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
        for (name, value) in other.iter() {
            self.append_verbatim(name, value);
        }
    }

    /// Makes room for `text` bytes in `fields` fields, as a parser knows them beforehand.
    #[inline]
    pub fn reserve(&mut self, fields: usize, text: usize) {
        self.fields.reserve(fields);
        self.text.reserve(text);
    }

    #[inline]
    fn push_value(&mut self, name_at: usize, name: &[u8], value: &[u8]) {
        let at = self.text.len();
        self.text.extend_from_slice(value);
        clean(&mut self.text[at..]);
        let known = Known::of(name);
        self.present |= known.bit();
        self.fields.push(Field {
            name: name_at as u32,
            value: at as u32,
            value_len: value.len() as u32,
            name_len: name.len().min(u16::MAX as usize) as u16,
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

    #[inline]
    fn name_of(&self, f: &Field) -> &[u8] {
        slice(&self.text, f.name, f.name_len as usize)
    }

    #[inline]
    fn value_of(&self, f: &Field) -> &[u8] {
        slice(&self.text, f.value, f.value_len as usize)
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
        Key { known: Known::of(name), name }
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
                || (f.name_len as usize == self.name.len()
                    && slice(text, f.name, f.name_len as usize).eq_ignore_ascii_case(self.name)))
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

#[inline]
fn slice(text: &[u8], at: u32, len: usize) -> &[u8] {
    &text[at as usize..at as usize + len]
}

/// A value can never end a line: whatever put CR, LF or NUL there, a space goes out instead.
#[inline]
fn clean(value: &mut [u8]) {
    for b in value {
        if matches!(*b, b'\r' | b'\n' | 0) {
            *b = b' ';
        }
    }
}

/// Go's canonical header spelling: upper case at the start and after `-`, lower case elsewhere. A name that is not a
/// token (RFC 9110 §5.6.2) is left as it is.
pub fn canonicalize(name: &mut [u8]) {
    if !name.iter().all(|&b| is_token(b)) {
        return;
    }
    let mut upper = true;
    for b in name {
        *b = if upper { b.to_ascii_uppercase() } else { b.to_ascii_lowercase() };
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
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
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
            .entries(self.iter().map(|(n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v))))
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
mod tests {
    use super::*;

    fn list(h: &Headers) -> String {
        h.iter()
            .map(|(n, v)| format!("{}={}", String::from_utf8_lossy(n), String::from_utf8_lossy(v)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn sample() -> Headers {
        [("host", "a"), ("x-a", "1"), ("X-B", "2"), ("x-A", "3"), ("x-forwarded-for", "9")].into_iter().collect()
    }

    #[test]
    fn edits_keep_the_order_of_what_they_leave() {
        let check = |edit: fn(&mut Headers), want: &str| {
            let mut h = sample();
            edit(&mut h);
            assert_eq!(list(&h), want);
        };
        check(|_| (), "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9");
        check(|h| h.set("X-A", "new"), "Host=a X-A=new X-B=2 X-Forwarded-For=9");
        check(|h| h.set("x-c", "c"), "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9 X-C=c");
        check(|h| assert!(h.remove("x-a")), "Host=a X-B=2 X-Forwarded-For=9");
        check(|h| assert!(!h.remove("x-none")), "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9");
        check(|h| h.remove_known(Known::XForwardedFor), "Host=a X-A=1 X-B=2 X-A=3");
        check(|h| h.retain(|k, _, _| k == Known::Host), "Host=a");
        check(|h| h.append_verbatim("x-as-IS", "v"), "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9 x-as-IS=v");
    }

    #[test]
    fn lookups_ignore_case() {
        let mut h = sample();
        assert_eq!(h.get("HOST"), Some(&b"a"[..]));
        assert_eq!(h.known(Known::XForwardedFor), Some(&b"9"[..]));
        assert!(h.has_forwarding() && !h.has(Known::Cookie));
        assert_eq!(h.get_all(b"X-a").collect::<Vec<_>>(), [&b"1"[..], b"3"]);
        h.remove("x-forwarded-for");
        assert!(!h.has_forwarding() && h.known(Known::XForwardedFor).is_none());
    }

    #[test]
    fn a_value_cannot_end_a_line() {
        let mut h = Headers::new();
        h.append("x", "a\r\nEvil: 1\0");
        h.set("x", "b\nc");
        assert_eq!(list(&h), "X=b c");
    }
}
