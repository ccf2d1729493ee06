//! The codings as one decoder that never writes more than there is room for.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::{Decompress, FlushDecompress, Status};
use trilithon_flow::{Fault, FaultKind};
use zstd::stream::raw::{DParameter, Decoder as Zstd, InBuffer, Operation, OutBuffer};

/// Windows of zstd that HTTP has room for (RFC 9659 §3), as a power of two.
const ZSTD_WINDOW: u32 = 23;
/// Bits of the largest window of deflate (RFC 1951 §2).
const DEFLATE_WINDOW: u8 = 15;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// One body being decoded.
pub enum Decoder {
    /// gzip (RFC 1952), which may have several members, or zlib (RFC 1950).
    Inflate {
        inflate: Decompress,
        is_gzip: bool,
        at_end: bool,
    },
    Brotli {
        state: Box<Brotli>,
        at_end: bool,
    },
    Zstd {
        context: Zstd<'static>,
        at_end: bool,
    },
}

/// What one step took and gave.
pub struct Step {
    pub read: usize,
    pub written: usize,
}

impl Decoder {
    /// The decoder of a coding, by its name.
    pub fn of(name: &str) -> Option<Decoder> {
        Some(match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Decoder::Inflate {
                inflate: Decompress::new_gzip(DEFLATE_WINDOW),
                is_gzip: true,
                at_end: true,
            },
            "deflate" => Decoder::Inflate {
                inflate: Decompress::new(true),
                is_gzip: false,
                at_end: true,
            },
            "br" => Decoder::Brotli {
                // Without the windows of up to a gigabyte that only some decoders know.
                state: Box::new(BrotliState::new_strict(
                    StandardAlloc::default(),
                    StandardAlloc::default(),
                    StandardAlloc::default(),
                )),
                at_end: true,
            },
            "zstd" => Decoder::Zstd {
                context: zstd().ok()?,
                at_end: true,
            },
            _ => return None,
        })
    }

    /// Whether the coded body may end here.
    pub fn may_end(&self) -> bool {
        match self {
            Decoder::Inflate { at_end, .. }
            | Decoder::Brotli { at_end, .. }
            | Decoder::Zstd { at_end, .. } => *at_end,
        }
    }

    /// Decodes of `input` as much as there is room for in `out`.
    ///
    /// # Errors
    /// It is not so coded.
    pub fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
        match self {
            Decoder::Inflate {
                inflate,
                is_gzip,
                at_end,
            } => {
                if *at_end && inflate.total_in() > 0 {
                    if input.is_empty() || !*is_gzip {
                        return Ok(Step { read: 0, written: 0 });
                    }
                    *inflate = Decompress::new_gzip(DEFLATE_WINDOW);
                }
                let before = (inflate.total_in(), inflate.total_out());
                let status = inflate
                    .decompress(input, out, FlushDecompress::None)
                    .map_err(|_| bad())?;
                *at_end = status == Status::StreamEnd;
                Ok(Step {
                    read: (inflate.total_in() - before.0) as usize,
                    written: (inflate.total_out() - before.1) as usize,
                })
            }
            Decoder::Brotli { state, at_end } => unbrotli(state, at_end, input, out),
            Decoder::Zstd { context, at_end } => {
                let mut input = InBuffer::around(input);
                let mut out = OutBuffer::around(out);
                let left = context.run(&mut input, &mut out).map_err(|_| bad())?;
                // A frame begins with its first byte and ends when nothing of it is left.
                if input.pos() > 0 || out.pos() > 0 {
                    *at_end = left == 0;
                }
                Ok(Step {
                    read: input.pos(),
                    written: out.pos(),
                })
            }
        }
    }
}

fn unbrotli(state: &mut Brotli, at_end: &mut bool, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
    let (mut left, mut read) = (input.len(), 0);
    let (mut room, mut written, mut total) = (out.len(), 0, 0);
    let result = BrotliDecompressStream(
        &mut left,
        &mut read,
        input,
        &mut room,
        &mut written,
        out,
        &mut total,
        state,
    );
    *at_end = match result {
        BrotliResult::ResultSuccess => true,
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => false,
        BrotliResult::ResultFailure => return Err(bad()),
    };
    Ok(Step { read, written })
}

fn zstd() -> std::io::Result<Zstd<'static>> {
    let mut context = Zstd::new()?;
    context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
    Ok(context)
}

fn bad() -> Fault {
    Fault::new(FaultKind::Malformed, "the answer is not coded as it says")
}
