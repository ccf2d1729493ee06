//! What kind of content some bytes begin: the WHATWG's MIME Sniffing Standard §7, as far as Go's server implements it.

/// Bytes that are looked at.
pub(crate) const LOOK: usize = 512;

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The content type of data that begins like this.
pub(crate) fn content_type(data: &[u8]) -> &'static str {
    let data = &data[..data.len().min(LOOK)];
    let start = data.iter().position(|b| !is_space(*b)).unwrap_or(data.len());
    let text = &data[start..];
    if TAGS.iter().any(|tag| is_tag(text, tag)) {
        return HTML;
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    if let Some(mark) = MARKS.iter().find(|mark| mark.fits(data)) {
        return mark.kind;
    }
    if is_mp4(data) {
        return "video/mp4";
    }
    if text.iter().any(|b| is_binary(*b)) {
        "application/octet-stream"
    } else {
        TEXT
    }
}

/// Bytes at the start, and more bytes at a place.
struct Mark {
    head: &'static [u8],
    at: usize,
    then: &'static [u8],
    kind: &'static str,
}

impl Mark {
    fn fits(&self, data: &[u8]) -> bool {
        data.starts_with(self.head)
            && data
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(self.then))
    }
}

const fn head(head: &'static [u8], kind: &'static str) -> Mark {
    Mark {
        head,
        at: 0,
        then: b"",
        kind,
    }
}

const fn within(head: &'static [u8], at: usize, then: &'static [u8], kind: &'static str) -> Mark {
    Mark { head, at, then, kind }
}

const MARKS: [Mark; 31] = [
    head(b"%PDF-", "application/pdf"),
    head(b"%!PS-Adobe-", "application/postscript"),
    // A byte order mark counts only with something behind it.
    within(b"\xFE\xFF", 4, b"", "text/plain; charset=utf-16be"),
    within(b"\xFF\xFE", 4, b"", "text/plain; charset=utf-16le"),
    within(b"\xEF\xBB\xBF", 4, b"", TEXT),
    head(b"\x00\x00\x01\x00", "image/x-icon"),
    head(b"\x00\x00\x02\x00", "image/x-icon"),
    head(b"BM", "image/bmp"),
    head(b"GIF87a", "image/gif"),
    head(b"GIF89a", "image/gif"),
    within(b"RIFF", 8, b"WEBPVP", "image/webp"),
    head(b"\x89PNG\r\n\x1A\n", "image/png"),
    head(b"\xFF\xD8\xFF", "image/jpeg"),
    within(b"FORM", 8, b"AIFF", "audio/aiff"),
    head(b"ID3", "audio/mpeg"),
    head(b"OggS\x00", "application/ogg"),
    head(b"MThd\x00\x00\x00\x06", "audio/midi"),
    within(b"RIFF", 8, b"AVI ", "video/avi"),
    within(b"RIFF", 8, b"WAVE", "audio/wave"),
    head(b"\x1A\x45\xDF\xA3", "video/webm"),
    within(b"", 34, b"LP", "application/vnd.ms-fontobject"),
    head(b"\x00\x01\x00\x00", "font/ttf"),
    head(b"OTTO", "font/otf"),
    head(b"ttcf", "font/collection"),
    head(b"wOFF", "font/woff"),
    head(b"wOF2", "font/woff2"),
    head(b"\x1F\x8B\x08", "application/x-gzip"),
    head(b"PK\x03\x04", "application/zip"),
    head(b"Rar!\x1A\x07\x00", "application/x-rar-compressed"),
    head(b"Rar!\x1A\x07\x01\x00", "application/x-rar-compressed"),
    head(b"\x00asm", "application/wasm"),
];

/// Tags that begin a document, in capitals.
const TAGS: [&[u8]; 17] = [
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
    b"<!--",
];

/// Whether the text begins with this tag, in any case, and the tag ends there.
fn is_tag(text: &[u8], tag: &[u8]) -> bool {
    let ends = matches!(text.get(tag.len()), Some(b' ' | b'>'));
    ends && text[..tag.len()].eq_ignore_ascii_case(tag)
}

/// An `ftyp` box (ISO/IEC 14496-12) that names an MP4 brand.
fn is_mp4(data: &[u8]) -> bool {
    let Some((size, rest)) = data.split_first_chunk::<4>() else {
        return false;
    };
    let size = u32::from_be_bytes(*size) as usize;
    if data.len() < 12 || data.len() < size || !size.is_multiple_of(4) || !rest.starts_with(b"ftyp") {
        return false;
    }
    // The version stands between the major brand and the compatible ones.
    (8..size)
        .step_by(4)
        .filter(|at| *at != 12)
        .any(|at| data[at..].starts_with(b"mp4"))
}

fn is_space(b: u8) -> bool {
    matches!(b, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

fn is_binary(b: u8) -> bool {
    matches!(b, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &[u8], want: &str) {
        assert_eq!(content_type(data), want, "{}", data.escape_ascii());
    }

    #[test]
    fn kinds() {
        check(b"<HtMl><body>", HTML);
        check(b" \n<!doctype HTML>", HTML);
        check(b"<!-- x", HTML);
        check(b"<a>", HTML);
        check(b"<ab>", TEXT);
        check(b"<html", TEXT);
        check(b"\n<?xml?>", "text/xml; charset=utf-8");
        check(b"{\"a\": 1}", TEXT);
        check("é".as_bytes(), TEXT);
        check(b"", TEXT);
        check(b"\xEF\xBB\xBFa", TEXT);
        check(b"\xFE\xFF\x00a", "text/plain; charset=utf-16be");
        check(b"\xFF\xFE", TEXT);
        check(b"GIF89a...", "image/gif");
        check(b"\x89PNG\r\n\x1A\n", "image/png");
        check(b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp");
        check(b"RIFF\x00\x00\x00\x00WAVE", "audio/wave");
        check(b"\x1F\x8B\x08\x00", "application/x-gzip");
        check(b"PK\x03\x04", "application/zip");
        check(b"a\x00b", "application/octet-stream");
        check(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4");
        check(b"\x00\x00\x00\x18ftypxxxx\x00\x00\x00\x00isommp41", "video/mp4");
        check(
            b"\x00\x00\x00\x18ftypxxxxmp42isomisom",
            "application/octet-stream",
        );
        check(b"\x00\x00\x00\x00ftypmp42", "application/octet-stream");
    }
}
