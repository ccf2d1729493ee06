//! `trilithon help`.

use std::process::ExitCode;

const TEXT: &str = "\
Usage: trilithon [command] [flags]

Commands:
  run           serve (also without a command)
  check         find every fault of a configuration; starts nothing
                  -o text|json|sarif
  explain       which router takes a request, and why no other
                  trilithon explain 'GET https://example.com/api' -H 'X-Env: test'
                  --entry-point NAME, --client IP
  audit         read the audit log
                  show|tail [-f] [--since 1h] [--kind request] [-n 10] [-o json]
                  --call ID of a tool call, --trace ID
                  verify [--key KEY] [--checkpoint FILE], prove ID, key
                  --store FOLDER instead of the gateway's flags
  history       list the versions of the configuration: -n 20, -o json
  diff          what is different between two versions: A, or A B
  rollback      put version N in force and keep it there: N, -m REASON
                  --release lets the providers in again
  undo          send the call that undoes an entry of the audit log: ID
                  --dry-run, -H 'Name: value', --token-file FILE
                  --cacert FILE, --insecure, --again
  tools         what servers of tools said that their tools are: list, --lock
                  approve NAME or --all trusts what they say now
                  --server MIDDLEWARE
  quickstart    serve samples on embedded defaults and say what to try
                  --tour plays one agent's work and ends, --print
  sample        serve one sample alone: model, which speaks what models speak,
                or tools, which speaks the Model Context Protocol
                  --listen 127.0.0.1:8090, --key KEY, --api URL, --api-key KEY
  healthcheck   ask a running gateway for /ping
  version       print the version
  completion    print a completion script: bash, zsh or fish
  schema        print a JSON Schema: install or routing

Flags are Traefik's install options, in any case:
  --configFile=traefik.yml
  --entryPoints.web.address=:80 --providers.file.filename=routing.yml
";

/// Prints what there is, then every option of the install configuration.
///
/// # Errors
/// None today.
pub fn run() -> anyhow::Result<ExitCode> {
    say!("{TEXT}\n{}", super::schema::flags());
    Ok(ExitCode::SUCCESS)
}
