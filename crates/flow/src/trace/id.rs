//! Names of traces and spans (W3C Trace Context §3.2.2): 128 and 64 bits, never zero, lower-case hexadecimal in text.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

/// One trace, across everything that took part in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// One step of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl TraceId {
    /// A new one.
    pub fn random() -> TraceId {
        loop {
            if let Some(id) = NonZeroU128::new(fastrand::u128(..)) {
                return TraceId(id);
            }
        }
    }

    /// Reads exactly 32 lower-case hexadecimal digits that are not all zero.
    pub fn parse(text: &[u8]) -> Option<TraceId> {
        let id = (text.len() == 32).then(|| hex(text))??;
        NonZeroU128::new(id).map(TraceId)
    }

    pub(super) fn from_number(id: u128) -> Option<TraceId> {
        NonZeroU128::new(id).map(TraceId)
    }

    /// The 16 bytes, the first digit first.
    pub fn bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// The number that sampling compares: the last 63 bits that are not the lowest, as OpenTelemetry's Go library takes it,
    /// so that gateways with the same ratio agree about a trace.
    pub(super) fn lot(self) -> u64 {
        (self.0.get() as u64) >> 1
    }

    /// 32 digits.
    pub fn text(self) -> [u8; 32] {
        digits(&self.bytes())
    }
}

impl SpanId {
    /// A new one.
    pub fn random() -> SpanId {
        loop {
            if let Some(id) = NonZeroU64::new(fastrand::u64(..)) {
                return SpanId(id);
            }
        }
    }

    /// Reads exactly 16 lower-case hexadecimal digits that are not all zero.
    pub fn parse(text: &[u8]) -> Option<SpanId> {
        let id = (text.len() == 16).then(|| hex(text))??;
        SpanId::from_number(id)
    }

    pub(super) fn from_number(id: u128) -> Option<SpanId> {
        NonZeroU64::new(u64::try_from(id).ok()?).map(SpanId)
    }

    /// The 8 bytes, the first digit first.
    pub fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// 16 digits.
    pub fn text(self) -> [u8; 16] {
        digits(&self.bytes())
    }
}

/// Lower-case hexadecimal digits, at most 32 of them, as a number.
pub(super) fn hex(text: &[u8]) -> Option<u128> {
    if text.is_empty() || text.len() > 32 {
        return None;
    }
    let (high, low) = text.split_at(text.len().saturating_sub(16));
    Some(u128::from(half(high)?) << 64 | u128::from(half(low)?))
}

/// At most 16 digits as a number.
fn half(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |sum, b| {
        let digit = match b {
            b'0'..=b'9' => b - b'0',
            b'a'..=b'f' => b - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u64::from(digit))
    })
}

/// Two digits for each byte; `N` is twice as many as there are bytes.
fn digits<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| {
        let byte = bytes[i / 2];
        b"0123456789abcdef"[usize::from(if i % 2 == 0 { byte >> 4 } else { byte & 15 })]
    })
}

/// Digits are ASCII.
fn write(f: &mut fmt::Formatter<'_>, digits: &[u8]) -> fmt::Result {
    f.write_str(std::str::from_utf8(digits).map_err(|_| fmt::Error)?)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.text())
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.text())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let text = "0af7651916cd43dd8448eb211c80319c";
        let trace = TraceId::parse(text.as_bytes()).unwrap();
        assert_eq!(trace.to_string(), text);
        assert_eq!((trace.bytes()[0], trace.bytes()[15]), (0x0a, 0x9c));
        let span = SpanId::parse(b"00f067aa0ba902b7").unwrap();
        assert_eq!(span.to_string(), "00f067aa0ba902b7");
        for bad in [
            "",
            "0",
            "00000000000000000000000000000000",
            "0AF7651916CD43DD8448EB211C80319C",
        ] {
            assert_eq!(TraceId::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_ne!(TraceId::random(), TraceId::random());
    }
}
