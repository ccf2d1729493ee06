//! `basicAuth`

use trilithon_model_derive::Config;

use crate::secret::Secret;

/// Asks for a name and password by HTTP Basic authentication (RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct BasicAuth {
    /// Who may pass: `name:hash` each, hashed with bcrypt, MD5 (`$apr1$`) or SHA-1.
    pub users: Vec<Secret>,
    /// A file with one such line per user; names in `users` win.
    pub users_file: String,
    /// The realm shown by browsers; `traefik` when empty.
    pub realm: String,
    /// Do not pass the `Authorization` header on.
    pub remove_header: bool,
    /// Header that tells the server the user's name.
    pub header_field: String,
}
