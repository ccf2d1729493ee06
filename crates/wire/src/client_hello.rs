//! A look at the TLS ClientHello (RFC 8446 §4.1.2) before anyone answers it: which host, which protocols.

use std::borrow::Cow;

/// Bytes of a hello, over all its records. Post-quantum key shares and tickets fit many times.
const MAX_HELLO: usize = 64 * 1024;
/// Bytes of one record (RFC 8446 §5.1).
const MAX_RECORD: usize = 1 << 14;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEAD: usize = 5;
const MESSAGE_HEAD: usize = 4;

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peek {
    /// Too little to say.
    More,
    /// Not TLS.
    NotTls,
    /// A complete ClientHello.
    Hello {
        /// The host asked for: lower case, without the final dot. `None` when there is none, or an IP address.
        sni: Option<String>,
        /// Protocols offered, the preferred first.
        alpn: Vec<Vec<u8>>,
    },
    /// TLS, but broken or too large: close.
    Bad,
}

/// Looks at the start of a connection. A hello in several records, or in many segments, is put together first.
pub fn peek(buf: &[u8]) -> Peek {
    match buf {
        [] => return Peek::More,
        [first, ..] if *first != HANDSHAKE => return Peek::NotTls,
        [_, major, ..] if *major != 3 => return Peek::NotTls,
        _ => {}
    }
    match message(buf) {
        Ok(Some(message)) => hello(&message).unwrap_or(Peek::Bad),
        Ok(None) => Peek::More,
        Err(Broken) => Peek::Bad,
    }
}

struct Broken;

/// The content of a record, and what follows it.
type Record<'b> = (&'b [u8], &'b [u8]);

/// The body of the first handshake message, out of as many records as it takes.
fn message(buf: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Broken> {
    let mut whole: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    let mut rest = buf;
    loop {
        if let Some(len) = message_len(&whole)?
            && whole.len() >= len
        {
            return Ok(Some(match whole {
                Cow::Borrowed(b) => Cow::Borrowed(&b[MESSAGE_HEAD..len]),
                Cow::Owned(b) => Cow::Owned(b[MESSAGE_HEAD..len].to_vec()),
            }));
        }
        let Some((record, after)) = record(rest)? else {
            return Ok(None);
        };
        if whole.is_empty() {
            whole = Cow::Borrowed(record);
        } else {
            whole.to_mut().extend_from_slice(record);
        }
        rest = after;
    }
}

/// Length of the message with its head, once that is known. What comes first must be a ClientHello.
fn message_len(whole: &[u8]) -> Result<Option<usize>, Broken> {
    if whole.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
        return Err(Broken);
    }
    let Some(&[_, a, b, c]) = whole.get(..MESSAGE_HEAD) else {
        return Ok(None);
    };
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    if len > MAX_HELLO {
        Err(Broken)
    } else {
        Ok(Some(MESSAGE_HEAD + len))
    }
}

/// The first record; `None` while it is incomplete.
///
/// A record that is not all there gives nothing, but its head is judged as soon as it can be.
fn record(buf: &[u8]) -> Result<Option<Record<'_>>, Broken> {
    let Some((head, rest)) = buf.split_at_checked(RECORD_HEAD) else {
        let fits = buf.iter().zip([HANDSHAKE, 3]).all(|(&b, want)| b == want);
        return if fits { Ok(None) } else { Err(Broken) };
    };
    let len = usize::from(u16::from_be_bytes([head[3], head[4]]));
    if head[0] != HANDSHAKE || head[1] != 3 || len == 0 || len > MAX_RECORD {
        return Err(Broken);
    }
    Ok(rest.split_at_checked(len))
}

/// Reads the body of a ClientHello; `None` if it is malformed.
fn hello(message: &[u8]) -> Option<Peek> {
    let mut rest = message.get(2 + 32..)?;
    let session = vector::<1>(&mut rest)?;
    let suites = vector::<2>(&mut rest)?;
    let compressions = vector::<1>(&mut rest)?;
    if session.len() > 32 || suites.is_empty() || suites.len() % 2 != 0 || compressions.is_empty() {
        return None;
    }
    let (mut sni, mut alpn) = (None, Vec::new());
    let mut seen = [false; 2];
    let mut extensions = if rest.is_empty() {
        rest
    } else {
        vector::<2>(&mut rest)?
    };
    while !extensions.is_empty() {
        let kind = take(&mut extensions, 2)?;
        let data = vector::<2>(&mut extensions)?;
        let slot = match kind {
            [0, 0] => 0,
            [0, 16] => 1,
            _ => continue,
        };
        if std::mem::replace(&mut seen[slot], true) {
            return None;
        }
        match slot {
            0 => sni = server_name(data)?,
            _ => alpn = protocols(data)?,
        }
    }
    rest.is_empty().then_some(Peek::Hello { sni, alpn })
}

/// The `host_name` of a server name list (RFC 6066 §3).
fn server_name(mut data: &[u8]) -> Option<Option<String>> {
    let mut list = vector::<2>(&mut data)?;
    let mut found = None;
    while !list.is_empty() {
        let kind = take(&mut list, 1)?;
        let name = vector::<2>(&mut list)?;
        if kind == [0] && found.replace(host(name)?).is_some() {
            return None;
        }
    }
    (data.is_empty() && found.is_some()).then_some(found.flatten())
}

/// A name in lower case; an address counts as no name.
fn host(name: &[u8]) -> Option<Option<String>> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    if name.is_empty() || name.len() > 255 || !name.iter().all(fits) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Some(None);
    }
    (!name.contains(':')).then_some(Some(name))
}

/// The names of an ALPN extension (RFC 7301 §3.1).
fn protocols(mut data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = vector::<2>(&mut data)?;
    let mut names = Vec::new();
    while !list.is_empty() {
        let name = vector::<1>(&mut list)?;
        if name.is_empty() {
            return None;
        }
        names.push(name.to_vec());
    }
    (data.is_empty() && !names.is_empty()).then_some(names)
}

fn take<'b>(buf: &mut &'b [u8], n: usize) -> Option<&'b [u8]> {
    let (head, rest) = buf.split_at_checked(n)?;
    *buf = rest;
    Some(head)
}

/// Bytes after their length, which has `N` bytes.
fn vector<'b, const N: usize>(buf: &mut &'b [u8]) -> Option<&'b [u8]> {
    let len = take(buf, N)?.iter().fold(0, |n, &b| n << 8 | usize::from(b));
    take(buf, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len16(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u16).to_be_bytes()[..], body].concat()
    }

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &len16(body)].concat()
    }

    fn sni(name: &[u8]) -> Vec<u8> {
        extension(0, &len16(&[&[0], &len16(name)[..]].concat()))
    }

    fn alpn(names: &[&[u8]]) -> Vec<u8> {
        let list: Vec<u8> = names
            .iter()
            .flat_map(|n| [&[n.len() as u8], *n].concat())
            .collect();
        extension(16, &len16(&list))
    }

    fn body(extensions: &[u8]) -> Vec<u8> {
        let fixed = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
        [fixed, len16(extensions)].concat()
    }

    fn message(body: &[u8]) -> Vec<u8> {
        [&[1][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
    }

    /// The message in records of at most `size` bytes.
    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message
            .chunks(size)
            .flat_map(|c| [&[22, 3, 1][..], &len16(c)].concat())
            .collect()
    }

    fn wire(extensions: &[Vec<u8>]) -> Vec<u8> {
        records(&message(&body(&extensions.concat())), MAX_RECORD)
    }

    fn found(name: Option<&str>, protocols: &[&[u8]]) -> Peek {
        Peek::Hello {
            sni: name.map(str::to_owned),
            alpn: protocols.iter().map(|p| p.to_vec()).collect(),
        }
    }

    #[test]
    fn names_and_protocols() {
        let check =
            |extensions: &[Vec<u8>], want: Peek| assert_eq!(peek(&wire(extensions)), want, "{extensions:?}");
        check(&[], found(None, &[]));
        check(&[sni(b"a.test")], found(Some("a.test"), &[]));
        // C2
        check(&[sni(b"A.TesT.")], found(Some("a.test"), &[]));
        check(&[sni(b"127.0.0.1")], found(None, &[]));
        check(&[sni(b"::1")], found(None, &[]));
        check(
            &[extension(10, b"xx"), alpn(&[b"h2", b"http/1.1"]), sni(b"a_b")],
            found(Some("a_b"), &[b"h2", b"http/1.1"]),
        );
        for bad in [
            &b""[..],
            b".",
            b"a b",
            b"a\0b",
            b"a:1",
            "\u{e9}".as_bytes(),
            &[b'a'; 256],
        ] {
            check(&[sni(bad)], Peek::Bad);
        }
        check(&[sni(b"a"), sni(b"b")], Peek::Bad);
        check(&[alpn(&[])], Peek::Bad);
        check(&[alpn(&[b""])], Peek::Bad);
        check(&[extension(0, b"")], Peek::Bad);
        check(&[vec![0, 0, 0, 9]], Peek::Bad);
    }

    #[test]
    fn c1_any_fragmentation_gives_the_same() {
        let message = message(&body(
            &[sni(b"a.test"), alpn(&[b"h2"]), extension(51, &[1; 1300])].concat(),
        ));
        let want = found(Some("a.test"), &[b"h2"]);
        for size in [1, 2, 3, 4, 5, 7, 100, 1000] {
            let wire = records(&message, size);
            for cut in 0..wire.len() {
                assert_eq!(peek(&wire[..cut]), Peek::More, "{size} {cut}");
            }
            assert_eq!(peek(&wire), want, "{size}");
            assert_eq!(peek(&[&wire[..], b"more"].concat()), want);
        }
    }

    #[test]
    fn what_is_not_a_hello() {
        let check = |bytes: &[u8], want: Peek| assert_eq!(peek(bytes), want, "{bytes:?}");
        check(b"", Peek::More);
        check(b"G", Peek::NotTls);
        check(b"\x16", Peek::More);
        check(b"\x16\x02", Peek::NotTls);
        check(&[22, 3, 1, 0, 0], Peek::Bad);
        check(&[22, 3, 1, 0x40, 1], Peek::Bad);
        check(&[22, 3, 1, 0, 4, 2, 0, 0, 0], Peek::Bad);
        check(&[22, 3, 1, 0, 4, 1, 2, 0, 0], Peek::Bad);
        // An alert, or another version, between two pieces of a hello.
        check(&[22, 3, 1, 0, 1, 1, 21, 3, 1, 0, 1, 1], Peek::Bad);
        check(&[22, 3, 1, 0, 1, 1, 22, 2, 1, 0, 1, 1], Peek::Bad);
        let plain = body(&[]);
        for cut in 1..plain.len() - 2 {
            check(&records(&message(&plain[..cut]), 99), Peek::Bad);
        }
        check(
            &records(&message(&plain[..plain.len() - 2]), 99),
            found(None, &[]),
        );
        check(&records(&message(&[&plain[..], b"x"].concat()), 99), Peek::Bad);
    }
}
