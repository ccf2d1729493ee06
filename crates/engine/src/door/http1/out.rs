//! Output collected before it is written, in memory that is used again.

use std::cell::RefCell;

/// Bytes collected before they are written.
pub(super) const OUT_BYTES: usize = 32 * 1024;

/// Output that is about to be written.
pub(super) struct OutBuffer(pub Vec<u8>);

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl OutBuffer {
    pub fn new() -> OutBuffer {
        OutBuffer(
            SPARE
                .with_borrow_mut(|s| s.pop())
                .unwrap_or_else(|| Vec::with_capacity(4096)),
        )
    }
}

impl Drop for OutBuffer {
    fn drop(&mut self) {
        let mut spare = std::mem::take(&mut self.0);
        if spare.capacity() <= 2 * OUT_BYTES {
            spare.clear();
            // The store may be gone when a thread ends.
            let _ = SPARE.try_with(|s| {
                let mut s = s.borrow_mut();
                if s.len() < 128 {
                    s.push(spare);
                }
            });
        }
    }
}
