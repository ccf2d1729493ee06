//! Clients that leave whenever they like: in the head, in their body, before the answer, in the middle of it, politely or by a
//! reset, over HTTP/1 and HTTP/2. What they do follows from a seed.

use crate::client2;
use bytes::Bytes;
use h2::client::SendRequest;
use std::time::Duration;
use trilithon_testkit::{Gateway, PATIENCE, RawClient};

/// A seeded source of decisions (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True in one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn moment(&mut self) -> Duration {
        Duration::from_millis(1 + self.below(30) as u64)
    }
}

/// How the servers behave, by path. Only the first two give a whole answer.
pub const PATHS: [&str; 7] = ["/good", "/slow", "/head", "/body", "/reset", "/silent", "/down"];

const BODY: usize = 3000;

fn request(path: &str, with_body: bool) -> Vec<u8> {
    if !with_body {
        return format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").into_bytes();
    }
    let head = format!("POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: {BODY}\r\n\r\n");
    [head.as_bytes(), &[b'x'; BODY]].concat()
}

/// One connection of HTTP/1. Nothing when the gateway no longer listens.
pub fn http1(gateway: &Gateway, dice: &mut Dice) -> Option<()> {
    let mut client = RawClient::try_connect(gateway.port("web")).ok()?;
    for _ in 0..=dice.below(3) {
        let path = PATHS[dice.below(PATHS.len())];
        let bytes = request(path, dice.one_in(2));
        let whole = !dice.one_in(3);
        let sent = if whole {
            bytes.len()
        } else {
            dice.below(bytes.len())
        };
        if client.try_send(&bytes[..sent]).is_err() {
            break;
        }
        let stays = whole && dice.one_in(2) && path != "/silent";
        match (stays, dice.below(3)) {
            // A cut answer is an end, too.
            (true, _) if matches!(client.response_to("GET"), Ok(Some(_))) => continue,
            (true, _) | (false, 0) => {}
            (false, 1) => drop(client.read_to_end(dice.moment())),
            (false, _) => {
                client.finish().read_to_end(dice.moment());
            }
        }
        break;
    }
    if dice.one_in(2) {
        client.reset();
    }
    Some(())
}

/// One connection of HTTP/2 with several streams at once. Nothing when the gateway no longer listens.
pub fn http2(gateway: &Gateway, dice: &mut Dice) -> Option<()> {
    client2::run(async {
        let client = client2::try_connect(gateway, "web").await?;
        let mut streams = tokio::task::JoinSet::new();
        for _ in 0..1 + dice.below(6) {
            let mut dice = Dice::new(dice.next());
            let client = client.clone();
            streams.spawn(async move { stream(client, &mut dice).await });
        }
        if dice.one_in(3) {
            // The connection goes, whatever its streams are at.
            tokio::time::sleep(dice.moment()).await;
        } else {
            while streams.join_next().await.is_some() {}
        }
        Some(())
    })
}

/// One stream. Nothing when it broke.
async fn stream(client: SendRequest<Bytes>, dice: &mut Dice) -> Option<()> {
    let path = PATHS[dice.below(PATHS.len())];
    let with_body = dice.one_in(2);
    let method = if with_body { "POST" } else { "GET" };
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://a.test{path}"));
    let request = request.body(()).expect("a request");
    let mut client = client.ready().await.ok()?;
    let (answer, mut body) = client.send_request(request, !with_body).ok()?;
    let whole = !with_body || !dice.one_in(3);
    if with_body {
        let sent = if whole { BODY } else { dice.below(BODY) };
        body.send_data(vec![b'x'; sent].into(), whole).ok()?;
    }
    let patience = if whole && dice.one_in(2) && path != "/silent" {
        PATIENCE
    } else {
        dice.moment()
    };
    let answer = tokio::time::timeout(patience, answer).await;
    if let Ok(Ok(answer)) = answer {
        let mut stream = answer.into_body();
        let mut pieces = dice.below(8);
        while pieces > 0
            && let Some(Ok(piece)) = stream.data().await
        {
            let _ = stream.flow_control().release_capacity(piece.len());
            pieces -= 1;
        }
    }
    body.send_reset(h2::Reason::CANCEL);
    Some(())
}
