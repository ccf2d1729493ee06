//! What Go's `text/template` with sprig made of `cases.txt`, against what we make of it. `recorded.json` is written by the
//! program in `go/`.

use std::time::Duration;

use trilithon_template::{Limits, Template, Value};

/// The data that the program in `go/` has too.
const DATA: &str = r#"{"name": "web", "n": 3, "f": 1.5, "yes": true, "nothing": null, "empty": "", "items": ["a", "b", "c"],
    "map": {"k": "v", "a": {"b": {"c": "deep"}}}, "list": [{"id": "x", "port": 80}, {"id": "y", "port": 81}], "none": []}"#;

/// Where we do otherwise on purpose: a piece of the template, and why.
const OTHERWISE: &[(&str, &str)] = &[(
    "{{ 1i }}",
    "complex numbers are of no use here, so they are refused",
)];

fn render(text: &str) -> Result<String, String> {
    let data: serde_json::Value = serde_json::from_str(DATA).expect("JSON");
    // Keys are made slowly by code that is not optimized, on a machine that does much else.
    let limits = Limits {
        time: Duration::from_secs(120),
        ..Limits::default()
    };
    Template::parse("t", text)
        .and_then(|template| template.render(&Value::from(&data), &limits))
        .map_err(|error| error.to_string())
}

/// One line of both, as a report shows it.
fn differs(case: &serde_json::Value) -> Option<String> {
    let template = case["template"].as_str().expect("a template");
    if OTHERWISE.iter().any(|(piece, _)| template.contains(piece)) {
        return None;
    }
    let ours = render(template);
    let theirs = match case["error"].as_str() {
        Some(error) => Err(error),
        None => Ok(case["output"].as_str().unwrap_or_default()),
    };
    let same = match (&ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        // What an error says is ours to say; that there is one is not.
        (Err(_), Err(_)) => true,
        _ => false,
    };
    (!same).then(|| format!("{template}\n  Go:   {theirs:?}\n  ours: {ours:?}\n"))
}

#[test]
fn every_template_becomes_what_go_makes_of_it() {
    let text = include_str!("recorded.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).expect("JSON");
    assert!(cases.len() >= 350, "{} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(differs).collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_line_was_recorded() {
    let lines = include_str!("cases.txt").lines();
    let lines = lines
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .count();
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("recorded.json")).expect("JSON");
    assert_eq!(cases.len(), lines, "run the program in `go/` again");
}
