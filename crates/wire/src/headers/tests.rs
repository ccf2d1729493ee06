use super::*;

fn list(h: &Headers) -> String {
    h.iter()
        .map(|(n, v)| format!("{}={}", String::from_utf8_lossy(n), String::from_utf8_lossy(v)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn sample() -> Headers {
    [
        ("host", "a"),
        ("x-a", "1"),
        ("X-B", "2"),
        ("x-A", "3"),
        ("x-forwarded-for", "9"),
    ]
    .into_iter()
    .collect()
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
    check(
        |h| h.set("x-c", "c"),
        "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9 X-C=c",
    );
    check(|h| assert!(h.remove("x-a")), "Host=a X-B=2 X-Forwarded-For=9");
    check(
        |h| assert!(!h.remove("x-none")),
        "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9",
    );
    check(
        |h| h.remove_known(Known::XForwardedFor),
        "Host=a X-A=1 X-B=2 X-A=3",
    );
    check(
        |h| {
            h.append("x-forwarded-for", "8");
            h.append_verbatim("HOST", "b");
            h.set_known(Known::XForwardedFor, "7");
            h.set_known(Known::Accept, "*/*");
            h.set_known(Known::Other, "nothing");
        },
        "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=7 HOST=b Accept=*/*",
    );
    check(|h| h.retain(|k, _, _| k == Known::Host), "Host=a");
    check(
        |h| h.append_verbatim("x-as-IS", "v"),
        "Host=a X-A=1 X-B=2 X-A=3 X-Forwarded-For=9 x-as-IS=v",
    );
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
    h.clear();
    h.append_verbatim("a\r\nb", "1");
    h.append("c\nd", "2");
    h.append("", "3");
    assert_eq!(list(&h), "a  b=1 c d=2");
}

#[test]
fn lines_are_written_as_they_stand() {
    let check = |edit: fn(&mut Headers), want: &str| {
        let (mut h, mut out) = (sample(), Vec::new());
        edit(&mut h);
        h.write_lines(&mut out, |k, _| k != Known::Host);
        assert_eq!(String::from_utf8_lossy(&out), want);
    };
    check(|_| (), "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nX-Forwarded-For: 9\r\n");
    check(
        |h| h.set("x-b", "longer"),
        "X-A: 1\r\nX-B: longer\r\nX-A: 3\r\nX-Forwarded-For: 9\r\n",
    );
    check(
        |h| h.append_known(Known::Date, "d"),
        "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nX-Forwarded-For: 9\r\nDate: d\r\n",
    );
    check(
        |h| {
            h.append_copy(Known::XForwardedHost, Known::Host);
            h.append_copy(Known::XRealIp, Known::Cookie);
        },
        "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nX-Forwarded-For: 9\r\nX-Forwarded-Host: a\r\n",
    );
    check(|h| h.clear(), "");
}
