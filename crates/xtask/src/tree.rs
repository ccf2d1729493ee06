//! Generated files against the tree: written into it, or compared with it. Only the folders of [`OWNED`] are touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Texts by path below `docs/`.
pub type Files = BTreeMap<PathBuf, String>;

/// Folders that hold generated files and nothing else.
const OWNED: [&str; 2] = ["reference", "schema"];

/// Writes what differs and removes what is not generated any more.
///
/// # Errors
/// A file that cannot be read, written or removed.
pub fn write(docs: &Path, files: &Files) -> anyhow::Result<()> {
    for difference in differences(docs, files)? {
        let path = docs.join(difference.path());
        match difference {
            Difference::Stale(_) => fs::remove_file(&path),
            Difference::Missing(name) | Difference::Changed(name) => {
                let folder = path.parent().unwrap_or(docs);
                fs::create_dir_all(folder).and_then(|()| fs::write(&path, &files[&name]))
            }
        }
        .with_context(|| format!("cannot update `{}`", path.display()))?;
        println!(
            "updated docs/{}",
            path.strip_prefix(docs).unwrap_or(&path).display()
        );
    }
    Ok(())
}

/// Compares only.
///
/// # Errors
/// A file that differs from what is generated, or cannot be read.
pub fn check(docs: &Path, files: &Files) -> anyhow::Result<()> {
    let found = differences(docs, files)?;
    if found.is_empty() {
        return Ok(());
    }
    for difference in &found {
        let what = match difference {
            Difference::Missing(_) => "is missing",
            Difference::Changed(_) => "is out of date",
            Difference::Stale(_) => "is not generated any more",
        };
        eprintln!("docs/{} {what}", difference.path().display());
    }
    bail!(
        "{} generated files differ from the code; run `cargo run -p trilithon-xtask -- docs` and commit the result",
        found.len()
    );
}

/// How one file of the tree differs from what is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Difference {
    Missing(PathBuf),
    Changed(PathBuf),
    Stale(PathBuf),
}

impl Difference {
    fn path(&self) -> &Path {
        match self {
            Self::Missing(path) | Self::Changed(path) | Self::Stale(path) => path,
        }
    }
}

fn differences(docs: &Path, files: &Files) -> anyhow::Result<Vec<Difference>> {
    let mut there = BTreeMap::new();
    for folder in OWNED {
        read(docs, Path::new(folder), &mut there)?;
    }
    let mut found = Vec::new();
    for (path, text) in files {
        match there.remove(path) {
            None => found.push(Difference::Missing(path.clone())),
            Some(old) if old != text.as_bytes() => found.push(Difference::Changed(path.clone())),
            Some(_) => {}
        }
    }
    found.extend(there.into_keys().map(Difference::Stale));
    Ok(found)
}

fn read(docs: &Path, folder: &Path, out: &mut BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    let place = docs.join(folder);
    if !place.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&place).with_context(|| format!("cannot list `{}`", place.display()))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read(docs, &path, out)?;
        } else {
            let bytes = fs::read(entry.path())
                .with_context(|| format!("cannot read `{}`", entry.path().display()))?;
            out.insert(path, bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_and_mended() {
        let docs = std::env::temp_dir().join(format!("trilithon-xtask-{}", std::process::id()));
        let file = |name: &str, text: &str| (PathBuf::from(name), text.to_owned());
        let old = Files::from([file("reference/a.md", "old"), file("reference/sub/b.md", "b")]);
        let new = Files::from([file("reference/a.md", "new"), file("schema/c.json", "{}")]);
        write(&docs, &old).expect("written");
        let found = differences(&docs, &new).expect("compared");
        let expected = [
            Difference::Changed("reference/a.md".into()),
            Difference::Missing("schema/c.json".into()),
            Difference::Stale("reference/sub/b.md".into()),
        ];
        assert_eq!(found, expected);
        assert!(check(&docs, &new).is_err());
        write(&docs, &new).expect("mended");
        check(&docs, &new).expect("nothing differs");
        fs::remove_dir_all(&docs).expect("removed");
    }
}
