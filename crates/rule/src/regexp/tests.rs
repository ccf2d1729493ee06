//! What Go matches, and what it refuses.

use super::*;

/// `yes` and `no` are texts separated by spaces.
#[track_caller]
fn check(source: &str, yes: &str, no: &str) {
    let regexp = Regexp::new(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    for text in yes.split(' ').filter(|t| !t.is_empty()) {
        assert!(regexp.is_match(text.as_bytes()), "`{source}` must match `{text}`");
    }
    for text in no.split(' ').filter(|t| !t.is_empty()) {
        assert!(
            !regexp.is_match(text.as_bytes()),
            "`{source}` must not match `{text}`"
        );
    }
}

#[track_caller]
fn bad(source: &str, reason: &str) {
    let error = Regexp::new(source)
        .err()
        .unwrap_or_else(|| panic!("{source} must be refused"));
    assert!(error.to_string().contains(reason), "{source}: {error}");
}

#[test]
fn same_as_go() {
    check("mid", "a/mid/b mid", "mi");
    check("^/v[0-9]+/", "/v1/x", "/v1 /x/v1/");
    check("(?i)^up$", "UP up", "upx");
    check("(?is-m:a.b)|c", "AxB c", "ab");
    check(r"^\w{2,3}\.x$", "ab.x abc.x", "a.x abcd.x éé.x");
    check(r"^\d+$", "12", "٣");
    check(r"^[\w.-]+$", "a-b.c_1", "a~b");
    check(r"^[^\W\d]+$", "ab", "1 a-");
    check(r"\Aab\z", "ab", "abc");
    check(r"^\Qa.b\E+$", "a.b a.bbb", "axb");
    check(r"^\Q(a", "(ab", "a");
    check(r"^(?P<x>a)(?<y>b)$", "ab", "a");
    check(r"^(?<1>a)$", "a", "b");
    check(r"^[[:alpha:]]+[[:^digit:]]$", "ab", "a1");
    check(r"^[[:word:]]+$", "a_1", "é");
    check(r"^[]a]+$", "]a", "b");
    check(r"^[a[b]$", "a b [", "c");
    check(r"^[a&&b]$", "a b &", "c");
    check(r"^[+--]$", "+ , -", ".");
    check(r"^[a~~b-]$", "~ - b", "c");
    check(r"^/{id}$", "/{id}", "/x");
    check(r"^a{,2}$", "a{,2}", "aa");
    check(r"^a{02}$", "a{02}", "aa");
    check(r"^a{2}$", "aa", "a");
    check(r"^\x41\x{42}\101\_\<$", "ABA_<", "A");
    check(r"\bab\b", "x/ab/y", "xab");
    check(r"^\pL\p{Greek}\P{Greek}\p{^Greek}$", "aαbb", "αααα");
    check(r"^(?U)a+?$", "aa", "b");
    check(r"(?)a", "a", "b");
    check(r"a#b&c", "a#b&c", "ab");
}

#[test]
fn refused_as_in_go() {
    bad("(", "missing closing `)`");
    bad(")", "unexpected `)`");
    bad("[", "missing closing `]`");
    bad("[]", "missing closing `]`");
    bad("^/(?!x)", "look-around");
    bad("(?<=x)", "look-around");
    bad(r"(a)\1", "back-references");
    bad("a**", "repetition after a repetition: `*`");
    bad("a++", "repetition after a repetition");
    bad("*", "nothing before the repetition");
    bad("a{1001}", "invalid repeat count `{1001}`");
    bad("a{3,2}", "invalid repeat count");
    bad("(?x)a", "unknown group or flag");
    bad("(?i-)a", "unknown group or flag");
    bad(r"\Z", "invalid escape");
    bad(r"\C", "invalid escape");
    bad(r"\y", "invalid escape");
    bad("a\\", "backslash at the end");
    bad("[b-a]", "backwards");
    bad("[[:foo:]]", "unknown class");
    bad(r"\p{Nope}", "not found");
    bad("(?P<a>x)(?P<a>y)", "two groups");
    bad(r"\xg0", "invalid `\\x` escape");
    bad("((a{1000}){1000}){1000}", "size");
    bad(&"(".repeat(100_000), "nested too deep");
}

#[test]
fn bytes_that_are_no_utf8_count_as_one_character_each() {
    let regexp = Regexp::new("^/x/..$").unwrap();
    assert!(regexp.is_match(b"/x/\xff\xfe"));
    assert!(!regexp.is_match(b"/x/\xff"));
}

#[test]
fn prefixes() {
    let prefixes = |s: &str| {
        let list = Regexp::new(s).unwrap().prefixes();
        list.iter()
            .map(|p| p.escape_ascii().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(prefixes("^/api/[^/]+/x$"), "/api/");
    assert_eq!(prefixes("^/(a|b)/"), "/a/ /b/");
    assert_eq!(prefixes("^(?:/a|/b)"), "/a /b");
    assert_eq!(prefixes("/api"), "");
    assert_eq!(prefixes("^/a|/b"), "");
    assert_eq!(prefixes("(?m)^/a"), "");
    assert_eq!(prefixes("^/caf\u{e9}"), "");
    assert_eq!(prefixes(".*"), "");
}

#[test]
fn suffixes() {
    let suffixes = |s: &str| {
        let list = Regexp::new(s).unwrap().suffixes();
        list.iter()
            .map(|p| p.escape_ascii().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(suffixes(r"^[a-z]+\.example\.com$"), ".example.com");
    assert_eq!(suffixes(r"\.(a|b)\.test$"), ".a.test .b.test");
    assert_eq!(suffixes(r"\.example\.com"), "");
    assert_eq!(suffixes(r"\.test$|x"), "");
}
