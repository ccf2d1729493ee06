//! Server-sent events (WHATWG HTML §9.2.6) as frames: what lies between two blank lines, with the blank line that ends it.
//!
//! Frames follow each other without a gap, so that passing each on is passing the stream on byte for byte. Any of the
//! three line ends is taken, in any mixture.

use std::borrow::Cow;
use std::ops::Range;

/// Cuts a stream into frames. It is given what has not been cut off yet, and remembers how far it has looked.
#[derive(Clone, Debug)]
pub struct Frames {
    limit: usize,
    /// Whether a byte order mark may still come.
    first: bool,
    /// Where the line that is being looked at begins, and how far it was looked at.
    line: usize,
    seen: usize,
    frame: Frame,
}

/// One frame. Ranges are from its first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes it takes, its blank line included.
    pub len: usize,
    event: Option<Range<usize>>,
    id: Option<Range<usize>>,
    retry: Option<Range<usize>>,
    data: Vec<Range<usize>>,
}

/// A frame is larger than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Frames {
    /// `limit` is the size of the largest frame, in bytes.
    pub fn new(limit: usize) -> Frames {
        Frames {
            limit,
            first: true,
            line: 0,
            seen: 0,
            frame: Frame::default(),
        }
    }

    /// The frame at the beginning of `buf`; `None` when more bytes are needed. The next call gets what follows it.
    ///
    /// # Errors
    /// It is not over within the limit.
    pub fn next(&mut self, buf: &[u8]) -> Result<Option<Frame>, TooLong> {
        self.mark(buf);
        loop {
            let Some(end) = find_end(buf, self.seen) else {
                self.seen = buf.len();
                return self.more(buf);
            };
            self.seen = end;
            // A CR at the end may be half of a CRLF.
            let next = match (buf.get(end), buf.get(end + 1)) {
                (Some(b'\r'), None) => return self.more(buf),
                (Some(b'\r'), Some(b'\n')) => end + 2,
                _ => end + 1,
            };
            let blank = end == self.line;
            self.take_line(buf, end);
            (self.line, self.seen) = (next, next);
            if blank {
                return self.finish(next).map(Some);
            }
        }
    }

    /// The same of a stream that may have `ended`: what is left of it then is a frame without its blank line. By the book a
    /// client drops it; not every client goes by the book.
    ///
    /// # Errors
    /// It is not over within the limit.
    pub fn next_or_rest(&mut self, buf: &[u8], ended: bool) -> Result<Option<Frame>, TooLong> {
        match self.next(buf) {
            Ok(None) if ended => self.rest(buf),
            next => next,
        }
    }

    fn rest(&mut self, buf: &[u8]) -> Result<Option<Frame>, TooLong> {
        if buf.is_empty() {
            return Ok(None);
        }
        self.mark(buf);
        let end = if buf.ends_with(b"\r") {
            buf.len() - 1
        } else {
            buf.len()
        };
        if self.line < end {
            self.take_line(buf, end);
        }
        self.finish(buf.len()).map(Some)
    }

    fn more(&self, buf: &[u8]) -> Result<Option<Frame>, TooLong> {
        if buf.len() > self.limit {
            Err(TooLong)
        } else {
            Ok(None)
        }
    }

    fn finish(&mut self, len: usize) -> Result<Frame, TooLong> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.len = len;
        (self.line, self.seen, self.first) = (0, 0, false);
        if len > self.limit { Err(TooLong) } else { Ok(frame) }
    }

    /// Passes a byte order mark at the very beginning.
    fn mark(&mut self, buf: &[u8]) {
        if self.first && self.line == 0 && buf.starts_with(b"\xef\xbb\xbf") {
            (self.line, self.seen) = (3, self.seen.max(3));
        }
    }

    fn take_line(&mut self, buf: &[u8], end: usize) {
        let line = buf.get(self.line..end).unwrap_or_default();
        let colon = line.iter().position(|b| *b == b':');
        let (name, mut from) = match colon {
            Some(at) => (&line[..at], self.line + at + 1),
            None => (line, end),
        };
        from += usize::from(from < end && buf.get(from) == Some(&b' '));
        match name {
            b"data" => self.frame.data.push(from..end),
            b"event" => self.frame.event = Some(from..end),
            b"id" => self.frame.id = Some(from..end),
            b"retry" => self.frame.retry = Some(from..end),
            _ => {}
        }
    }
}

impl Frame {
    /// The name of the event, in the bytes of the frame.
    pub fn event<'b>(&self, frame: &'b [u8]) -> Option<&'b [u8]> {
        frame.get(self.event.clone()?)
    }

    /// The field `id`: where a reader was, who comes back for the rest.
    pub fn id<'b>(&self, frame: &'b [u8]) -> Option<&'b [u8]> {
        frame.get(self.id.clone()?)
    }

    /// The field `retry`: milliseconds after which a reader comes back.
    pub fn retry<'b>(&self, frame: &'b [u8]) -> Option<&'b [u8]> {
        frame.get(self.retry.clone()?)
    }

    /// Whether it has data: others (comments, retry times) cause no event.
    pub fn has_data(&self) -> bool {
        !self.data.is_empty()
    }

    /// The data, in the bytes of the frame; lines joined by LF.
    pub fn data<'b>(&self, frame: &'b [u8]) -> Cow<'b, [u8]> {
        let mut lines = self.data.iter().map(|r| frame.get(r.clone()).unwrap_or_default());
        let Some(first) = lines.next() else {
            return Cow::Borrowed(&[]);
        };
        if self.data.len() == 1 {
            return Cow::Borrowed(first);
        }
        let mut all = first.to_vec();
        for line in lines {
            all.push(b'\n');
            all.extend_from_slice(line);
        }
        Cow::Owned(all)
    }

    /// The frame with other data, which holds no CR: one line where the first of the old ones stood, or as many as it has.
    pub fn with_data(&self, frame: &[u8], data: &[u8]) -> Vec<u8> {
        let (Some(first), Some(last)) = (self.data.first(), self.data.last()) else {
            return frame.to_vec();
        };
        let mut out = Vec::with_capacity(frame.len() + data.len());
        out.extend_from_slice(frame.get(..first.start).unwrap_or_default());
        if out.ends_with(b"data") {
            out.push(b':');
        }
        for (i, line) in data.split(|b| *b == b'\n').enumerate() {
            out.extend_from_slice(if i > 0 { b"\ndata:" } else { b"" });
            out.extend_from_slice(line);
        }
        // What stands between lines of data stays: other fields.
        for pair in self.data.windows(2) {
            let between = frame.get(pair[0].end..pair[1].start).unwrap_or_default();
            let line = between
                .iter()
                .rposition(|b| matches!(b, b'\r' | b'\n'))
                .unwrap_or(0);
            let kept = between.get(..line).unwrap_or_default();
            out.extend_from_slice(kept.strip_suffix(b"\r").unwrap_or(kept));
        }
        out.extend_from_slice(frame.get(last.end..).unwrap_or_default());
        out
    }

    /// Where a part of the data that lies within one line stands in the frame. No string of JSON goes over a line.
    pub fn place(&self, part: Range<usize>) -> Option<Range<usize>> {
        let mut start = 0;
        for line in &self.data {
            let end = start + line.len();
            if part.start >= start && part.end <= end {
                return Some(line.start + (part.start - start)..line.start + (part.end - start));
            }
            start = end + 1;
        }
        None
    }
}

fn find_end(buf: &[u8], from: usize) -> Option<usize> {
    let rest = buf.get(from..)?;
    rest.iter()
        .position(|b| matches!(b, b'\r' | b'\n'))
        .map(|n| from + n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut stream: &[u8]) -> Vec<(Vec<u8>, Option<String>, Option<String>)> {
        let mut cut = Frames::new(1 << 16);
        let mut all = Vec::new();
        while let Some(frame) = cut.next_or_rest(stream, true).unwrap() {
            let (raw, rest) = stream.split_at(frame.len);
            let event = frame.event(raw).map(|e| String::from_utf8_lossy(e).into_owned());
            let data = String::from_utf8_lossy(&frame.data(raw)).into_owned();
            all.push((raw.to_vec(), event, frame.has_data().then_some(data)));
            stream = rest;
        }
        all
    }

    fn check(stream: &str, want: &[(&str, Option<&str>, Option<&str>)]) {
        let own = |t: &Option<&str>| t.map(str::to_owned);
        let want: Vec<_> = want
            .iter()
            .map(|(r, e, d)| (r.as_bytes().to_vec(), own(e), own(d)))
            .collect();
        assert_eq!(frames(stream.as_bytes()), want, "{stream:?}");
    }

    #[test]
    fn streams() {
        check(
            "data: a\n\ndata:b\n\n",
            &[("data: a\n\n", None, Some("a")), ("data:b\n\n", None, Some("b"))],
        );
        check(
            "event: x\r\ndata: {}\r\n\r\n",
            &[("event: x\r\ndata: {}\r\n\r\n", Some("x"), Some("{}"))],
        );
        check(
            "data:  a\rdata\rdata:b\r\r",
            &[("data:  a\rdata\rdata:b\r\r", None, Some(" a\n\nb"))],
        );
        check(": ping\n\n", &[(": ping\n\n", None, None)]);
        check("\u{feff}data: a\n\n", &[("\u{feff}data: a\n\n", None, Some("a"))]);
        check(
            "\n\ndata: a\n\n",
            &[
                ("\n", None, None),
                ("\n", None, None),
                ("data: a\n\n", None, Some("a")),
            ],
        );
        check(
            "data: a\n\ndata: [DONE]",
            &[
                ("data: a\n\n", None, Some("a")),
                ("data: [DONE]", None, Some("[DONE]")),
            ],
        );
        check("data: a\r\n\r", &[("data: a\r\n\r", None, Some("a"))]);
        check(
            "Data: a\nid: 3\nretry: 4\n\n",
            &[("Data: a\nid: 3\nretry: 4\n\n", None, None)],
        );
        check("", &[]);
    }

    #[test]
    fn data_knows_where_it_stands() {
        let raw = b"data: {\"a\":\ndata: \"bc\"}\n\n";
        let frame = Frames::new(100).next(raw).unwrap().unwrap();
        let data = frame.data(raw);
        let at = data.windows(2).position(|w| w == b"bc").unwrap();
        assert_eq!(&raw[frame.place(at..at + 2).unwrap()], b"bc");
        assert_eq!(frame.place(0..data.len()), None, "it goes over two lines");
    }

    #[test]
    fn data_is_replaced_where_it_stood() {
        let check = |raw: &str, data: &str, want: &str| {
            let frame = Frames::new(100).next(raw.as_bytes()).unwrap().unwrap();
            let got = frame.with_data(raw.as_bytes(), data.as_bytes());
            assert_eq!(String::from_utf8(got).unwrap(), want, "{raw:?}");
        };
        check("id: 1\ndata: old\n\n", "new", "id: 1\ndata: new\n\n");
        check("data:old\r\nid: 1\r\n\r\n", "new", "data:new\r\nid: 1\r\n\r\n");
        check("data: a\ndata: b\n\n", "new", "data: new\n\n");
        check(
            "data: a\nid: 1\nretry: 2\ndata: b\ndata\n\n",
            "new",
            "data: new\nid: 1\nretry: 2\n\n",
        );
        check(
            "data: a\r\nid: 1\r\ndata: b\r\n\r\n",
            "new",
            "data: new\r\nid: 1\r\n\r\n",
        );
        check("data\n\n", "new", "data:new\n\n");
        check("data: a\n\n", "x\ny", "data: x\ndata:y\n\n");
        check(": ping\n\n", "new", ": ping\n\n");
    }

    #[test]
    fn places_in_a_stream() {
        let raw = b"id: 7\nretry:250\ndata: a\n\n";
        let frame = Frames::new(100).next(raw).unwrap().unwrap();
        assert_eq!(frame.id(raw), Some(&b"7"[..]));
        assert_eq!(frame.retry(raw), Some(&b"250"[..]));
        let frame = Frames::new(100).next(b"data: a\n\n").unwrap().unwrap();
        assert_eq!((frame.id(b""), frame.retry(b"")), (None, None));
    }

    #[test]
    fn a_frame_is_bounded() {
        let mut cut = Frames::new(8);
        assert_eq!(cut.next(b"data: 12").unwrap(), None);
        assert_eq!(cut.next(b"data: 123"), Err(TooLong));
        assert_eq!(Frames::new(8).next(b"data: 1\n\n"), Err(TooLong));
    }
}
