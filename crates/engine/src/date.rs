//! The `Date` header (RFC 9110 §5.6.7), written once a second.

use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

/// Length of an IMF-fixdate.
pub const LEN: usize = 29;

/// The current date as text, kept for the second it names.
pub struct Date {
    second: Cell<u64>,
    text: RefCell<[u8; LEN]>,
}

impl Date {
    pub fn new() -> Date {
        Date {
            second: Cell::new(u64::MAX),
            text: RefCell::new([b' '; LEN]),
        }
    }

    /// The date at `now`.
    pub fn at(&self, now: SystemTime) -> [u8; LEN] {
        let second = now
            .duration_since(UNIX_EPOCH)
            .map(|d| d.as_secs())
            .unwrap_or_default();
        if self.second.replace(second) != second {
            *self.text.borrow_mut() = format(second);
        }
        *self.text.borrow()
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn format(second: u64) -> [u8; LEN] {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (days, rest) = (second / 86_400, second % 86_400);
    let (year, month, day) = civil(days as i64);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = (days % 7) as usize * 3;
    out[..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
    two(&mut out[5..7], day);
    let month = (month as usize - 1) * 3;
    out[8..11].copy_from_slice(&MONTHS[month..month + 3]);
    two(&mut out[12..14], year / 100);
    two(&mut out[14..16], year % 100);
    two(&mut out[17..19], (rest / 3600) as u32);
    two(&mut out[20..22], (rest / 60 % 60) as u32);
    two(&mut out[23..25], (rest % 60) as u32);
    out
}

fn two(out: &mut [u8], n: u32) {
    out[0] = b'0' + (n / 10 % 10) as u8;
    out[1] = b'0' + (n % 10) as u8;
}

/// Days since 1970-01-01 as a date of the Gregorian calendar, counted in eras of 400 years that start in March.
fn civil(days: i64) -> (u32, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |second, want: &str| assert_eq!(std::str::from_utf8(&format(second)), Ok(want));
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(1_795_305_599, "Sat, 21 Nov 2026 23:59:59 GMT");
    }
}
