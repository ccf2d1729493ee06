//! Looking at the events of a stream that goes by.

use trilithon_flow::limits::MAX_MODEL_EVENT;
use trilithon_wire::sse::{Frame, Frames};

/// Cuts a stream that goes by into events. Only what of an event has not come yet is kept.
pub struct Tap {
    cut: Frames,
    /// The beginning of an event whose end has not come.
    pending: Vec<u8>,
    /// An event was too large: nothing after it is looked at.
    lost: bool,
}

impl Default for Tap {
    fn default() -> Tap {
        Tap {
            cut: Frames::new(MAX_MODEL_EVENT),
            pending: Vec::new(),
            lost: false,
        }
    }
}

impl Tap {
    /// Whether an event was too large to be looked at.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Shows the events that end in `bytes`, each with its bytes.
    pub fn see(&mut self, bytes: &[u8], mut show: impl FnMut(&[u8], &Frame)) {
        if self.lost {
            return;
        }
        if self.pending.is_empty() {
            let used = self.cut_all(bytes, &mut show);
            self.pending.extend_from_slice(&bytes[used..]);
        } else {
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(bytes);
            let used = self.cut_all(&pending, &mut show);
            pending.drain(..used);
            self.pending = pending;
        }
        if self.lost {
            self.pending = Vec::new();
        }
    }

    /// Shows what is left at the end of the stream.
    pub fn end(&mut self, mut show: impl FnMut(&[u8], &Frame)) {
        let pending = std::mem::take(&mut self.pending);
        if let Ok(Some(frame)) = self.cut.rest(&pending) {
            show(&pending, &frame);
        }
    }

    fn cut_all(&mut self, bytes: &[u8], show: &mut impl FnMut(&[u8], &Frame)) -> usize {
        let mut used = 0;
        loop {
            match self.cut.next(&bytes[used..]) {
                Ok(Some(frame)) => {
                    show(&bytes[used..used + frame.len], &frame);
                    used += frame.len;
                }
                Ok(None) => return used,
                Err(_) => {
                    self.lost = true;
                    return used;
                }
            }
        }
    }
}
