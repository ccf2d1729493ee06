//! Key exchange groups by Traefik's names.

use crate::p521::P521;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP256R1MLKEM768, SECP384R1, X25519, X25519MLKEM768};

type Group = &'static dyn SupportedKxGroup;

/// What is offered when nothing is configured, in order of preference.
const DEFAULT: [Group; 5] = [X25519MLKEM768, X25519, SECP256R1, SECP384R1, &P521];

/// The groups that a list of names leaves.
#[derive(Debug)]
pub struct Chosen {
    pub groups: Vec<Group>,
    /// Names that are right and cannot be served.
    pub absent: Vec<String>,
}

/// Chooses groups by name, in any case, in the order given.
///
/// # Errors
/// A name that Traefik does not know either.
pub fn choose(names: &[String]) -> Result<Chosen, String> {
    if names.is_empty() {
        return Ok(Chosen {
            groups: DEFAULT.to_vec(),
            absent: Vec::new(),
        });
    }
    let mut chosen = Chosen {
        groups: Vec::new(),
        absent: Vec::new(),
    };
    for name in names {
        let group: Group = match name.to_ascii_lowercase().as_str() {
            "secp256r1" | "curvep256" => SECP256R1,
            "secp384r1" | "curvep384" => SECP384R1,
            "secp521r1" | "curvep521" => &P521,
            "x25519" => X25519,
            "x25519mlkem768" => X25519MLKEM768,
            "secp256r1mlkem768" => SECP256R1MLKEM768,
            "secp384r1mlkem1024" => {
                chosen.absent.push(name.clone());
                continue;
            }
            _ => return Err(format!("invalid CurveID in curvePreferences: {name}")),
        };
        chosen.groups.push(group);
    }
    Ok(chosen)
}
