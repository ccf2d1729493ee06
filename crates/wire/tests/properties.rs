//! What must hold for any message and any way it is cut: splits agree, encode and parse are inverse, pipelines decode
//! to what was sent, and no input makes a parser panic.

use proptest::collection::vec;
use proptest::prelude::*;
use trilithon_wire::*;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 64 * 1024,
    fields: 100,
};

fn field() -> impl Strategy<Value = (String, String)> {
    let value = "[!-~\u{e9}]{1,20}( [!-~]{1,30})?|";
    ("[xX][a-zA-Z0-9_!-]{0,24}", value)
}

/// Decodes one message with chunks or length, cut anywhere.
fn read_body(framing: Framing, buf: &mut &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut decoder = BodyDecoder::new(framing);
    let (mut data, mut seen) = (Vec::new(), 0);
    loop {
        match decoder.step(&buf[..seen]).expect("well framed") {
            Step::Data { skip, len } => {
                let used = random.usize(1..=len);
                data.extend_from_slice(&buf[skip..skip + used]);
                *buf = &buf[skip + used..];
                seen -= skip + used;
                decoder.consumed(used);
            }
            Step::Skip(n) => {
                *buf = &buf[n..];
                seen -= n;
            }
            Step::More => seen += random.usize(1..=(buf.len() - seen).min(50)),
            Step::End { skip } => {
                *buf = &buf[skip..];
                return data;
            }
        }
    }
}

/// Appends `body` in random chunks, some with extensions.
fn write_chunks(out: &mut Vec<u8>, mut body: &[u8], random: &mut fastrand::Rng) {
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(random.usize(1..=body.len()));
        if random.bool() {
            encode::chunk_header(out, chunk.len());
        } else {
            out.extend_from_slice(format!("{:X};a=\"b\"; c\r\n", chunk.len()).as_bytes());
        }
        out.extend_from_slice(chunk);
        out.extend_from_slice(encode::CHUNK_END);
        body = rest;
    }
    encode::last_chunk(out, None);
}

/// A request as a random client means it.
struct Sent {
    target: String,
    headers: Headers,
    framing: Framing,
    body: Vec<u8>,
}

fn random_request(random: &mut fastrand::Rng) -> Sent {
    let mut headers = Headers::new();
    headers.append("Host", "a.test");
    for _ in 0..random.usize(..12) {
        let name: String = std::iter::once('X')
            .chain((0..random.usize(..20)).map(|_| random.alphanumeric()))
            .collect();
        let value: String = (0..random.usize(..60)).map(|_| random.char('!'..='~')).collect();
        headers.append(name, value);
    }
    let body: Vec<u8> = (0..random.usize(1..400)).map(|_| random.u8(..)).collect();
    let framing = random
        .choice([
            Framing::None,
            Framing::Length(body.len() as u64),
            Framing::Chunked,
        ])
        .unwrap_or_default();
    let body = if framing == Framing::None {
        Vec::new()
    } else {
        body
    };
    Sent {
        target: format!("/{}", random.u32(..)),
        headers,
        framing,
        body,
    }
}

fn write_request(out: &mut Vec<u8>, sent: &Sent, random: &mut fastrand::Rng) {
    encode::request_head(
        out,
        "GET",
        &sent.target,
        &sent.headers,
        sent.framing,
        RequestOptions::default(),
    );
    match sent.framing {
        Framing::Chunked => write_chunks(out, &sent.body, random),
        _ => out.extend_from_slice(&sent.body),
    }
}

fn fields(headers: &Headers) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect()
}

/// Fields without those that frame the message.
fn own_fields(headers: &Headers) -> Vec<(Vec<u8>, Vec<u8>)> {
    let framing = |n: &[u8]| n == b"Content-Length" || n == b"Transfer-Encoding";
    fields(headers).into_iter().filter(|(n, _)| !framing(n)).collect()
}

#[test]
fn pipelines_decode_to_what_was_sent() {
    for seed in 0..300 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let sent: Vec<Sent> = (0..random.usize(1..8)).map(|_| random_request(random)).collect();
        let mut wire = Vec::new();
        for request in &sent {
            write_request(&mut wire, request, random);
        }
        let mut rest = &wire[..];
        for want in &sent {
            let mut headers = Headers::new();
            let mut seen = 0;
            let head = loop {
                if let Some(head) = parse_request(&rest[..seen], &mut headers, &LIMITS).expect("well formed")
                {
                    break head;
                }
                seen += random.usize(1..=(rest.len() - seen).min(80));
            };
            assert_eq!(
                (head.target, head.framing),
                (want.target.as_bytes(), want.framing),
                "seed {seed}"
            );
            assert_eq!(own_fields(&headers), fields(&want.headers), "seed {seed}");
            rest = &rest[head.len..];
            assert_eq!(
                read_body(head.framing, &mut rest, random),
                want.body,
                "seed {seed}"
            );
        }
        assert!(rest.is_empty(), "seed {seed}");
    }
}

proptest! {
    #[test]
    fn a_request_head_survives_encoding(list in vec(field(), 0..20), target in "/[!-~]{0,60}") {
        let mut headers: Headers = [("Host", "a")].into_iter().collect();
        headers.extend(&list.iter().map(|(n, v)| (n, v)).collect());
        let mut wire = Vec::new();
        encode::request_head(&mut wire, "GET", &target, &headers, Framing::None, RequestOptions::default());
        let mut read = Headers::new();
        let head = parse_request(&wire, &mut read, &LIMITS).unwrap().unwrap();
        prop_assert_eq!((head.len, head.target), (wire.len(), target.as_bytes()));
        prop_assert_eq!(fields(&read), fields(&headers));
        for cut in 0..wire.len() {
            prop_assert!(matches!(parse_request(&wire[..cut], &mut read, &LIMITS), Ok(None)));
        }
    }

    #[test]
    fn a_response_head_survives_encoding(list in vec(field(), 0..20), status in 200u16..=999, length in 0..u64::MAX / 2) {
        let headers: Headers = list.iter().map(|(n, v)| (n, v)).collect();
        let mut wire = Vec::new();
        encode::response_head(&mut wire, false, status, "Fine", &headers, ResponseFraming::Length(length), false, None);
        let mut read = Headers::new();
        let head = parse_response(&wire, &mut read, &LIMITS, false, false).unwrap().unwrap();
        prop_assert_eq!((head.len, head.status), (wire.len(), status));
        if !matches!(status, 204 | 304) {
            prop_assert_eq!(head.framing, Framing::Length(length));
        }
        prop_assert_eq!(own_fields(&read), fields(&headers));
    }

    #[test]
    fn cutting_a_bad_head_never_makes_it_good(mut wire in vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), any::<u8>()], 0..40)) {
        let mut whole = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        whole.append(&mut wire);
        whole.extend_from_slice(b"\r\n\r\n");
        let mut headers = Headers::new();
        let want = parse_request(&whole, &mut headers, &LIMITS);
        for cut in 0..whole.len() {
            match parse_request(&whole[..cut], &mut headers, &LIMITS) {
                Ok(None) => {}
                got => prop_assert_eq!(got, want),
            }
        }
    }

    #[test]
    fn no_input_panics(bytes in vec(any::<u8>(), 0..300), text in "[ -~\r\n:;=0-9a-f]{0,80}") {
        for wire in [&bytes[..], text.as_bytes()] {
            let mut headers = Headers::new();
            let _ = parse_request(wire, &mut headers, &LIMITS);
            let _ = parse_response(wire, &mut headers, &LIMITS, false, false);
            let _ = proxy_protocol::parse(wire);
            let _ = client_hello::peek(wire);
            let _ = client_hello::peek(&[&[22, 3, 1, 0, 200, 1, 0, 0, 196], wire].concat());
            let _ = BodyDecoder::new(Framing::Chunked).step(wire);
            let _ = proxy_protocol::parse(&[b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20", wire].concat());
        }
    }
}
