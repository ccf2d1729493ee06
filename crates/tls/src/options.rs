//! One set of TLS options, compiled.

use crate::alpn::Protocols;
use crate::client_auth::{Verification, verification};
use crate::reader::Watching;
use crate::{curves, suites};
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use std::sync::Arc;
use trilithon_model::dynamic::tls::Options;
use trilithon_model::problem::code;
use trilithon_model::{Problem, Span, Spanned};

/// What a set of options means to rustls.
#[derive(Debug)]
pub struct Profile {
    pub provider: Arc<CryptoProvider>,
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub verification: Verification,
    pub protocols: Protocols,
    pub strict: bool,
    pub tickets: bool,
}

/// Compiles the options called `name`. What they ask for and cannot be had is told in `problems`.
///
/// # Errors
/// Why connections to hosts with these options must be refused, in Traefik's words where it has them.
pub fn compile(
    name: &str,
    options: &Spanned<Options>,
    base: &CryptoProvider,
    reader: &Watching<'_>,
    problems: &mut Vec<Problem>,
) -> Result<Profile, String> {
    let mut say = Warnings {
        name,
        span: &options.span,
        problems,
    };
    let provider = provider(options, base, &mut say)?;
    let versions = versions(options, &provider.cipher_suites, &mut say)?;
    Ok(Profile {
        verification: verification(&options.client_auth, reader, &provider)?,
        provider,
        versions,
        protocols: Protocols::new(&options.alpn_protocols),
        strict: options.sni_strict,
        tickets: !options.disable_session_tickets,
    })
}

/// Collects what is not an error.
struct Warnings<'a> {
    name: &'a str,
    span: &'a Span,
    problems: &'a mut Vec<Problem>,
}

impl Warnings<'_> {
    fn add(&mut self, message: String, help: &str) {
        let problem = Problem::warning(code::NOT_BUILT, self.span.clone(), message).help(help);
        self.problems.push(problem.of("tls.options", self.name));
    }
}

fn provider(
    options: &Options,
    base: &CryptoProvider,
    say: &mut Warnings<'_>,
) -> Result<Arc<CryptoProvider>, String> {
    let suites = suites::choose(&options.cipher_suites)?;
    let curves = curves::choose(&options.curve_preferences)?;
    for absent in &suites.absent {
        say.add(
            format!("cipher suite `{absent}` is not served"),
            "only suites with forward secrecy and authenticated encryption are; name one such as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`",
        );
    }
    for absent in &curves.absent {
        say.add(
            format!("curve `{absent}` is not served"),
            "name another one, such as `X25519MLKEM768`",
        );
    }
    if curves.groups.is_empty() {
        return Err("none of curvePreferences is served".to_owned());
    }
    Ok(Arc::new(CryptoProvider {
        cipher_suites: suites.suites,
        kx_groups: curves.groups,
        ..base.clone()
    }))
}

/// The versions between the bounds that also have a suite. A name that is no version counts as not given.
fn versions(
    options: &Options,
    suites: &[SupportedCipherSuite],
    say: &mut Warnings<'_>,
) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let min = number(&options.min_version).unwrap_or(12);
    let max = number(&options.max_version).unwrap_or(13);
    if min < 12 {
        say.add(
            format!("`minVersion` `{}` is served from TLS 1.2 on", options.min_version),
            "TLS 1.0 and 1.1 are broken (RFC 8996); set `VersionTLS12`",
        );
    }
    let has_suite = |v: u8| suites.iter().any(|s| (v == 13) == s.tls13().is_some());
    let within = [(13, &TLS13), (12, &TLS12)]
        .into_iter()
        .filter(|(v, _)| (min..=max).contains(v) && has_suite(*v));
    let versions: Vec<&'static SupportedProtocolVersion> = within.map(|(_, version)| version).collect();
    if versions.is_empty() {
        return Err(format!(
            "no TLS version is left by minVersion `{}`, maxVersion `{}` and cipherSuites",
            options.min_version, options.max_version
        ));
    }
    Ok(versions)
}

fn number(name: &str) -> Option<u8> {
    name.strip_prefix("VersionTLS")?
        .parse()
        .ok()
        .filter(|v| (10..=13).contains(v))
}
