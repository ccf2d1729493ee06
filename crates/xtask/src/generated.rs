//! The generated part of the manual: the reference of every option, problem codes, limits, what is not built, JSON
//! Schemas.

use std::fmt::Write as _;

use trilithon_ai::dialect::Dialect;
use trilithon_ai::translate::parameter::{self, Fate};
use trilithon_model::reference::{Page, pages};
use trilithon_model::schema;

use crate::listing::{self, Unbuilt};
use crate::tree::Files;

/// The head of each page.
const MARK: &str =
    "<!-- Generated from the code by `cargo run -p trilithon-xtask -- docs`. Do not edit. -->\n\n";

const CODES: [&str; 2] = [
    include_str!("../../model/src/problem.rs"),
    include_str!("../../trilithon/src/commands/state.rs"),
];
/// Where limits are, and what they are of.
const LIMITS: [(&str, &str); 3] = [
    (
        "Exchanges and connections",
        include_str!("../../flow/src/limits.rs"),
    ),
    (
        "Floods over HTTP/2",
        include_str!("../../engine/src/door/http2/flood.rs"),
    ),
    (
        "Configuration files",
        include_str!("../../model/src/dialect/mod.rs"),
    ),
];
const SUPPORT: &str = include_str!("../../model/src/support.rs");

/// All generated files.
///
/// # Errors
/// A list in the source that does not read as a list.
pub fn files() -> anyhow::Result<Files> {
    let pages = pages();
    let mut out = Files::new();
    for page in &pages {
        out.insert(
            format!("reference/{}", page.path).into(),
            format!("{MARK}{}", page.markdown),
        );
    }
    out.insert("reference/README.md".into(), index(&pages));
    out.insert("reference/problems.md".into(), problems()?);
    out.insert("reference/limits.md".into(), limits()?);
    out.insert("reference/not-built.md".into(), not_built()?);
    out.insert("reference/translation.md".into(), translation());
    out.insert("schema/install.json".into(), format!("{:#}\n", schema::install()));
    out.insert("schema/routing.json".into(), format!("{:#}\n", schema::routing()));
    Ok(out)
}

fn index(pages: &[Page]) -> String {
    let mut text = format!(
        "{MARK}# Reference\n\nEvery option, with its type, default and spellings. [Problems](problems.md) lists the codes that \
         `trilithon check` prints, [Limits](limits.md) the numbers that bound things, [Not built](not-built.md) what is accepted and does nothing yet, \
         [Translation](translation.md) what becomes of each parameter of a model call. For editors there are JSON \
         Schemas of the [install](../schema/install.json) and the [routing](../schema/routing.json) configuration.\n"
    );
    let mut folders: Vec<&str> = Vec::new();
    for page in pages {
        if !folders.contains(&folder(page)) {
            folders.push(folder(page));
        }
    }
    for name in folders {
        let _ = write!(text, "\n## {}\n\n| Page | |\n|---|---|\n", heading(name));
        pages
            .iter()
            .filter(|p| folder(p) == name)
            .for_each(|page| index_row(page, &mut text));
    }
    text
}

fn folder(page: &Page) -> &str {
    page.path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn index_row(page: &Page, text: &mut String) {
    let mut lines = page.markdown.lines().filter(|l| !l.is_empty());
    let title = lines.next().unwrap_or_default().trim_start_matches("# ");
    let about = lines.next().unwrap_or_default().replace('|', "\\|");
    let _ = writeln!(text, "| [`{title}`]({}) | {about} |", page.path);
}

fn heading(folder: &str) -> String {
    match folder.split_once('/') {
        None if folder == "install" => "Install configuration".to_owned(),
        None => folder.to_owned(),
        Some((_, rest)) => format!("Routing configuration: {}", rest.replace('/', ".")),
    }
}

fn problems() -> anyhow::Result<String> {
    let mut text = format!(
        "{MARK}# Problems\n\nThe codes of what can be wrong with a configuration. A code never changes its meaning.\n\n| Code | \
         Meaning |\n|---|---|\n"
    );
    for source in CODES {
        for code in listing::codes(source)? {
            let _ = writeln!(text, "| `{}` | {} |", code.code, code.meaning);
        }
    }
    Ok(text)
}

fn limits() -> anyhow::Result<String> {
    let mut text = format!("{MARK}# Limits\n\nThe numbers that bound what others can make the gateway do.\n");
    for (title, source) in LIMITS {
        let _ = write!(
            text,
            "\n## {title}\n\n| Name in the code | Value | Meaning |\n|---|---|---|\n"
        );
        for limit in listing::limits(source)? {
            let _ = writeln!(text, "| `{}` | {} | {} |", limit.name, limit.value, limit.meaning);
        }
    }
    Ok(text)
}

/// What becomes of each parameter of a model call.
fn translation() -> String {
    let mut text = format!(
        "{MARK}# Translation\n\nWhat becomes of each parameter when a call in one format goes to a server of another; see \
         [Translation between formats](../model-translation.md). *Dropped* parameters are told in the answer and in the record, with \
         *refused* ones a call is answered with 400. A parameter that is not in the table is dropped; one that is `null` is not there.\n"
    );
    for (from, title) in [
        (Dialect::Chat, "Chat Completions to Messages"),
        (Dialect::Messages, "Messages to Chat Completions"),
    ] {
        let _ = write!(
            text,
            "\n## {title}\n\n| Parameter | Becomes | Note |\n|---|---|---|\n"
        );
        for row in parameter::of(from) {
            let becomes = match row.fate {
                Fate::Mapped(names) => names
                    .split(", ")
                    .map(|name| format!("`{name}`").replace("`(", "(").replace(")`", ")"))
                    .collect::<Vec<_>>()
                    .join(", "),
                Fate::Dropped => "*dropped*".to_owned(),
                Fate::Refused => "*refused*".to_owned(),
            };
            let _ = writeln!(text, "| `{}` | {becomes} | {} |", row.name, row.note);
        }
    }
    text
}

fn not_built() -> anyhow::Result<String> {
    let mut text = format!(
        "{MARK}# Not built\n\nWhat of Traefik's configuration is accepted, and said to do nothing yet (`TRI0301`). `*` is any \
         name.\n\nA warning means: the rest works without it. An error in the install configuration keeps the gateway from \
         starting; one in a routing file disables the object that asks for it and nothing else.\n"
    );
    for (title, table) in [
        ("Install configuration", "INSTALL"),
        ("Routing configuration", "ROUTING"),
    ] {
        let rows = listing::unbuilt(SUPPORT, table)?;
        let _ = write!(text, "\n## {title}\n\n{}", table_of(&rows));
    }
    Ok(text)
}

fn table_of(rows: &[Unbuilt]) -> String {
    if rows.is_empty() {
        return "Nothing: all of it is built.\n".to_owned();
    }
    let mut text = "| Option | What | Severity |\n|---|---|---|\n".to_owned();
    for row in rows {
        let severity = if row.error { "error" } else { "warning" };
        let _ = writeln!(text, "| `{}` | {} | {severity} |", row.option, row.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_that_it_is_generated_and_is_in_the_index() {
        let files = files().expect("generated");
        let index = &files[std::path::Path::new("reference/README.md")];
        for (path, text) in &files {
            let path = path.to_string_lossy();
            let Some(below) = path.strip_prefix("reference/").filter(|p| *p != "README.md") else {
                continue;
            };
            assert!(text.starts_with(MARK), "{path}");
            assert!(index.contains(&format!("]({below})")), "{path}");
        }
    }
}
