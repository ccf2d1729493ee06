//! `trilithon version`.

use std::process::ExitCode;

/// Prints version, target and what was built in.
///
/// # Errors
/// None today.
pub fn run() -> anyhow::Result<ExitCode> {
    println!("Version:      {}", env!("CARGO_PKG_VERSION"));
    println!("Codename:     sarsen");
    println!("Compatible:   Traefik v3.7");
    println!(
        "OS/Arch:      {}/{}",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Ok(ExitCode::SUCCESS)
}
