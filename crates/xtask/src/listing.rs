//! Lists that stand in the source as plain rows: problem codes with their meaning, limits, and what is not built.

use anyhow::ensure;

/// A problem code and its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// `TRI0101`.
    pub code: String,
    /// One sentence.
    pub meaning: String,
}

/// A number that bounds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `MAX_HEADER_FIELDS`.
    pub name: String,
    /// In the unit that the meaning says.
    pub value: u64,
    /// What it bounds, and why.
    pub meaning: String,
}

/// What is accepted but not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbuilt {
    /// The option; `*` is any name.
    pub option: String,
    /// True where its use is an error, false where it is a warning.
    pub error: bool,
    /// What it is.
    pub what: String,
}

/// Constants of the form `const NAME: &str = "TRI…";` with the documentation above each.
///
/// # Errors
/// A code without documentation, or none at all.
pub fn codes(source: &str) -> anyhow::Result<Vec<Code>> {
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
            continue;
        }
        if let Some(code) = quoted(line).filter(|q| line.contains("const ") && q.starts_with("TRI")) {
            ensure!(!doc.is_empty(), "`{code}` has no documentation");
            found.push(Code {
                code: code.to_owned(),
                meaning: doc.trim().to_owned(),
            });
        }
        doc.clear();
    }
    ensure!(!found.is_empty(), "no problem code found");
    Ok(found)
}

/// Constants of whole numbers with the documentation above each; what is said of the first of a group holds for all of it.
///
/// # Errors
/// None at all, or a number that is not written as a product or a shift.
pub fn limits(source: &str) -> anyhow::Result<Vec<Limit>> {
    let (mut found, mut doc, mut fresh) = (Vec::new(), String::new(), true);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            if fresh {
                doc.clear();
            }
            doc.push_str(text);
            fresh = false;
            continue;
        }
        fresh = true;
        match number(line)? {
            Some((name, value)) if !doc.is_empty() => {
                let meaning = doc.trim().replace("[`", "`").replace("`]", "`");
                found.push(Limit {
                    name: name.to_owned(),
                    value,
                    meaning,
                });
            }
            _ => doc.clear(),
        }
    }
    ensure!(!found.is_empty(), "no limit found");
    Ok(found)
}

/// Name and value of `const NAME: TYPE = VALUE;` where the type is one of whole numbers.
fn number(line: &str) -> anyhow::Result<Option<(&str, u64)>> {
    let parts = line
        .trim_start_matches("pub ")
        .strip_prefix("const ")
        .and_then(|rest| {
            rest.split_once(": ")?
                .1
                .split_once(" = ")
                .map(|(kind, value)| (rest, kind, value))
        });
    match parts {
        Some((rest, "usize" | "u64" | "u32", value)) => {
            let name = rest.split(':').next().unwrap_or_default();
            Ok(Some((name, evaluate(value.trim_end_matches(';'))?)))
        }
        _ => Ok(None),
    }
}

/// `1 << 20`, `256 * 1024`, `100_000`.
fn evaluate(text: &str) -> anyhow::Result<u64> {
    if let Some((base, bits)) = text.split_once("<<") {
        return Ok(evaluate(base)? << evaluate(bits)?);
    }
    let factors = text
        .split('*')
        .map(|factor| factor.trim().replace('_', "").parse::<u64>());
    factors
        .product::<Result<u64, _>>()
        .map_err(|_| anyhow::anyhow!("`{text}` is no number"))
}

/// Rows of the form `Unbuilt("option", Severity, "what")` of the table `name`. An empty table is good news.
///
/// # Errors
/// There is no such table, or a row that reads otherwise.
pub fn unbuilt(source: &str, name: &str) -> anyhow::Result<Vec<Unbuilt>> {
    let head = format!("const {name}: &[Unbuilt] = &[");
    let table = source
        .split_once(&head)
        .and_then(|(_, rest)| rest.split_once("];"));
    let Some((table, _)) = table else {
        anyhow::bail!("there is no table `{name}`")
    };
    table.split("Unbuilt(").skip(1).map(row).collect()
}

fn row(text: &str) -> anyhow::Result<Unbuilt> {
    let parts: Vec<&str> = text.split('"').collect();
    let [_, option, severity, what, ..] = parts[..] else {
        anyhow::bail!("`{text}` is no row of what is not built")
    };
    Ok(Unbuilt {
        option: option.to_owned(),
        error: severity.contains("Error"),
        what: what.to_owned(),
    })
}

fn quoted(line: &str) -> Option<&str> {
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_with_their_documentation() {
        let source =
            "/// A thing\n/// that is.\npub const A: &str = \"TRI0001\";\nconst OTHER: &str = \"x\";\n";
        let expected = Code {
            code: "TRI0001".into(),
            meaning: "A thing that is.".into(),
        };
        assert_eq!(codes(source).expect("read"), [expected]);
        assert!(codes("const A: &str = \"TRI0001\";").is_err());
        assert!(codes("").is_err());
    }

    #[test]
    fn limits_are_read_by_group() {
        let source = "/// One.\n/// More.\npub const A: usize = 2 * 1_024;\nconst B: u32 = 1 << 4;\n\nconst C: u64 = 1;\n/// F.\nfn f() {}\n";
        let limit = |name: &str, value| Limit {
            name: name.into(),
            value,
            meaning: "One. More.".into(),
        };
        assert_eq!(limits(source).expect("read"), [limit("A", 2048), limit("B", 16)]);
        assert!(limits("/// A.\nconst A: usize = SIZE;").is_err());
        assert!(limits("").is_err());
    }

    #[test]
    fn rows_are_read_in_one_line_or_several() {
        let source = "const ALL: &[Unbuilt] = &[\n Unbuilt(\"a.*\", Warning, \"b\"),\n Unbuilt(\n \"c\",\n Error,\n \"d\",\n ),\n];";
        let row = |option: &str, error, what: &str| Unbuilt {
            option: option.into(),
            error,
            what: what.into(),
        };
        assert_eq!(
            unbuilt(source, "ALL").expect("read"),
            [row("a.*", false, "b"), row("c", true, "d")]
        );
        assert!(unbuilt(source, "OTHER").is_err());
    }
}
