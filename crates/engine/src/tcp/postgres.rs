//! STARTTLS of Postgres: the client asks for TLS in eight bytes, is told `S`, and then sends its hello.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The request (`SSLRequest`): its length, and the code 80877103.
pub const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// "Go on."
pub const ACCEPTED: u8 = b'S';

/// Whether bytes are the request; `None` while they may become it.
pub fn is_request(bytes: &[u8]) -> Option<bool> {
    if bytes.len() >= REQUEST.len() {
        return Some(bytes.starts_with(&REQUEST));
    }
    (!REQUEST.starts_with(bytes)).then_some(false)
}

/// Asks a server in the client's place, who has been answered already.
///
/// # Errors
/// The server speaks no TLS, or is gone.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(server: &mut S) -> io::Result<()> {
    server.write_all(&REQUEST).await?;
    server.flush().await?;
    match server.read_u8().await? {
        ACCEPTED => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::ConnectionRefused,
            "the server speaks no TLS",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let check = |bytes: &[u8], want: Option<bool>| assert_eq!(is_request(bytes), want, "{bytes:?}");
        check(&[], None);
        check(&REQUEST[..7], None);
        check(&REQUEST, Some(true));
        check(&[&REQUEST[..], b"more"].concat(), Some(true));
        check(&[0, 0, 0, 32], Some(false));
        check(b"GET", Some(false));
        check(&[0, 0, 0, 8, 4, 210, 22, 48], Some(false));
    }
}
