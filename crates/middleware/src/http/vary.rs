//! `Vary` as a middleware around the server says it: before whatever the server itself says.

use trilithon_flow::{Headers, Known};

/// Adds `name` as the first `Vary` line.
pub fn add_first(headers: &mut Headers, name: &str) {
    let others: Vec<Vec<u8>> = headers.get_all(b"Vary").map(<[u8]>::to_vec).collect();
    headers.remove_known(Known::Vary);
    headers.append(Known::Vary.name(), name);
    for value in others {
        headers.append(Known::Vary.name(), value);
    }
}
