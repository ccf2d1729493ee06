//! A: where an HTTP/1 request begins and ends. Whatever could be read in two ways is refused before anything goes
//! upstream.

use crate::tap::Tap;
use crate::world::{self, ROUTING, assert_ends, echoing, refused};
use trilithon_testkit::{Ended, PATIENCE};

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n{body}")
}

/// A chunked body, literally.
fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}

#[test]
fn a01_content_length_and_transfer_encoding() {
    let gateway = echoing();
    let check = |fields: &str| {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
        refused(&gateway, post(fields, smuggled), 400, "both-cl-and-te");
    };
    check("Content-Length: 5\r\nTransfer-Encoding: chunked");
    check("Transfer-Encoding: chunked\r\nContent-Length: 5");
    check("Transfer-Encoding: chunked\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 5");
    check("content-length: 0\r\nTRANSFER-ENCODING: Chunked");
    assert_eq!(gateway.upstream("b1").connections(), 0);
}

#[test]
fn a02_content_length_values() {
    let gateway = echoing();
    let bad = [
        "+5",
        "-0",
        "-5",
        "0x5",
        "5 5",
        "5,5",
        "5, 5",
        "",
        "5.0",
        "1e1",
        "５",
        "9223372036854775808",
        "99999999999999999999",
        "00000000000000000005",
    ];
    for value in bad {
        refused(
            &gateway,
            post(&format!("Content-Length: {value}"), "hello"),
            400,
            "bad-content-length",
        );
    }
    for second in ["5", "6"] {
        let fields = format!("Content-Length: 5\r\nX-A: 1\r\nContent-Length: {second}");
        refused(&gateway, post(&fields, "hello"), 400, "bad-content-length");
    }
    assert_eq!(gateway.upstream("b1").connections(), 0);
    let answer = gateway
        .client("web")
        .ask(&post("Content-Length: \t 5 \t", "hello"));
    assert_eq!(
        (answer.status, &*answer.saw("content-length")),
        (200, "5"),
        "white space around it is none of it"
    );
}

#[test]
fn a03_transfer_encoding_that_is_not_chunked() {
    let gateway = echoing();
    let check =
        |field: &str, status: u16, reason: &str| refused(&gateway, post(field, "0\r\n\r\n"), status, reason);
    for coding in ["xchunked", "gzip", "gzip, chunked", "identity", "chunked2"] {
        check(
            &format!("Transfer-Encoding: {coding}"),
            501,
            "unknown-transfer-coding",
        );
    }
    for value in [
        "chunked, identity",
        "chunked, chunked",
        "\"chunked\"",
        "chunked;a=b",
        "",
        ",chunked",
        "chunked,",
        "\u{a0}chunked",
    ] {
        check(
            &format!("Transfer-Encoding: {value}"),
            400,
            "bad-transfer-encoding",
        );
    }
    check(
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        400,
        "bad-transfer-encoding",
    );
    check(
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        400,
        "bad-transfer-encoding",
    );
    check("Transfer-Encoding: \x0bchunked", 400, "bad-header-value");
    check("Transfer-Encoding:\r\n chunked", 400, "folded-header");
    check("Transfer-Encoding : chunked", 400, "bad-header-name");
    check("Transfer-Encoding\t: chunked", 400, "bad-header-name");
    check("\u{a0}Transfer-Encoding: chunked", 400, "bad-header-name");
    check("Transfer_Encoding: chunked", 400, "framing-alias");
    check("Content.Length: 5", 400, "framing-alias");
    assert_eq!(gateway.upstream("b1").connections(), 0);
    let answer = gateway
        .client("web")
        .ask(&post("Transfer-Encoding:\tCHUNKED ", "2\r\nok\r\n0\r\n\r\n"));
    assert_eq!((answer.status, &answer.json()["body"]), (200, &"ok".into()));
}

#[test]
fn a04_http_1_0_bodies() {
    let gateway = echoing();
    let chunked = "POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    refused(&gateway, chunked, 400, "bad-transfer-encoding");
    assert_eq!(gateway.upstream("b1").connections(), 0);
    // A request never ends with its connection: without a length there is no body.
    let mut client = gateway.client("web");
    let answer = client.ask("POST / HTTP/1.0\r\nHost: a.test\r\n\r\nnot a body");
    assert_eq!((answer.status, &answer.json()["body"]), (200, &"".into()));
    assert_ends(&mut client, "HTTP/1.0");
    assert_eq!(gateway.upstream("b1").requests(), 1);
}

#[test]
fn a05_chunk_sizes() {
    let gateway = echoing();
    let bad = [
        "10000000000000005",
        "00000000000000005",
        "ffffffffffffffff",
        "8000000000000000",
        "0x5",
        "+5",
        "-5",
        " 5",
        "5 ",
        "\t5",
        "",
        "g",
        "5g",
        "5_0",
        "５",
    ];
    for size in bad {
        refused(
            &gateway,
            chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n")),
            400,
            "bad-chunk-size",
        );
    }
    refused(&gateway, chunked("3\r\nhello\r\n0\r\n\r\n"), 400, "bad-chunk-end");
    let answer = gateway.client("web").ask(&chunked(
        "0000000000000002\r\nok\r\n0A\r\n0123456789\r\n00\r\n\r\n",
    ));
    assert_eq!(
        (answer.status, &answer.json()["body"]),
        (200, &"ok0123456789".into())
    );
}

/// Without the last chunk the request is not over: the gateway never makes up an end.
#[test]
fn a05_missing_last_chunk() {
    let gateway = echoing();
    for body in [
        "2\r\nok\r\n",
        "2\r\nok",
        "2\r\n",
        "2\r\nok\r\n0\r\n",
        "2\r\nok\r\n0\r\nX-A: 1\r\n",
    ] {
        let mut client = gateway.client("web");
        client.send(chunked(body)).finish();
        let (bytes, ended) = client.read_to_end(PATIENCE);
        assert_ne!(ended, Ended::Open, "{body:?}");
        assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{body:?}");
    }
    assert_eq!(gateway.upstream("b1").requests(), 0);
}

#[test]
fn a06_line_ends_and_control_bytes() {
    let gateway = echoing();
    let head = |bytes: &str, reason: &str| refused(&gateway, bytes, 400, reason);
    head("GET / HTTP/1.1\nHost: a.test\r\n\r\n", "bad-request-line");
    head("GET / HTTP/1.1\rHost: a.test\r\n\r\n", "bad-request-line");
    head("\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "bad-request-line");
    head("GET / HTTP/1.1\r\nHost: a.test\nX-A: 1\r\n\r\n", "bare-line-end");
    head("GET / HTTP/1.1\r\nHost: a.test\rX-A: 1\r\n\r\n", "bare-line-end");
    head("GET / HTTP/1.1\r\nHost: a.test\r\r\n\r\n", "bare-line-end");
    head("GET / HTTP/1.1\r\nHost: a.test\n\n", "bare-line-end");
    head(
        "GET / HTTP/1.1\r\nHost: a.test\r\n\nGET /b HTTP/1.1\r\n\r\n",
        "bare-line-end",
    );
    head(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: a\0b\r\n\r\n",
        "bare-line-end",
    );
    head(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: a\x7fb\r\n\r\n",
        "bad-header-value",
    );
    head(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\n X-B: 2\r\n\r\n",
        "folded-header",
    );
    head("GET / HTTP/1.1\r\nHost: a.test\r\n\0: 1\r\n\r\n", "bare-line-end");
    assert_eq!(gateway.upstream("b1").connections(), 0);
    let body = |bytes: &str, reason: &str| refused(&gateway, chunked(bytes), 400, reason);
    body("2\nok\r\n0\r\n\r\n", "bad-chunk-size");
    body("2\rok\r\n0\r\n\r\n", "bare-line-end");
    body("2\r\nok\n0\r\n\r\n", "bad-chunk-end");
    body("2;a\nok\r\n0\r\n\r\n", "bare-line-end");
    body("2;a=\"\n\"\r\nok\r\n0\r\n\r\n", "bare-line-end");
    body("2;a=\0\r\nok\r\n0\r\n\r\n", "bare-line-end");
    body("2\r\nok\r\n0\r\nX-A: 1\n\r\n", "bare-line-end");
    body("2\r\nok\r\n0\r\n\n", "bare-line-end");
}

#[test]
fn a07_chunk_extensions() {
    let gateway = echoing();
    let long = "a".repeat(5000);
    let check = |line: &str, reason: &str| {
        refused(
            &gateway,
            chunked(&format!("{line}\r\nok\r\n0\r\n\r\n")),
            400,
            reason,
        )
    };
    check("2;", "bad-chunk-extension");
    check("2;a=", "bad-chunk-extension");
    check("2;=b", "bad-chunk-extension");
    check("2;a b", "bad-chunk-extension");
    check("2;a=\"b\"c", "bad-chunk-extension");
    check(&format!("2;{long}"), "chunk-overhead");
    check(&format!("2;a=\"{long}\""), "chunk-overhead");

    let tap = Tap::start();
    let gateway = world::gateway()
        .routing(ROUTING)
        .at_port("b1", tap.port())
        .start();
    let mut client = gateway.client("web");
    client.send(chunked(
        "2;secret=1\r\nok\r\n2; other = \"x\\\"y\" ;last\r\nay\r\n0;z\r\n\r\n",
    ));
    assert_eq!(client.response().status, 200);
    let sent = tap.text();
    assert!(
        sent.contains("\r\n\r\n2\r\nok\r\n2\r\nay\r\n0\r\n\r\n"),
        "extensions go no further: {sent}"
    );
}
