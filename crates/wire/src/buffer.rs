//! Read buffers that an idle connection does not hold.
//!
//! Memory comes from a per-thread store in pieces of one size and goes back as soon as a buffer is empty and told to.

use std::cell::RefCell;

/// Bytes of one piece: the measured optimum for large bodies.
pub const PIECE: usize = 32 * 1024;
/// Least free space that a read is given.
const SPARE: usize = 4 * 1024;
/// Pieces kept per thread (2 MiB).
const KEPT: usize = 64;

thread_local! {
    static STORE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes read and not yet used.
#[derive(Default)]
pub struct Buffer {
    data: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// A buffer without memory.
    pub const fn new() -> Buffer {
        Buffer {
            data: Vec::new(),
            start: 0,
        }
    }

    /// What was read and not consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.data[self.start..]
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.data.len()
    }

    /// Number of bytes left.
    #[inline]
    pub fn len(&self) -> usize {
        self.data.len() - self.start
    }

    /// Drops the first `n` bytes, or all if there are fewer.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.start += n.min(self.len());
        if self.start == self.data.len() {
            self.data.clear();
            self.start = 0;
        }
    }

    /// The memory to append to: what is left stands at its start, and at least 4 KiB are free behind it.
    ///
    /// Bytes may only be appended. It grows as long as nothing is consumed; the caller's limits bound that.
    pub fn reading(&mut self) -> &mut Vec<u8> {
        if self.data.capacity() == 0 {
            self.data = STORE
                .with_borrow_mut(Vec::pop)
                .unwrap_or_else(|| Vec::with_capacity(PIECE));
        }
        if self.data.capacity() - self.data.len() < SPARE {
            self.compact();
            self.data.reserve(SPARE);
        }
        self.compact();
        &mut self.data
    }

    /// Gives the memory back if nothing is left.
    pub fn release(&mut self) {
        if self.is_empty() {
            give_back(std::mem::take(&mut self.data));
            self.start = 0;
        }
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.data.copy_within(self.start.., 0);
            self.data.truncate(self.data.len() - self.start);
            self.start = 0;
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.data));
    }
}

/// Keeps pieces of the ordinary size; a buffer that had to grow is freed.
fn give_back(mut data: Vec<u8>) {
    if data.capacity() != PIECE {
        return;
    }
    data.clear();
    // When the thread ends the store may be gone already; then the memory is simply freed.
    let _ = STORE.try_with(|s| {
        let mut s = s.borrow_mut();
        if s.len() < KEPT {
            s.push(data);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_consumed() {
        let mut b = Buffer::new();
        assert!(b.is_empty() && b.reading().capacity() >= PIECE);
        b.reading().extend_from_slice(b"hello world");
        b.consume(6);
        assert_eq!((b.filled(), b.len()), (&b"world"[..], 5));
        b.reading().extend_from_slice(b"!");
        assert_eq!(b.filled(), b"world!");
        b.consume(99);
        assert!(b.is_empty());
    }

    #[test]
    fn leaves_room_when_full() {
        let mut b = Buffer::new();
        b.reading().extend_from_slice(&[7; PIECE - 10]);
        let spare = b.reading();
        assert!(spare.capacity() - spare.len() >= SPARE);
        assert_eq!(b.len(), PIECE - 10);
    }

    #[test]
    fn memory_returns_to_the_thread() {
        let mut b = Buffer::new();
        let at = b.reading().as_ptr();
        b.reading().push(1);
        b.release();
        assert_eq!(b.len(), 1, "not released while filled");
        b.consume(1);
        b.release();
        assert_eq!(Buffer::new().reading().as_ptr(), at);
    }
}
