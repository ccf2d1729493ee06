//! Chores of the repository: `cargo run -p trilithon-xtask -- docs` writes what of the manual is made from the code.
//!
//! Not here: checks and builds; those are `test.sh`.
#![forbid(unsafe_code)]

mod generated;
mod listing;
mod tree;

use std::path::Path;

const USAGE: &str = "usage: cargo run -p trilithon-xtask -- docs [--check]";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    match args[..] {
        ["docs"] => tree::write(&docs, &generated::files()?),
        ["docs", "--check"] => tree::check(&docs, &generated::files()?),
        _ => anyhow::bail!(USAGE),
    }
}
