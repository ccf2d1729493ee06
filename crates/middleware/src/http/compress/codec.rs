//! The three codings as one encoder that writes into a buffer.
//!
//! Contexts of gzip and zstd are kept per thread: making one costs more than compressing a small answer.

use brotli::CompressorWriter;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::cell::RefCell;
use std::io::{self, Write};
use trilithon_flow::{Fault, FaultKind};
use zstd::stream::raw::{CParameter, Encoder as Zstd, InBuffer, Operation, OutBuffer};

/// A content coding (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding with this name, which is told apart by case.
    pub fn of(name: &str) -> Option<Coding> {
        [Coding::Gzip, Coding::Brotli, Coding::Zstd]
            .into_iter()
            .find(|c| c.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

/// Levels that cost a worker little; memory for one answer stays below 2 MiB.
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 19;
const ZSTD_LEVEL: i32 = 3;
const ZSTD_WINDOW: u32 = 19;
/// Room made for output at a time.
const ROOM: usize = 8 * 1024;
/// Contexts kept per thread and coding.
const SPARE: usize = 16;

thread_local! {
    static SPARE_GZIP: RefCell<Vec<Compress>> = const { RefCell::new(Vec::new()) };
    static SPARE_ZSTD: RefCell<Vec<Zstd<'static>>> = const { RefCell::new(Vec::new()) };
}

/// One body being compressed.
pub enum Encoder {
    Gzip(Gzip),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdFrame),
}

impl Encoder {
    pub fn new(coding: Coding) -> Result<Encoder, Fault> {
        Ok(match coding {
            Coding::Gzip => Encoder::Gzip(Gzip::new()),
            Coding::Brotli => Encoder::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                ROOM,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Coding::Zstd => Encoder::Zstd(ZstdFrame::new().map_err(failed)?),
        })
    }

    /// Takes `input`; what comes out so far goes to `out`.
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Encoder::Gzip(gzip) => gzip.write(input, out),
            Encoder::Brotli(writer) => writer.write_all(input).map(|()| out.append(writer.get_mut())),
            Encoder::Zstd(frame) => frame.write(input, out),
        }
        .map_err(failed)
    }

    /// Puts out everything that was taken, so that the other side can read it now.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Encoder::Gzip(gzip) => gzip.flush(out),
            Encoder::Brotli(writer) => writer.flush().map(|()| out.append(writer.get_mut())),
            Encoder::Zstd(frame) => frame.end(out, false),
        }
        .map_err(failed)
    }

    /// Ends the body.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Encoder::Gzip(mut gzip) => gzip.finish(out),
            Encoder::Brotli(writer) => {
                out.append(&mut writer.into_inner());
                Ok(())
            }
            Encoder::Zstd(mut frame) => frame.end(out, true),
        }
        .map_err(failed)
    }
}

fn failed(error: io::Error) -> Fault {
    Fault::new(FaultKind::Internal, format!("compression failed: {error}"))
}

/// A gzip member (RFC 1952) around a deflate stream.
pub struct Gzip {
    deflate: Option<Compress>,
    sum: Crc,
    begun: bool,
}

/// Magic, deflate, no flags, no time, no extra, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

impl Gzip {
    fn new() -> Gzip {
        let spare = SPARE_GZIP.with_borrow_mut(Vec::pop);
        let deflate = spare.unwrap_or_else(|| Compress::new(Compression::new(GZIP_LEVEL), false));
        Gzip {
            deflate: Some(deflate),
            sum: Crc::new(),
            begun: false,
        }
    }

    fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.sum.update(input);
        self.run(input, out, FlushCompress::None)
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.run(&[], out, FlushCompress::Sync)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.run(&[], out, FlushCompress::Finish)?;
        out.extend_from_slice(&self.sum.sum().to_le_bytes());
        out.extend_from_slice(&self.sum.amount().to_le_bytes());
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&GZIP_HEAD);
        }
    }

    fn run(&mut self, mut input: &[u8], out: &mut Vec<u8>, flush: FlushCompress) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else {
            return Ok(());
        };
        loop {
            out.reserve(ROOM);
            let before = deflate.total_in();
            let status = deflate.compress_vec(input, out, flush)?;
            input = &input[(deflate.total_in() - before) as usize..];
            // Output that did not fill its room was all there is.
            let more = out.len() == out.capacity();
            if status == Status::StreamEnd
                || (input.is_empty() && !more && !matches!(flush, FlushCompress::Finish))
            {
                return Ok(());
            }
        }
    }
}

impl Drop for Gzip {
    fn drop(&mut self) {
        if let Some(mut deflate) = self.deflate.take() {
            deflate.reset();
            keep(&SPARE_GZIP, deflate);
        }
    }
}

/// One zstd frame.
pub struct ZstdFrame(Option<Zstd<'static>>);

impl ZstdFrame {
    fn new() -> io::Result<ZstdFrame> {
        if let Some(spare) = SPARE_ZSTD.with_borrow_mut(Vec::pop) {
            return Ok(ZstdFrame(Some(spare)));
        }
        let mut encoder = Zstd::new(ZSTD_LEVEL)?;
        encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW))?;
        Ok(ZstdFrame(Some(encoder)))
    }

    fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let Some(encoder) = &mut self.0 else { return Ok(()) };
        let mut input = InBuffer::around(input);
        while input.pos() < input.src.len() {
            out.reserve(ROOM);
            let at = out.len();
            encoder.run(&mut input, &mut OutBuffer::around_pos(out, at))?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>, finish: bool) -> io::Result<()> {
        let Some(encoder) = &mut self.0 else { return Ok(()) };
        loop {
            out.reserve(ROOM);
            let at = out.len();
            let mut room = OutBuffer::around_pos(out, at);
            let left = if finish {
                encoder.finish(&mut room, true)?
            } else {
                encoder.flush(&mut room)?
            };
            if left == 0 {
                return Ok(());
            }
        }
    }
}

impl Drop for ZstdFrame {
    fn drop(&mut self) {
        if let Some(mut encoder) = self.0.take()
            && encoder.reinit().is_ok()
        {
            keep(&SPARE_ZSTD, encoder);
        }
    }
}

fn keep<T>(store: &'static std::thread::LocalKey<RefCell<Vec<T>>>, context: T) {
    // A thread that ends has no store any more; the context is dropped then.
    let _ = store.try_with(|s| {
        let mut s = s.borrow_mut();
        if s.len() < SPARE {
            s.push(context);
        }
    });
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Read;

    /// Decodes a whole body; what cannot be decoded comes back with its error.
    pub fn decode(coding: &str, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let read = match Coding::of(coding) {
            Some(Coding::Gzip) => flate2::read::GzDecoder::new(body).read_to_end(&mut out),
            Some(Coding::Brotli) => brotli::Decompressor::new(body, 4096).read_to_end(&mut out),
            Some(Coding::Zstd) => {
                zstd::stream::read::Decoder::new(body).and_then(|mut d| d.read_to_end(&mut out))
            }
            None => Ok(0),
        };
        if let Err(error) = read {
            out.extend_from_slice(format!(" [{error}]").as_bytes());
        }
        out
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

    fn noise(n: usize) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(7);
        (0..n).map(|_| rng.u8(..)).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let check = |input: &[u8], piece: usize| {
            for coding in ALL {
                // Twice, so that the second time uses a kept context.
                for _ in 0..2 {
                    let (mut encoder, mut out) = (Encoder::new(coding).expect("made"), Vec::new());
                    for piece in input.chunks(piece) {
                        encoder.write(piece, &mut out).expect("written");
                    }
                    encoder.finish(&mut out).expect("ended");
                    assert!(
                        decode(coding.name(), &out) == input,
                        "{coding:?} {} bytes",
                        input.len()
                    );
                }
            }
        };
        check(b"", 1);
        check(b"x", 1);
        check(&b"abc ".repeat(50_000), 32 * 1024);
        check(&noise(300_000), 32 * 1024);
        check(&noise(300_000), 300_000);
    }

    #[test]
    fn flushed_output_can_be_read_at_once() {
        for coding in ALL {
            let (mut encoder, mut out) = (Encoder::new(coding).expect("made"), Vec::new());
            let mut sent = Vec::new();
            for piece in [&noise(10_000)[..], b"data: 1\n\n", b"data: 2\n\n"] {
                sent.extend_from_slice(piece);
                encoder.write(piece, &mut out).expect("written");
                encoder.flush(&mut out).expect("flushed");
                assert!(decode(coding.name(), &out).starts_with(&sent), "{coding:?}");
            }
        }
    }

    #[test]
    fn an_abandoned_context_leaves_nothing_behind() {
        for coding in ALL {
            let mut encoder = Encoder::new(coding).expect("made");
            encoder
                .write(b"secret of another answer", &mut Vec::new())
                .expect("written");
            drop(encoder);
            let mut out = Vec::new();
            let mut encoder = Encoder::new(coding).expect("made");
            encoder.write(b"mine", &mut out).expect("written");
            encoder.finish(&mut out).expect("ended");
            assert_eq!(decode(coding.name(), &out), b"mine", "{coding:?}");
        }
    }
}
