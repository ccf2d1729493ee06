//! What is found, however the text comes.

use super::*;
use proptest::prelude::*;

fn detector(patterns: &[&str]) -> Detector {
    let rules = patterns.iter().map(|p| Rule::go(p).unwrap()).collect();
    Detector::new(rules).unwrap()
}

fn told(text: &str, found: &[Finding]) -> Vec<String> {
    let mut told: Vec<String> = found
        .iter()
        .map(|f| format!("{}:{}", f.rule, &text[f.range.clone()]))
        .collect();
    told.sort();
    told
}

/// The findings when the text comes in pieces that end at these bytes; also how much was held at most.
fn pieces(detector: &Detector, text: &str, ends: &[usize]) -> Vec<Finding> {
    let (mut found, mut scan) = (Vec::new(), detector.start());
    for end in ends.iter().filter(|e| text.is_char_boundary(**e)) {
        if *end < scan.settled {
            continue;
        }
        // What a holder keeps: a character before what is settled.
        let base = text[..scan.settled]
            .char_indices()
            .next_back()
            .map_or(0, |(at, _)| at);
        detector.advance(&mut scan, &text[base..*end], base, &mut found);
    }
    detector.finish(&mut scan, text, 0, &mut found);
    found
}

#[test]
fn finds() {
    let check = |patterns: &[&str], text: &str, want: &[&str]| {
        assert_eq!(
            told(text, &detector(patterns).find(text)),
            want,
            "{patterns:?} {text}"
        );
    };
    check(&[r"\d{3}"], "12 345 6789", &["0:345", "0:678"]);
    check(&["a+", "aab"], "aaab", &["0:aaa", "1:aab"]);
    check(&["a|ab"], "ab", &["0:a"]);
    check(&["ab|a"], "ab", &["0:ab"]);
    check(
        &[r"\bsecret\b", "(?i)SECRET"],
        "asecret secret.",
        &["0:secret", "1:secret", "1:secret"],
    );
    check(&["^a", "a$"], "aba", &["0:a", "1:a"]);
    check(&["ü+"], "xüüy", &["0:üü"]);
    check(&["x"], "", &[]);
}

#[test]
fn mistakes() {
    let check = |pattern: &str, want: &str| {
        let rule = Rule::go(pattern).and_then(|rule| Detector::new(vec![rule]));
        assert_eq!(rule.unwrap_err().reason, want, "{pattern}");
    };
    check("a(", "missing closing `)`");
    check("a*", "it fits the empty text, and so every text");
    check(r"(a{1000}){1000}", "it is too large");
}

#[test]
fn what_is_not_alive_is_settled_at_once() {
    let check = |patterns: &[&str], text: &str, want: usize| {
        let detector = detector(patterns);
        let mut scan = detector.start();
        detector.advance(&mut scan, text, 0, &mut Vec::new());
        assert_eq!(scan.settled, want, "{patterns:?} {text}");
    };
    check(&[r"\d{4}"], "call 123", 5);
    // An automaton tells a match one byte late, and that nothing more can come another byte later.
    check(&[r"\d{4}"], "call 1234", 5);
    check(&[r"\d{4}"], "call 1234. ", 11);
    check(&[r"\d{4}"], "call me", 7);
    check(&[r"\b\d{4}\b"], "call 1234", 5);
    check(&["secret", "x.*y"], "a secre", 2);
    check(&["x.*y"], "ax12", 1);
    check(&["x.*y"], "ax12\n", 5);
    check(&["a$"], "ba", 1);
}

#[test]
fn hostile_text_costs_no_more_than_its_budget() {
    let detector = detector(&[r"[a-z]+@"]);
    let text = "a".repeat(256 * 1024);
    let mut scan = detector.start();
    let start = std::time::Instant::now();
    let dotted = format!("{text} ");
    detector.advance(&mut scan, &dotted, 0, &mut Vec::new());
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    assert!(scan.settled < dotted.len(), "what was not looked at is held");
}

const SETS: &[&[&str]] = &[
    &["a", "ab", "abc"],
    &[r"\ba+b?\b", "c{2,3}"],
    &["a.c", "(?s)b.*d"],
    &["^a", "d$", "a|b|cd"],
    &[r"[a-c]+d", "é", "(?m)^b"],
];

proptest! {
    #[test]
    fn pieces_find_what_the_whole_finds(set in 0..SETS.len(), text in "[abcd é\n]{0,24}", mut ends in proptest::collection::vec(0usize..30, 0..8)) {
        let detector = detector(SETS[set]);
        ends.retain(|e| *e <= text.len());
        ends.sort_unstable();
        let whole = detector.find(&text);
        let found = pieces(&detector, &text, &ends);
        prop_assert_eq!(told(&text, &found), told(&text, &whole));
        let mut expected = Vec::new();
        for (rule, pattern) in SETS[set].iter().enumerate() {
            let regex = trilithon_rule::Regexp::new(pattern).unwrap();
            expected.extend(regex.regex().find_iter(text.as_bytes()).map(|m| Finding { range: m.range(), rule }));
        }
        prop_assert_eq!(told(&text, &whole), told(&text, &expected));
    }
}
