//! Fields of protobuf messages, written once and in place: a message inside another is written where it will stand, and its length is
//! put in front when it is known. The messages of the library compute the length of everything again at every level above it.
//!
//! Fields come in the order of their numbers, and those that are empty are left out, unless a choice (`oneof`) tells that they are there: as
//! the library writes them.

use prost::encoding::{WireType, encode_key, encode_varint};

/// Bytes of the longest varint.
const MAX_VARINT: usize = 10;

/// A field of bytes or text.
pub fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A field of bytes or text that is left out where it is empty.
pub fn some_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    if !value.is_empty() {
        bytes(out, number, value);
    }
}

/// A field of type `int64`, `int32` or an enumeration.
pub fn int(out: &mut Vec<u8>, number: u32, value: i64) {
    encode_key(number, WireType::Varint, out);
    // Two's complement, as negative numbers are written.
    encode_varint(value as u64, out);
}

/// A field of type `fixed64`.
pub fn fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    encode_key(number, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of type `fixed32`.
pub fn fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
    encode_key(number, WireType::ThirtyTwoBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field that is a message, of the fields that `write` writes.
pub fn message(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(number, WireType::LengthDelimited, out);
    // Most messages are so short that one byte holds their length; others move on by what it takes more.
    let at = out.len();
    out.push(0);
    write(out);
    let body = at + 1..out.len();
    let mut length = [0; MAX_VARINT];
    let mut rest = &mut length[..];
    encode_varint(body.len() as u64, &mut rest);
    let width = MAX_VARINT - rest.len();
    out.resize(body.end + width - 1, 0);
    if width > 1 {
        out.copy_within(body, at + width);
    }
    out[at..at + width].copy_from_slice(&length[..width]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
    use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
    use prost::Message;

    /// Around each length whose varint is longer than the one before.
    #[test]
    fn messages_of_any_length_are_read_as_they_were_written() {
        let lengths = [
            0, 1, 125, 126, 127, 128, 129, 16_380, 16_383, 16_384, 16_390, 2_097_152,
        ];
        for length in lengths {
            let name = "x".repeat(length);
            let mut out = Vec::new();
            message(&mut out, 1, |out| {
                some_bytes(out, 1, name.as_bytes());
                bytes(out, 2, b"v");
            });
            message(&mut out, 2, |out| {
                int(out, 6, -1);
                fixed64(out, 7, u64::MAX);
                fixed32(out, 16, 1);
            });
            let want = ScopeSpans {
                scope: Some(InstrumentationScope {
                    name,
                    version: "v".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans: vec![Span {
                    kind: -1,
                    start_time_unix_nano: u64::MAX,
                    flags: 1,
                    ..Span::default()
                }],
                ..ScopeSpans::default()
            };
            assert!(out == want.encode_to_vec(), "{length}");
            assert!(ScopeSpans::decode(&*out) == Ok(want), "{length}");
        }
    }
}
