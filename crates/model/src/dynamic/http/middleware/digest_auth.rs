//! `digestAuth`

use trilithon_model_derive::Config;

use crate::secret::Secret;

/// Asks for a name and password by HTTP Digest authentication (RFC 7616, MD5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct DigestAuth {
    /// Who may pass: `name:realm:hash` each, the hash being MD5 of `name:realm:password`.
    pub users: Vec<Secret>,
    /// A file with one such line per user; names in `users` win.
    pub users_file: String,
    /// Do not pass the `Authorization` header on.
    pub remove_header: bool,
    /// The realm; `traefik` when empty.
    pub realm: String,
    /// Header that tells the server the user's name.
    pub header_field: String,
}
