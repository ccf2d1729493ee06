//! `trilithon completion bash|zsh|fish`.

use crate::cli::COMMANDS;
use std::process::ExitCode;

/// Prints a script for the shell.
///
/// # Errors
/// A shell that is not known.
pub fn run(shell: &str) -> anyhow::Result<ExitCode> {
    let commands = COMMANDS.join(" ");
    let flags: Vec<String> = super::schema::flags()
        .lines()
        .filter_map(|l| l.strip_prefix("  --"))
        .filter(|l| !l.contains('<') && !l.contains('['))
        .map(|l| format!("--{l}"))
        .collect();
    let flags = flags.join(" ");
    match shell {
        "bash" => say!(
            "_trilithon() {{\n  local cur=${{COMP_WORDS[COMP_CWORD]}}\n  if [ \"$COMP_CWORD\" -eq 1 ] && [ \"${{cur:0:1}}\" != - ]; then\n    COMPREPLY=($(compgen -W '{commands}' -- \"$cur\"))\n  else\n    COMPREPLY=($(compgen -W '{flags}' -- \"$cur\") $(compgen -f -- \"$cur\"))\n  fi\n}}\ncomplete -F _trilithon trilithon"
        ),
        "zsh" => say!(
            "#compdef trilithon\n_trilithon() {{\n  if (( CURRENT == 2 )); then\n    compadd -- {commands} {flags}\n  else\n    compadd -- {flags}\n    _files\n  fi\n}}\ncompdef _trilithon trilithon"
        ),
        "fish" => {
            say!("complete -c trilithon -n __fish_use_subcommand -f -a '{commands}'");
            for flag in flags.split(' ') {
                say!("complete -c trilithon -l '{}'", flag.trim_start_matches('-'));
            }
        }
        other => anyhow::bail!("`{other}` is no shell that completion is made for; choose bash, zsh or fish"),
    }
    Ok(ExitCode::SUCCESS)
}
