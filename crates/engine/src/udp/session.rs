//! One session: datagrams of one client to one server, and back.

use super::{MAX_DATAGRAM, WAITING};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

thread_local! {
    /// Where answers are read to. One for all sessions of a thread: nothing stays in it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_DATAGRAM]);
}

/// The client's half of a session.
pub struct Session(Sender<Vec<u8>>);

impl Session {
    /// A session, and what it receives from its client.
    pub fn new() -> (Session, Receiver<Vec<u8>>) {
        let (send, waiting) = channel(WAITING);
        (Session(send), waiting)
    }

    /// Takes a datagram of the client. One too many is lost, as datagrams may be.
    pub fn take(&self, data: &[u8]) {
        let _ = self.0.try_send(data.to_vec());
    }
}

/// Moves datagrams until both sides were silent for `idle`.
///
/// # Errors
/// The server cannot be reached, or says so.
pub async fn run(
    server: &str,
    listening: &UdpSocket,
    client: SocketAddr,
    mut waiting: Receiver<Vec<u8>>,
    idle: Duration,
) -> io::Result<()> {
    let server = tokio::time::timeout(idle, connect(server)).await??;
    let mut end = Instant::now() + idle;
    loop {
        tokio::select! {
            data = waiting.recv() => match data {
                Some(data) => drop(server.send(&data).await?),
                None => return Ok(()),
            },
            ready = server.readable() => {
                ready?;
                answer(&server, listening, client).await?;
            }
            () = sleep_until(end) => return Ok(()),
        }
        end = Instant::now() + idle;
    }
}

async fn connect(server: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
    for address in lookup_host(server).await? {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Hands one answer on, if there is one.
async fn answer(server: &UdpSocket, listening: &UdpSocket, client: SocketAddr) -> io::Result<()> {
    let late = SCRATCH.with_borrow_mut(|scratch| {
        let data = match server.try_recv(scratch) {
            Ok(n) => &scratch[..n],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        match listening.try_send_to(data, client) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(data.to_vec())),
            // A datagram too long for the way back, or a client that is gone: neither ends the session of a server.
            _ => Ok(None),
        }
    })?;
    if let Some(data) = late {
        poll_fn(|cx| listening.poll_send_to(cx, &data, client)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each datagram with its length, and the session of one client with it.
    #[tokio::test]
    async fn datagrams_go_both_ways_until_all_is_silent() {
        let listening = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (session, waiting) = Session::new();
        let place = server.local_addr().unwrap().to_string();
        let from = client.local_addr().unwrap();
        let sizes = [0, 5, 65_507];
        let serving = async {
            let mut buffer = vec![0; MAX_DATAGRAM];
            for size in sizes {
                let (n, from) = server.recv_from(&mut buffer).await.unwrap();
                assert_eq!(n, size);
                server.send_to(n.to_string().as_bytes(), from).await.unwrap();
            }
        };
        let asking = async {
            for size in sizes {
                session.take(&vec![7; size]);
                let mut buffer = [0; 16];
                let (n, by) = client.recv_from(&mut buffer).await.unwrap();
                assert_eq!(buffer[..n], *size.to_string().as_bytes());
                assert_eq!(
                    by,
                    listening.local_addr().unwrap(),
                    "answers come from where the client asked"
                );
            }
        };
        let all = async {
            let idle = Duration::from_millis(300);
            let (ended, (), ()) = tokio::join!(run(&place, &listening, from, waiting, idle), serving, asking);
            ended
        };
        tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .expect("silence ends it")
            .unwrap();
    }

    #[tokio::test]
    async fn a_server_that_is_none_ends_it() {
        let listening = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (session, waiting) = Session::new();
        session.take(b"x");
        let client = listening.local_addr().unwrap();
        let ended = run(
            "nowhere.invalid:1",
            &listening,
            client,
            waiting,
            Duration::from_secs(5),
        )
        .await;
        assert!(ended.is_err());
    }
}
