//! When a guard that has to be asked is asked about a stream, and about which part of its text.

use std::time::Duration;
use trilithon_ai::guard::hold::LOOK_BEHIND;

/// Bytes of new text that are worth a question.
pub const WINDOW: usize = 1024;
/// Bytes that a window has in common with the one before: what is found may lie across its end.
pub const OVERLAP: usize = LOOK_BEHIND;
/// How long text waits for more before it is asked about.
pub const PAUSE: Duration = Duration::from_millis(250);

/// How far a guard has come with one channel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The text up to here was asked about.
    pub asked: usize,
    /// It is being asked.
    pub busy: bool,
}

impl Place {
    /// Whether a question is due. `whole`: the channel is judged only when it is complete.
    pub fn is_due(self, received: usize, complete: bool, judged: usize, whole: bool, paused: bool) -> bool {
        if self.busy {
            return false;
        }
        let new = received - self.asked;
        match (complete, whole) {
            (true, _) => new > 0 || judged < received,
            (false, true) => false,
            (false, false) => new >= WINDOW || (paused && new > 0),
        }
    }
}

/// Up to where text may go when a window that ended at `to` was judged. Places in text are only known if their end is: the
/// overlap is looked at again.
pub fn settled(to: usize, last: bool, spans: bool) -> usize {
    if last || !spans {
        to
    } else {
        to.saturating_sub(OVERLAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_it_is_asked() {
        let check = |asked, received, complete, judged, whole, paused, want| {
            let place = Place { asked, busy: false };
            assert_eq!(place.is_due(received, complete, judged, whole, paused), want);
            assert!(!Place { asked, busy: true }.is_due(received, complete, judged, whole, paused));
        };
        check(0, 1023, false, 0, false, false, false);
        check(0, 1024, false, 0, false, false, true);
        check(0, 1, false, 0, false, true, true);
        check(5, 5, false, 0, false, true, false);
        check(0, 9000, false, 0, true, true, false);
        check(0, 1, true, 0, true, false, true);
        check(300, 300, true, 44, false, false, true);
        check(300, 300, true, 300, false, false, false);
        assert_eq!(
            (
                settled(1000, false, true),
                settled(1000, true, true),
                settled(1000, false, false)
            ),
            (744, 1000, 1000)
        );
        assert_eq!(settled(100, false, true), 0);
    }
}
