//! Configuration mistakes and the exact words said about them: place, code, message, help.
//!
//! The cases are in `mistakes/*.txt`. A case is `=== name`, then `--- KIND`, the input, `---` and what is to be said.
//! KIND is a file name (`install.yml`, `routing.toml` …), `flags` (one per line), `labels` or `env` (one
//! `NAME=value` per line).
//! `BLESS=1 cargo test` writes what is said now; read the difference before keeping it.

use std::path::{Path, PathBuf};

use trilithon_model::decode::Decode;
use trilithon_model::dialect::path::{self, Tree};
use trilithon_model::dynamic::Configuration;
use trilithon_model::node::{Source, Span};
use trilithon_model::shape::Shape;
use trilithon_model::source::{Inputs, load};
use trilithon_model::{Problems, decode_labels, routing_file};

struct Case {
    name: String,
    kind: String,
    input: String,
    expected: String,
}

#[test]
fn mistakes_are_named_exactly() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for path in tables() {
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = cases(&text);
        count += cases.len();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, cases.iter().map(blessed).collect::<String>()).unwrap();
        }
        wrong.extend(cases.iter().filter_map(check));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count >= 60, "only {count} cases");
}

fn check(case: &Case) -> Option<String> {
    let said = said(case);
    let same = said == case.expected;
    (!same).then(|| format!("{}\nexpected:\n{}\nsaid:\n{said}", case.name, case.expected))
}

fn blessed(case: &Case) -> String {
    format!(
        "=== {}\n--- {}\n{}\n---\n{}\n",
        case.name,
        case.kind,
        case.input,
        said(case)
    )
}

fn said(case: &Case) -> String {
    let problems = match case.kind.as_str() {
        "flags" => {
            let args: Vec<String> = case.input.lines().map(str::to_owned).collect();
            load(&Inputs {
                args: &args,
                env: &[],
                read: &|_| None,
            })
            .problems
        }
        "env" => {
            let pairs = case.input.lines().filter_map(|line| line.split_once('='));
            let env: Vec<_> = pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            load(&Inputs {
                args: &[],
                env: &env,
                read: &|_| None,
            })
            .problems
        }
        "labels" => labels(&case.input),
        name if name.starts_with("install") => install(name, &case.input),
        name => routing_file(&Source::text(name, case.input.as_str())).1,
    };
    render(&problems)
}

/// Labels have no reader of their own yet; what one needs is a path and a value each.
fn labels(text: &str) -> Problems {
    let shape = Configuration::shape();
    let source = Source::words("labels", text.lines().map(str::to_owned).collect());
    let mut tree = Tree::new(Span::none());
    for (index, line) in text.lines().enumerate() {
        let (name, value) = line.split_once('=').unwrap();
        let parts = path::split(name.strip_prefix("traefik.").unwrap()).unwrap();
        let list = path::lookup(&shape, &parts).is_some_and(|t| matches!(t.shape, Shape::List(_)));
        tree.put(&parts, value, &Span::word(&source, index), list);
    }
    decode_labels(&tree.finish()).1
}

fn install(name: &str, text: &str) -> Problems {
    let args = [format!("--configFile={name}")];
    let read = |path: &str| (path == name).then(|| Ok(text.to_owned()));
    load(&Inputs {
        args: &args,
        env: &[],
        read: &read,
    })
    .problems
}

fn render(problems: &Problems) -> String {
    let lines = problems.iter().map(|p| {
        let object = p
            .object
            .as_ref()
            .map(|o| format!("\n  object: {o}"))
            .unwrap_or_default();
        format!(
            "{p}{object}{}",
            if p.voids_file { "\n  voids the file" } else { "" }
        )
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        text
    }
}

fn tables() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "txt"));
    files.sort();
    files
}

fn cases(text: &str) -> Vec<Case> {
    text.split("=== ").skip(1).map(case).collect()
}

fn case(text: &str) -> Case {
    let (name, rest) = text.split_once("\n--- ").unwrap();
    let (kind, rest) = rest.split_once('\n').unwrap();
    let (input, expected) = rest.rsplit_once("\n---\n").unwrap();
    let expected = expected.trim_end().to_owned();
    Case {
        name: name.to_owned(),
        kind: kind.to_owned(),
        input: input.to_owned(),
        expected,
    }
}
