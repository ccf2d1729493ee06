//! A body read whole: the beginning in memory, what does not fit there in a file that has no name.

use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::{JoinHandle, spawn_blocking};
use trilithon_flow::{Body, Fault, FaultKind, Headers, Source};

/// Bytes written to and read from the file at once: each time costs a change of thread.
const PIECE: usize = 256 * 1024;

/// A whole body, which can be sent any number of times.
pub struct Spool {
    memory: Bytes,
    file: Option<(Arc<File>, u64)>,
    trailers: Option<Headers>,
}

impl Spool {
    /// Reads `body` to its end, keeping `memory` bytes in memory.
    ///
    /// # Errors
    /// [`FaultKind::TooLarge`] for more than `max` bytes, the body's own faults, and [`FaultKind::Internal`] for a file
    /// that cannot be made or written.
    pub async fn read(mut body: Body, memory: u64, max: u64) -> Result<Spool, Fault> {
        let mut spool = Writer {
            max,
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            ..Writer::default()
        };
        while let Some(chunk) = body.chunk().await.transpose()? {
            spool.push(chunk).await?;
        }
        spool.end(body.trailers()).await
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// The body once more.
    pub fn body(&self) -> Body {
        match &self.file {
            None if self.trailers.is_none() => Body::from(self.memory.clone()),
            None => Body::with_trailers(self.memory.clone(), self.trailers.clone()),
            Some((file, length)) => Body::from_source(Reader {
                ready: self.memory.clone(),
                file: file.clone(),
                at: 0,
                length: *length,
                reading: None,
                trailers: self.trailers.clone(),
            }),
        }
    }
}

#[derive(Default)]
struct Writer {
    max: u64,
    memory: usize,
    read: u64,
    /// One chunk that was the whole body needs no copy.
    first: Bytes,
    head: BytesMut,
    file: Option<(Arc<File>, u64)>,
    waiting: BytesMut,
}

impl Writer {
    async fn push(&mut self, chunk: Bytes) -> Result<(), Fault> {
        self.read += chunk.len() as u64;
        if self.read > self.max {
            return Err(Fault::new(
                FaultKind::TooLarge,
                format!("body is larger than {} bytes", self.max),
            ));
        }
        if self.read == chunk.len() as u64 && chunk.len() <= self.memory {
            self.first = chunk;
            return Ok(());
        }
        if !self.first.is_empty() {
            self.head.extend_from_slice(&std::mem::take(&mut self.first));
        }
        let room = self.memory.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..room]);
        self.waiting.extend_from_slice(&chunk[room..]);
        if self.waiting.len() >= PIECE {
            self.write().await
        } else {
            Ok(())
        }
    }

    async fn write(&mut self) -> Result<(), Fault> {
        let piece = self.waiting.split().freeze();
        let (file, at) = self.file.take().map_or((None, 0), |(file, at)| (Some(file), at));
        let end = at + piece.len() as u64;
        let job = spawn_blocking(move || {
            let file = file.map_or_else(|| nameless_file().map(Arc::new), Ok)?;
            file.write_all_at(&piece, at)?;
            Ok(file)
        });
        self.file = Some((flatten(job.await)?, end));
        Ok(())
    }

    async fn end(mut self, trailers: Option<Headers>) -> Result<Spool, Fault> {
        if !self.waiting.is_empty() {
            self.write().await?;
        }
        let memory = if self.first.is_empty() {
            self.head.freeze()
        } else {
            self.first
        };
        Ok(Spool {
            memory,
            file: self.file,
            trailers,
        })
    }
}

struct Reader {
    ready: Bytes,
    file: Arc<File>,
    /// Bytes of the file that were read.
    at: u64,
    length: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    trailers: Option<Headers>,
}

impl Source for Reader {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.ready.is_empty() && self.at < self.length {
            let (file, at, left) = (&self.file, self.at, self.length - self.at);
            let job = self.reading.get_or_insert_with(|| {
                let file = file.clone();
                spawn_blocking(move || read_at(&file, at, left.min(PIECE as u64) as usize))
            });
            let piece = flatten(ready!(Pin::new(job).poll(cx)));
            self.reading = None;
            self.ready = piece?;
            self.at += self.ready.len() as u64;
        }
        Poll::Ready(Ok(&self.ready))
    }
    fn consume(&mut self, n: usize) {
        bytes::Buf::advance(&mut self.ready, n);
    }
    fn length(&self) -> Option<u64> {
        // A length leaves no place for trailers.
        self.trailers
            .is_none()
            .then(|| self.ready.len() as u64 + self.length - self.at)
    }
    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

fn flatten<T>(done: Result<io::Result<T>, tokio::task::JoinError>) -> Result<T, Fault> {
    let failed = |why: String| Fault::new(FaultKind::Internal, format!("buffering to a file failed: {why}"));
    done.map_err(|e| failed(e.to_string()))?
        .map_err(|e| failed(e.to_string()))
}

/// A new file that only its handle leads to.
fn nameless_file() -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    options.mode(0o600);
    let path = std::env::temp_dir().join(format!(
        "trilithon-{:x}-{:016x}",
        std::process::id(),
        fastrand::u64(..)
    ));
    let file = options.open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn read_at(file: &File, at: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::super::super::kit::{Act, Script};
    use super::super::super::testing::block_on;
    use super::*;

    fn large() -> &'static [u8] {
        (0..=255u8)
            .cycle()
            .take(3 * PIECE + 77)
            .collect::<Vec<_>>()
            .leak()
    }

    #[test]
    fn everything_comes_back_any_number_of_times() {
        let all = large();
        let check = |memory: u64, in_file: bool| {
            block_on(async {
                let acts = all.chunks(10_001).flat_map(|c| [Act::Data(c), Act::Pause]);
                let spool = Spool::read(Script::new(acts).body(), memory, u64::MAX)
                    .await
                    .expect("read");
                assert_eq!((spool.file.is_some(), spool.is_empty()), (in_file, false));
                for _ in 0..2 {
                    let mut body = spool.body();
                    assert_eq!(body.length(), Some(all.len() as u64));
                    assert!(
                        body.collect(u64::MAX).await.expect("read") == all,
                        "memory {memory}"
                    );
                }
            });
        };
        check(1, true);
        check(10_001, true);
        check(all.len() as u64 - 1, true);
        check(all.len() as u64, false);
        check(u64::MAX, false);
    }

    #[test]
    fn limits() {
        let check = |bytes: &'static [u8], max: u64, good: bool| {
            let body = Script::new([Act::Data(bytes)]).body();
            let read = block_on(Spool::read(body, 2, max));
            assert_eq!(read.err().map(|f| f.kind), (!good).then_some(FaultKind::TooLarge));
        };
        check(b"abc", 3, true);
        check(b"abc", 2, false);
        check(b"", 0, true);
    }
}
