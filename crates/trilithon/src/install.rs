//! The install configuration, read from files, flags or the environment of this process.

use std::path::Path;
use trilithon_model::problem::Problems;
use trilithon_model::source::{Inputs, Loaded, load};

/// Bytes of an install file.
const MAX_FILE: u64 = 16 << 20;

/// Loads with the arguments given and this process's environment and files.
pub fn from_process(args: &[String]) -> Loaded {
    // A variable that is not text cannot be an option.
    let env: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    load(&Inputs {
        args,
        env: &env,
        read: &read,
    })
}

fn read(path: &str) -> Option<Result<String, String>> {
    let path = Path::new(path);
    let meta = match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return None,
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(error.to_string())),
    };
    if meta.len() > MAX_FILE {
        return Some(Err(format!(
            "the file has {} bytes, more than {MAX_FILE}",
            meta.len()
        )));
    }
    Some(std::fs::read_to_string(path).map_err(|error| error.to_string()))
}

/// Prints problems to standard error, each with the line it is about.
pub fn print(problems: &Problems) {
    for problem in problems {
        eprintln!("{problem}");
    }
}
