//! `trilithon version`.

use std::process::ExitCode;

/// Prints version, target and what was built in.
///
/// # Errors
/// None today.
pub fn run() -> anyhow::Result<ExitCode> {
    say!("Version:      {}", env!("CARGO_PKG_VERSION"));
    say!("Codename:     trilithon");
    say!("Compatible:   Traefik v3.7");
    say!(
        "OS/Arch:      {}/{}",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Ok(ExitCode::SUCCESS)
}
