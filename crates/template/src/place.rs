//! Lines and columns of byte offsets.

/// The line and column of an offset, counted from 1, columns in characters.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    // Bytes that continue a character are not counted.
    let column = before[start..].iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
    (small(line), small(column))
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
