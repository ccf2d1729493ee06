//! Base64 and base32: sprig's chapter "Encoding Functions".

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::Str;
use crate::function::{Function, fixed, text};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("b64enc", &[Str], |b, a| b.text(STANDARD.encode(text(&a[0])))),
    fixed("b64dec", &[Str], |b, a| {
        shown(b, base64_bytes(text(&a[0])), "base64")
    }),
    fixed("b32enc", &[Str], |b, a| b.text(base32(text(&a[0]).as_bytes()))),
    fixed("b32dec", &[Str], |b, a| {
        shown(b, base32_bytes(text(&a[0])), "base32")
    }),
];

/// Go does not look at bits that stand for nothing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// What was decoded; where that failed, sprig's functions return what is wrong as their result.
fn shown(budget: &Budget, decoded: std::result::Result<Vec<u8>, usize>, kind: &str) -> Result<Value> {
    match decoded {
        Ok(bytes) => {
            let text = String::from_utf8(bytes)
                .map_err(|_| Fault::new(format!("what the {kind} stands for is not UTF-8 text")))?;
            budget.text(text)
        }
        Err(at) => budget.text(format!("illegal {kind} data at input byte {at}")),
    }
}

/// The bytes, or where the text is wrong. Line ends are passed over.
pub(super) fn base64_bytes(text: &str) -> std::result::Result<Vec<u8>, usize> {
    let compact = text.replace(['\r', '\n'], "");
    LENIENT.decode(&compact).map_err(|_| {
        let is_data = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
        let data = text.find(|c| !is_data(c) && !matches!(c, '\r' | '\n'));
        match data {
            Some(at) if text[at..].starts_with('=') && at % 4 > 1 => text.len(),
            Some(at) => at,
            None => text.len() / 4 * 4,
        }
    })
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648, section 6, with padding.
fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut group = [0_u8; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(group);
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = bits >> (35 - 5 * index) & 31;
            out.push(if index < digits {
                char::from(BASE32[digit as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn base32_bytes(text: &str) -> std::result::Result<Vec<u8>, usize> {
    let compact: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let mut out = Vec::with_capacity(compact.len() / 8 * 5);
    for (number, chunk) in compact.chunks(8).enumerate() {
        let start = number * 8;
        let digits = chunk.iter().position(|b| *b == b'=').unwrap_or(chunk.len());
        let padded = chunk.len() == 8 && chunk[digits..].iter().all(|b| *b == b'=');
        let last = start + 8 >= compact.len();
        let mut bits = 0_u64;
        for (index, byte) in chunk[..digits].iter().enumerate() {
            let digit = BASE32.iter().position(|b| b == byte).ok_or(start + index)?;
            bits |= (digit as u64) << (35 - 5 * index);
        }
        if !padded || !matches!(digits, 2 | 4 | 5 | 7 | 8) || (digits < 8 && !last) {
            return Err(start + digits);
        }
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + digits * 5 / 8]);
    }
    Ok(out)
}
