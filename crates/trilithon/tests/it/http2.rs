//! B: HTTP/2 that is broken, cheap to send and dear to serve, or says two things at once. And A17: what becomes of it in
//! HTTP/1.

use crate::frames::*;
use crate::world::{Before, before, echoing, gateway, rejections};
use std::fs;
use std::time::Duration;
use trilithon_testkit::{Act, Answer, Gateway, Upstream, eventually, until};

/// The connection was given up for `reason`, which is counted and logged once; a new one is served.
#[track_caller]
fn assert_given_up(gateway: &Gateway, mut frames: Frames, reason: &str) {
    let code = frames.given_up();
    assert!(
        matches!(code, Some(ENHANCE_YOUR_CALM) | None),
        "{reason}: given up with {code:?}"
    );
    eventually(&format!("`{reason}` is counted"), || {
        rejections(gateway, "web", reason) == 1
    });
    eventually(&format!("`{reason}` is logged"), || {
        crate::world::complaints(gateway, "web", reason) == 1
    });
    assert_eq!(
        Frames::open(gateway).bytes(get(1)).outcome(1),
        Outcome::Status(200),
        "{reason}: the next client"
    );
}

/// What was sent is refused, by an answer or a reset, and the upstream sees nothing of it.
#[track_caller]
fn assert_refused(gateway: &Gateway, frames: &mut Frames, what: &str) -> Outcome {
    let outcome = frames.outcome(1);
    let refused = matches!(
        outcome,
        Outcome::Status(400 | 431 | 501) | Outcome::Reset(_) | Outcome::GoAway(1..)
    );
    assert!(refused, "{what}: {outcome:?}");
    assert_eq!(
        gateway.upstream("b1").requests(),
        0,
        "{what}: the upstream saw it"
    );
    outcome
}

#[test]
fn b01_rapid_reset() {
    let gateway = echoing();
    let mut frames = Frames::open(&gateway);
    let burst: Vec<u8> = (0..300u32)
        .flat_map(|n| {
            [
                get(2 * n + 1),
                frame(RST_STREAM, 0, 2 * n + 1, 8u32.to_be_bytes()),
            ]
            .concat()
        })
        .collect();
    frames.bytes(burst);
    assert_given_up(&gateway, frames, "h2-rapid-reset");
    assert!(
        gateway.upstream("b1").requests() <= 101,
        "work that was called off is not done"
    );
}

/// Resets that the client makes the server send are budgeted like its own.
#[test]
fn b02_made_you_reset() {
    let check = |what: &str, provoke: fn(u32) -> Vec<u8>| {
        let gateway = echoing();
        let mut frames = Frames::open(&gateway);
        let open = |stream| frame(HEADERS, END_HEADERS, stream, literals(&head("POST", "/", &[])));
        let burst: Vec<u8> = (0..400u32)
            .flat_map(|n| [open(2 * n + 1), provoke(2 * n + 1)].concat())
            .collect();
        frames.bytes(burst);
        let code = frames.given_up();
        assert!(code.is_some_and(|code| code != 0), "{what}: {code:?}");
        eventually(&format!("{what}: counted"), || {
            rejections(&gateway, "web", "h2-protocol-error") == 1
        });
        assert_eq!(
            Frames::open(&gateway).bytes(get(1)).outcome(1),
            Outcome::Status(200),
            "{what}: the next client"
        );
        assert_eq!(gateway.upstream("b1").requests(), 1, "{what}");
    };
    check("a window opened by nothing", |stream| {
        frame(WINDOW_UPDATE, 0, stream, 0u32.to_be_bytes())
    });
    check("a window opened too far", |stream| {
        frame(WINDOW_UPDATE, 0, stream, 0x7fff_ffffu32.to_be_bytes())
    });
    check("a stream that depends on itself", |stream| {
        frame(PRIORITY, 0, stream, [&stream.to_be_bytes()[..], &[0]].concat())
    });
    check("a priority of another length", |stream| {
        frame(PRIORITY, 0, stream, [0, 0, 0])
    });
}

#[test]
fn b03_continuation_flood() {
    let gateway = echoing();
    let mut frames = Frames::open(&gateway);
    let block = literals(&head("GET", "/", &[]));
    let pieces: Vec<u8> = (0..100)
        .flat_map(|_| frame(CONTINUATION, 0, 1, literals(&[("x", "y")])))
        .collect();
    frames.send(HEADERS, END_STREAM, 1, &block).bytes(pieces);
    assert_given_up(&gateway, frames, "h2-continuation-flood");
    assert_eq!(gateway.upstream("b1").requests(), 1);
}

/// Few continuations, each as large as a frame may be, and no end.
#[test]
fn b03_continuations_without_end() {
    let gateway = echoing();
    let mut frames = Frames::open(&gateway);
    let block = literals(&head("GET", "/", &[]));
    let large = literals(&[("x-large", "y".repeat(16_000))]);
    let pieces: Vec<u8> = (0..15).flat_map(|_| frame(CONTINUATION, 0, 1, &large)).collect();
    frames
        .send(HEADERS, END_STREAM, 1, &block)
        .bytes(pieces)
        .send(CONTINUATION, END_HEADERS, 1, []);
    assert_refused(&gateway, &mut frames, "fifteen full continuations");
}

/// Bytes on the wire that each stand for a field: cookie crumbs of the static table, and large entries of the dynamic one.
#[test]
fn b04_header_bomb() {
    let gateway = echoing();
    let looked = Before::look(&gateway, "web", "too-many-headers");
    let crumbs = [literals(&head("GET", "/", &[])), vec![0x80 | 32; 1000]].concat();
    let mut frames = Frames::open(&gateway);
    frames.send(HEADERS, END_STREAM | END_HEADERS, 1, crumbs);
    assert_eq!(frames.outcome(1), Outcome::Status(431));
    looked.refused_once("cookie crumbs");
    let mut frames = Frames::open(&gateway);
    frames.send(HEADERS, END_STREAM | END_HEADERS, 1, bomb(200));
    assert_refused(&gateway, &mut frames, "references to a large entry");
}

/// A request whose list is `count` references to one field of nearly 4 KiB.
fn bomb(count: usize) -> Vec<u8> {
    let mut block = literals(&head("GET", "/", &[]));
    block.push(0x40);
    let field = literals(&[("x-bomb", "b".repeat(3900))]);
    block.extend(&field[1..]);
    block.extend(vec![0x80 | 62; count]);
    block
}

/// A hundred connections of bombs behind closed windows cost little memory, at no time.
#[test]
fn b04_memory_under_bombs() {
    let gateway = before(&Upstream::answering(|_| Answer::new(200, "ok")));
    let before = peak(&gateway);
    let streams: Vec<u8> = (0..16u32)
        .flat_map(|n| frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, bomb(14)))
        .collect();
    let mut open: Vec<Frames> = (0..100).map(|_| Frames::open_with(&gateway, &[(4, 0)])).collect();
    for frames in &mut open {
        frames.bytes(&streams);
    }
    for frames in &mut open {
        let mut ended = 0;
        while ended < 16 {
            let kind = frames.next().expect("an open connection").kind;
            ended += usize::from(matches!(kind, HEADERS | RST_STREAM));
        }
    }
    let grown = (peak(&gateway) - before) / 1024;
    assert!(grown < 64, "memory grew by {grown} MiB");
}

/// The heads of requests that wait share a budget; who is refused may try again, and small requests go on.
#[test]
fn b04_heads_of_open_streams() {
    let gateway = before(&Upstream::silent());
    let mut frames = Frames::open(&gateway);
    for stream in [1, 3, 5, 7] {
        frames.send(HEADERS, END_STREAM | END_HEADERS, stream, bomb(14));
    }
    frames.send(HEADERS, END_STREAM | END_HEADERS, 9, bomb(14));
    assert_eq!(frames.outcome(9), Outcome::Reset(REFUSED_STREAM));
    eventually("the refusal is counted", || {
        rejections(&gateway, "web", "h2-head-bytes") == 1
    });
    frames.send(RST_STREAM, 0, 1, 8u32.to_be_bytes());
    frames.send(
        HEADERS,
        END_STREAM | END_HEADERS,
        11,
        literals(&head("GET", "/none", &[])),
    );
    frames.ping();
    let upstream = gateway.upstream("b1");
    eventually("four bombs and the last request are under way", || {
        upstream.requests() == 5
    });
}

/// The most memory that was resident, in KiB.
fn peak(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("the process runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A long and honest past buys nothing.
#[test]
fn b05_budgets_do_not_grow() {
    let gateway = echoing();
    let mut frames = Frames::open(&gateway);
    for n in 0..300u32 {
        assert_eq!(frames.bytes(get(2 * n + 1)).answer(2 * n + 1).0, 200);
    }
    let burst: Vec<u8> = (300..600u32)
        .flat_map(|n| {
            [
                get(2 * n + 1),
                frame(RST_STREAM, 0, 2 * n + 1, 8u32.to_be_bytes()),
            ]
            .concat()
        })
        .collect();
    frames.bytes(burst);
    assert_given_up(&gateway, frames, "h2-rapid-reset");
}

#[test]
fn b06_floods() {
    let check = |reason: &str, open: bool, piece: Vec<u8>, count: usize| {
        let gateway = echoing();
        let mut frames = Frames::open(&gateway);
        if open {
            frames.headers(1, 0, &head("POST", "/", &[]));
        }
        frames.bytes(piece.repeat(count));
        assert_given_up(&gateway, frames, reason);
    };
    check("h2-ping-flood", false, frame(PING, 0, 0, [0; 8]), 300);
    check("h2-settings-flood", false, frame(SETTINGS, 0, 0, []), 200);
    check("h2-empty-data-flood", true, frame(DATA, 0, 1, []), 300);
    check(
        "h2-priority-flood",
        false,
        frame(PRIORITY, 0, 3, [0, 0, 0, 0, 1]),
        1500,
    );
    check(
        "h2-window-update-flood",
        false,
        frame(WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes()),
        60_000,
    );
}

#[test]
fn b07_padding() {
    let gateway = echoing();
    for payload in [&[5u8, 1, 2, 3][..], &[255], &[4, 0, 0, 0]] {
        let mut frames = Frames::open(&gateway);
        frames
            .headers(1, 0, &head("POST", "/", &[]))
            .send(DATA, PADDED | END_STREAM, 1, payload);
        assert_eq!(frames.given_up(), Some(PROTOCOL_ERROR), "{payload:?}");
    }
    assert_eq!(gateway.upstream("b1").requests(), 0);
    // Padding is paid for and given back: ten times the connection's window passes.
    let mut frames = Frames::open(&gateway);
    while frames.next().expect("an open connection").kind != WINDOW_UPDATE {}
    let padded = frame(DATA, PADDED, 0, [&[255, b'x'][..], &[0; 255]].concat());
    for n in 0..100u32 {
        let stream = 2 * n + 1;
        let mut data = padded.clone();
        data[5..9].copy_from_slice(&stream.to_be_bytes());
        frames
            .headers(stream, 0, &head("POST", "/", &[]))
            .bytes(data.repeat(400))
            .send(DATA, END_STREAM, stream, []);
        assert_eq!(frames.answer(stream).0, 200);
    }
    assert_eq!(gateway.upstream("b1").last().body.len(), 400);
}

/// What was sent on streams that were called off counts as read.
#[test]
fn b07_windows_after_resets() {
    let upstream = Upstream::silent();
    let gateway = gateway()
        .routing(
            "
http:
  routers:
    all: {rule: 'PathPrefix(`/`)', service: s}
    silent: {rule: 'PathPrefix(`/silent`)', service: silent}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    silent: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@silent@'}]}}
",
        )
        .upstream("b1", Upstream::echo())
        .upstream("silent", upstream)
        .start();
    let mut frames = Frames::open(&gateway);
    for n in 0..80u32 {
        let stream = 2 * n + 1;
        frames.headers(stream, 0, &head("POST", "/silent", &[]));
        frames
            .send(DATA, 0, stream, [b'x'; 16_000])
            .send(DATA, 0, stream, [b'x'; 16_000]);
        frames.send(RST_STREAM, 0, stream, 8u32.to_be_bytes());
        // An answered PING: all before it was taken in.
        frames.send(PING, 0, 0, [7; 8]);
        while frames.next().expect("the connection goes on").kind != PING {}
    }
    frames
        .headers(1001, 0, &head("POST", "/", &[]))
        .send(DATA, END_STREAM, 1001, [b'x'; 16_000]);
    assert_eq!(frames.answer(1001).0, 200);
}

#[test]
fn b08_field_order_and_names() {
    let gateway = echoing();
    let check = |what: &str, fields: &[(&str, &str)]| {
        let mut frames = Frames::open(&gateway);
        frames.headers(1, END_STREAM, fields);
        assert_refused(&gateway, &mut frames, what)
    };
    let plain = head("GET", "/", &[]);
    let without = |name: &str| {
        plain
            .iter()
            .filter(|(n, _)| *n != name)
            .copied()
            .collect::<Vec<_>>()
    };
    let and = |name, value| [&plain[..], &[(name, value)]].concat();
    for name in [":method", ":scheme", ":path"] {
        check(&format!("without {name}"), &without(name));
        let again = plain.iter().find(|(n, _)| *n == name).expect("a field").1;
        check(&format!("{name} twice"), &and(name, again));
    }
    check("authority twice", &and(":authority", "b.test"));
    check("pseudo-header of an answer", &and(":status", "200"));
    check("unknown pseudo-header", &and(":path2", "/"));
    check("empty name", &and("", "x"));
    check("upper case", &and("X-Upper", "x"));
    check(
        "pseudo-header behind a field",
        &[&[("x-a", "1")], &plain[..]].concat(),
    );
    check(
        "content-length twice",
        &[&plain[..], &[("content-length", "0"), ("content-length", "1")]].concat(),
    );
    check(
        "host twice",
        &[
            &without(":authority")[..],
            &[("host", "a.test"), ("host", "b.test")],
        ]
        .concat(),
    );
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    ] {
        check(name, &and(name, "chunked"));
    }
    check("te", &and("te", "gzip"));
    assert_eq!(gateway.upstream("b1").connections(), 0);
    let mut frames = Frames::open(&gateway);
    assert_eq!(
        frames.headers(1, END_STREAM, &and("te", "trailers")).answer(1).0,
        200
    );
}

#[test]
fn b08_trailers() {
    let gateway = echoing();
    let check = |what: &str, flags: u8, trailers: &[(&str, &str)]| {
        let mut frames = Frames::open(&gateway);
        frames
            .headers(1, 0, &head("POST", "/", &[]))
            .send(DATA, 0, 1, "ok")
            .headers(1, flags, trailers);
        let outcome = frames.outcome(1);
        assert!(
            !matches!(outcome, Outcome::Status(200) | Outcome::Closed),
            "{what}: {outcome:?}"
        );
        assert_eq!(
            gateway.upstream("b1").requests(),
            0,
            "{what}: the upstream saw it whole"
        );
    };
    check("no end", 0, &[("x-sum", "1")]);
    check("upper case", END_STREAM, &[("X-Sum", "1")]);
    check("line end", END_STREAM, &[("x-sum", "1\r\nx-evil: 2")]);
}

#[test]
fn b09_targets_and_methods() {
    let gateway = echoing();
    let check = |name: &str, value: &str| {
        let mut fields = head("GET", "/", &[]);
        fields
            .iter_mut()
            .filter(|(n, _)| *n == name)
            .for_each(|field| field.1 = value);
        let mut frames = Frames::open(&gateway);
        frames.headers(1, END_STREAM, &fields);
        assert_refused(&gateway, &mut frames, &format!("{name} {value:?}"));
    };
    for path in [
        "",
        "x",
        "*",
        "/a b",
        "/a\r\nx-evil: 1",
        "/a\nb",
        "/a\0",
        "/a\tb",
        "http://b.test/",
        "/ HTTP/1.1",
    ] {
        check(":path", path);
    }
    for scheme in ["", "ht tp", "http\r\n", "1", "http://evil/"] {
        check(":scheme", scheme);
    }
    for method in ["", "G T", "GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\n", "GET\0", "G\tT"] {
        check(":method", method);
    }
    for authority in [
        "u@a.test",
        "a.test/x",
        "a test",
        "a.test\r\nx: y",
        "a.test,b.test",
        "a.test:99999",
        "a.test:x",
        "a.test?x",
        "a\\b",
    ] {
        check(":authority", authority);
    }
    let hostless: Vec<_> = head("GET", "/", &[])
        .into_iter()
        .filter(|(n, _)| *n != ":authority")
        .collect();
    for host in ["u@a.test", "a.test/x", "a test", "a.test,b.test", "a.test:99999"] {
        let mut frames = Frames::open(&gateway);
        frames.headers(1, END_STREAM, &[&hostless[..], &[("host", host)]].concat());
        assert_refused(&gateway, &mut frames, &format!("host {host:?}"));
    }
    assert_eq!(gateway.upstream("b1").connections(), 0);
}

/// `:authority` is the host, whatever `host` says.
#[test]
fn b09_authority_and_host() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let mut frames = Frames::open(&gateway);
    assert_eq!(
        frames
            .headers(1, END_STREAM, &head("GET", "/", &[("host", "b.test")]))
            .answer(1)
            .0,
        200
    );
    let seen = upstream.last();
    assert_eq!(seen.headers.all("host").collect::<Vec<_>>(), ["a.test"]);
    assert_eq!(seen.headers.get("x-forwarded-host"), "a.test");
}

#[test]
fn b10_line_ends_in_fields() {
    let gateway = echoing();
    let check = |name: &str, value: &str| {
        let mut frames = Frames::open(&gateway);
        frames.headers(1, END_STREAM, &head("GET", "/", &[(name, value)]));
        assert_refused(&gateway, &mut frames, &format!("{name:?}: {value:?}"));
    };
    for value in [
        "1\r\nx-evil: 2",
        "1\n2",
        "1\r2",
        "1\0",
        "1\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
    ] {
        check("x-a", value);
        check("cookie", value);
        check("user-agent", value);
    }
    for name in [
        "x-a\r\nx-evil",
        "x-a: 1\r\nx-evil",
        "x a",
        "x\0",
        "x\u{e9}",
        "x:y",
    ] {
        check(name, "1");
    }
    assert_eq!(gateway.upstream("b1").connections(), 0);
}

#[test]
fn b12_header_compression_errors() {
    let gateway = echoing();
    let plain = literals(&head("GET", "/", &[]));
    let check = |what: &str, tail: &[u8]| {
        let mut frames = Frames::open(&gateway);
        frames.send(HEADERS, END_STREAM | END_HEADERS, 1, [&plain[..], tail].concat());
        assert_refused(&gateway, &mut frames, what);
    };
    check("index 0", &[0x80]);
    check("index beyond the tables", &[0xff, 0xff, 0x7f]);
    check("an index without end", &[0xff; 40]);
    check("a length beyond the block", &[0, 0x7f, 0xff, 0x0f, b'x']);
    check("a length without end", &[&[0, 0x7f][..], &[0xff; 40]].concat());
    check(
        "Huffman: end of string inside",
        &[0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, b'x'],
    );
    check("Huffman: padding of zeros", &[0, 0x81, 0x00, 1, b'x']);
    check(
        "Huffman: padding of a whole byte",
        &[0, 0x82, 0x1f, 0xff, 1, b'x'],
    );
    check("a table larger than allowed", &[0x3f, 0xe1, 0xff, 0x03]);
    check("a cut literal", &[0, 5, b'x']);
    let huge = literals(&[("x".repeat(15_000), "y")]);
    let mut frames = Frames::open(&gateway);
    let pieces: Vec<u8> = (0..6)
        .flat_map(|n| frame(CONTINUATION, if n == 5 { END_HEADERS } else { 0 }, 1, &huge))
        .collect();
    frames.send(HEADERS, END_STREAM, 1, &plain).bytes(pieces);
    assert_refused(&gateway, &mut frames, "huge names");
}

/// A17: the length that was said and the length that came.
#[test]
fn a17_lengths_that_do_not_agree() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let check = |what: &str, length: &str, send: &dyn Fn(&mut Frames)| {
        let mut frames = Frames::open(&gateway);
        let flags = if what == "no body" { END_STREAM } else { 0 };
        frames.headers(1, flags, &head("POST", "/", &[("content-length", length)]));
        send(&mut frames);
        let outcome = frames.outcome(1);
        assert!(!matches!(outcome, Outcome::Status(200)), "{what}: {outcome:?}");
        assert_eq!(upstream.requests(), 0, "{what}: the upstream saw it whole");
    };
    check("no body", "5", &|_| {});
    check("a longer body", "2", &|frames| {
        _ = frames.send(DATA, END_STREAM, 1, "hello").ping()
    });
    check("a longer body in pieces", "3", &|frames| {
        _ = frames
            .send(DATA, 0, 1, "he")
            .send(DATA, END_STREAM, 1, "llo")
            .ping()
    });
    check("a shorter body", "9", &|frames| {
        _ = frames.send(DATA, END_STREAM, 1, "hello").ping()
    });
    check("a shorter body with trailers", "9", &|frames| {
        _ = frames
            .send(DATA, 0, 1, "hello")
            .headers(1, END_STREAM, &[("x-a", "1")])
            .ping()
    });
    for length in ["x", "-1", "+5", "5,5", "99999999999999999999"] {
        check("no number", length, &|frames| {
            _ = frames.send(DATA, END_STREAM, 1, "hello").ping()
        });
    }
}

/// A17: a body that never ends is cut upstream, not completed.
#[test]
fn a17_bodies_that_do_not_end() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let check = |what: &str, length: &[(&str, &str)], last: &[u8]| {
        let connections = upstream.connections();
        let mut frames = Frames::open(&gateway);
        frames
            .headers(1, 0, &head("POST", "/", length))
            .send(DATA, 0, 1, "hello");
        eventually("the request is on its way", || {
            upstream.connections() > connections
        });
        frames.bytes(last);
        drop(frames);
        let log = until(Duration::from_millis(300), || {
            (upstream.requests() > 0).then_some(())
        });
        assert_eq!(log, None, "{what}: the upstream saw it whole");
    };
    check("the connection ends", &[], b"");
    check(
        "the connection ends, length known",
        &[("content-length", "9")],
        b"",
    );
    check(
        "a cut DATA frame",
        &[],
        &frame(DATA, END_STREAM, 1, "a whole frame")[..15],
    );
    check("a reset", &[], &frame(RST_STREAM, 0, 1, 8u32.to_be_bytes()));
}

/// A12: CONNECT without a protocol is for forward proxies.
#[test]
fn a12_connect_in_http2() {
    let gateway = echoing();
    let looked = Before::look(&gateway, "web", "connect");
    let mut frames = Frames::open(&gateway);
    frames
        .headers(1, 0, &[(":method", "CONNECT"), (":authority", "a.test:443")])
        .send(DATA, 0, 1, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(frames.outcome(1), Outcome::Status(501));
    looked.refused_once("CONNECT");
    assert_eq!(frames.bytes(get(3)).answer(3).0, 200, "the connection goes on");
}

/// A18: the same trailers may pass as in HTTP/1.
#[test]
fn a18_trailers_in_http2() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let mut frames = Frames::open(&gateway);
    let trailers = [
        ("x-sum", "1"),
        ("authorization", "evil"),
        ("x-forwarded-for", "evil"),
        ("content-length", "9"),
        ("cookie", "evil"),
        ("host", "evil"),
    ];
    frames
        .headers(1, 0, &head("POST", "/", &[]))
        .send(DATA, 0, 1, "ok")
        .headers(1, END_STREAM, &trailers);
    assert_eq!(frames.answer(1).0, 200);
    assert_eq!(upstream.last().trailers.0, [("X-Sum".to_owned(), "1".to_owned())]);
}

/// The answer of a server that promised a length and did not keep it ends as a reset, not as an end.
#[test]
fn a17_answers_that_do_not_end() {
    let upstream = Upstream::script([
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec()),
        Act::Close,
    ]);
    let gateway = before(&upstream);
    let mut frames = Frames::open(&gateway);
    frames.bytes(get(1));
    // The head may be lost with the reset, but never the reset.
    let mut outcome = frames.outcome(1);
    if outcome == Outcome::Status(200) {
        outcome = frames.outcome(1);
    }
    assert!(matches!(outcome, Outcome::Reset(1..)), "{outcome:?}");
    frames.bytes(get(3));
    assert!(
        matches!(frames.outcome(3), Outcome::Status(200) | Outcome::Reset(_)),
        "the connection goes on"
    );
}
