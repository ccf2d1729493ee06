//! `/api/support-dump`: version and configuration in one archive, without what is nobody else's business.

use super::object::config;
use super::{raw_data, version};
use crate::answer::Page;
use crate::internal::{Context, compress};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use trilithon_engine::report::Report;

/// What a text is replaced by.
const MASK: &str = "xxxx";
/// Texts under these keys say what kind of thing something is, or refer to names, which are kept as keys as well.
const KEPT: [&str; 26] = [
    "accessLogs",
    "algorithm",
    "defaultMode",
    "encodings",
    "entryPoints",
    "format",
    "level",
    "middlewares",
    "mode",
    "name",
    "options",
    "parentRefs",
    "provider",
    "ruleSyntax",
    "sameSite",
    "scheme",
    "service",
    "services",
    "status",
    "strategy",
    "sourceCriterion",
    "traceVerbosity",
    "type",
    "underscoreHeadersStrategy",
    "usedBy",
    "using",
];

pub fn answer(context: &Context, report: &Report) -> Page {
    let mut install: Value = config(&*context.install).into();
    let mut runtime = raw_data(report);
    mask(&mut install, false);
    mask(&mut runtime, false);
    let files = [
        ("version.json", Value::from(version::of(context))),
        ("static-config.json", install),
        ("runtime-config.json", runtime),
    ];
    let mut archive = Vec::new();
    for (name, value) in &files {
        add_file(&mut archive, name, format!("{value:#}\n").as_bytes());
    }
    // Two empty blocks end an archive.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    match compress(&archive) {
        Ok(body) => Page::new("application/gzip", body)
            .with("Content-Disposition", "attachment; filename=support-dump.tar.gz"),
        Err(error) => Page::error(500, &error.to_string()),
    }
}

/// Masks texts: addresses, rules, hosts, users and all the rest. Words of durations and numbers stay.
fn mask(value: &mut Value, kept: bool) {
    match value {
        Value::String(text) if !kept && !is_measure(text) => *text = MASK.to_owned(),
        Value::Array(list) => list.iter_mut().for_each(|v| mask(v, kept)),
        Value::Object(object) => {
            for (key, v) in object {
                mask(v, KEPT.contains(&key.as_str()));
            }
        }
        _ => {}
    }
}

/// A number, perhaps with a unit of time.
fn is_measure(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "nµumsh.-".contains(c))
        && !text.contains("..")
        && text.matches('.').count() < 2
}

/// Size of the units that a tar archive is made of.
const BLOCK: usize = 512;

/// Appends a file in the format of POSIX.1-1988 (ustar).
fn add_file(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0u8; BLOCK];
    let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    field(0, name);
    field(100, "0000644");
    field(108, "0000000");
    field(116, "0000000");
    field(124, &format!("{:011o}", content.len()));
    field(136, &format!("{now:011o}"));
    field(148, "        ");
    field(156, "0");
    field(257, "ustar");
    field(263, "00");
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_masked_and_words_stay() {
        let mut v = json!({
            "routers": {"a@file": {"rule": "Host(`secret.test`)", "service": "s", "priority": 3, "status": "enabled", "error": ["x"]}},
            "users": ["u:hash"], "timeout": "1m30s", "address": "10.1.2.3:80", "on": true,
        });
        mask(&mut v, false);
        let want = json!({
            "routers": {"a@file": {"rule": "xxxx", "service": "s", "priority": 3, "status": "enabled", "error": ["xxxx"]}},
            "users": ["xxxx"], "timeout": "1m30s", "address": "xxxx", "on": true,
        });
        assert_eq!(v, want);
    }

    #[test]
    fn an_archive_that_tar_reads() {
        let mut archive = Vec::new();
        add_file(&mut archive, "a.json", b"{}\n");
        archive.resize(archive.len() + 2 * BLOCK, 0);
        let path = std::env::temp_dir().join(format!("trilithon-dump-{}.tar", std::process::id()));
        std::fs::write(&path, archive).unwrap();
        let out = std::process::Command::new("tar")
            .arg("-xOf")
            .arg(&path)
            .arg("a.json")
            .output()
            .unwrap();
        assert_eq!(out.stdout, b"{}\n", "{}", String::from_utf8_lossy(&out.stderr));
    }
}
