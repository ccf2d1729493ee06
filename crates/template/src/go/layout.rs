//! Go's time layouts: the reference time `Mon Jan 2 15:04:05 MST 2006` written as the result shall look.

use std::fmt::Write;

use jiff::Zoned;

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// How a number is filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pad {
    None,
    Space,
    Zero,
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    /// `Z` stands for UTC.
    pub zulu: bool,
    pub colons: bool,
    pub minutes: bool,
    pub seconds: bool,
}

/// One element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    LongMonth,
    Month,
    MonthNumber(Pad),
    LongDay,
    WeekDay,
    Day(Pad),
    YearDay(Pad),
    Hour24,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    LongYear,
    Year,
    Upper,
    Lower,
    Zone,
    Offset(Offset),
    /// So many digits with their separator; `trims` leaves out zeros at the end.
    Fraction {
        digits: usize,
        separator: char,
        trims: bool,
    },
}

const OFFSETS: &[(&str, bool, bool, bool)] = &[
    // spelling, colons, minutes, seconds
    ("07:00:00", true, true, true),
    ("070000", false, true, true),
    ("07:00", true, true, false),
    ("0700", false, true, false),
    ("07", false, false, false),
];

/// The literal text before the first element, the element, and what follows it.
pub(crate) fn next(layout: &str) -> (&str, Option<Chunk>, &str) {
    for (at, c) in layout.char_indices() {
        if !c.is_ascii() {
            continue;
        }
        if let Some((skip, chunk, length)) = chunk(&layout[at..]) {
            let start = at + skip;
            return (&layout[..start], Some(chunk), &layout[start + length..]);
        }
    }
    (layout, None, "")
}

/// The element at the start of a text: bytes to leave before it, and its length.
fn chunk(text: &str) -> Option<(usize, Chunk, usize)> {
    let lower_after = |n: usize| text[n..].starts_with(|c: char| c.is_ascii_lowercase());
    let found = |chunk: Chunk, length: usize| Some((0, chunk, length));
    match text.as_bytes()[0] {
        b'J' if text.starts_with("January") => found(Chunk::LongMonth, 7),
        b'J' if text.starts_with("Jan") && !lower_after(3) => found(Chunk::Month, 3),
        b'M' if text.starts_with("Monday") => found(Chunk::LongDay, 6),
        b'M' if text.starts_with("Mon") && !lower_after(3) => found(Chunk::WeekDay, 3),
        b'M' if text.starts_with("MST") => found(Chunk::Zone, 3),
        b'0' if text.starts_with("002") => found(Chunk::YearDay(Pad::Zero), 3),
        b'0' => {
            let chunk = match text.as_bytes().get(1)? {
                b'1' => Chunk::MonthNumber(Pad::Zero),
                b'2' => Chunk::Day(Pad::Zero),
                b'3' => Chunk::Hour12(Pad::Zero),
                b'4' => Chunk::Minute(Pad::Zero),
                b'5' => Chunk::Second(Pad::Zero),
                b'6' => Chunk::Year,
                _ => return None,
            };
            found(chunk, 2)
        }
        b'1' if text.starts_with("15") => found(Chunk::Hour24, 2),
        b'1' => found(Chunk::MonthNumber(Pad::None), 1),
        b'2' if text.starts_with("2006") => found(Chunk::LongYear, 4),
        b'2' => found(Chunk::Day(Pad::None), 1),
        b'_' if text.starts_with("_2006") => Some((1, Chunk::LongYear, 4)),
        b'_' if text.starts_with("_2") => found(Chunk::Day(Pad::Space), 2),
        b'_' if text.starts_with("__2") => found(Chunk::YearDay(Pad::Space), 3),
        b'3' => found(Chunk::Hour12(Pad::None), 1),
        b'4' => found(Chunk::Minute(Pad::None), 1),
        b'5' => found(Chunk::Second(Pad::None), 1),
        b'P' if text.starts_with("PM") => found(Chunk::Upper, 2),
        b'p' if text.starts_with("pm") => found(Chunk::Lower, 2),
        sign @ (b'-' | b'Z') => {
            let (spelling, colons, minutes, seconds) = *OFFSETS
                .iter()
                .find(|(spelling, ..)| text[1..].starts_with(spelling))?;
            let offset = Offset {
                zulu: sign == b'Z',
                colons,
                minutes,
                seconds,
            };
            found(Chunk::Offset(offset), spelling.len() + 1)
        }
        b'.' | b',' => fraction(text),
        _ => None,
    }
}

fn fraction(text: &str) -> Option<(usize, Chunk, usize)> {
    let digit = text[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let rest = text[1..].trim_start_matches(digit);
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = text.len() - 1 - rest.len();
    let chunk = Chunk::Fraction {
        digits,
        separator: text.chars().next()?,
        trims: digit == '9',
    };
    Some((0, chunk, digits + 1))
}

/// `Time.Format`.
pub(crate) fn format(time: &Zoned, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    loop {
        let (literal, chunk, after) = next(rest);
        out.push_str(literal);
        let Some(chunk) = chunk else {
            return out;
        };
        push(time, chunk, &mut out);
        rest = after;
    }
}

fn push(time: &Zoned, chunk: Chunk, out: &mut String) {
    let month = MONTHS[usize::from(time.month().unsigned_abs() - 1) % 12];
    let day = DAYS[usize::from(time.weekday().to_sunday_zero_offset().unsigned_abs()) % 7];
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let forenoon = time.hour() < 12;
    match chunk {
        Chunk::LongMonth => out.push_str(month),
        Chunk::Month => out.push_str(&month[..3]),
        Chunk::MonthNumber(pad) => number(time.month().into(), 2, pad, out),
        Chunk::LongDay => out.push_str(day),
        Chunk::WeekDay => out.push_str(&day[..3]),
        Chunk::Day(pad) => number(time.day().into(), 2, pad, out),
        Chunk::YearDay(pad) => number(time.day_of_year().into(), 3, pad, out),
        Chunk::Hour24 => number(time.hour().into(), 2, Pad::Zero, out),
        Chunk::Hour12(pad) => number(hour12.into(), 2, pad, out),
        Chunk::Minute(pad) => number(time.minute().into(), 2, pad, out),
        Chunk::Second(pad) => number(time.second().into(), 2, pad, out),
        Chunk::LongYear => number(time.year().into(), 4, Pad::Zero, out),
        Chunk::Year => number(i64::from(time.year()).rem_euclid(100), 2, Pad::Zero, out),
        Chunk::Upper => out.push_str(if forenoon { "AM" } else { "PM" }),
        Chunk::Lower => out.push_str(if forenoon { "am" } else { "pm" }),
        Chunk::Zone => out.push_str(&zone(time)),
        Chunk::Offset(form) => offset(time.offset().seconds(), form, out),
        Chunk::Fraction {
            digits,
            separator,
            trims,
        } => fraction_of(time.subsec_nanosecond(), digits, separator, trims, out),
    }
}

fn number(number: i64, width: usize, pad: Pad, out: &mut String) {
    if number < 0 {
        out.push('-');
    }
    let number = number.unsigned_abs();
    let _ = match pad {
        Pad::None => write!(out, "{number}"),
        Pad::Space => write!(out, "{number:width$}"),
        Pad::Zero => write!(out, "{number:0width$}"),
    };
}

/// The zone's abbreviation, or its offset where it has none.
fn zone(time: &Zoned) -> String {
    let info = time.time_zone().to_offset_info(time.timestamp());
    let name = info.abbreviation();
    // A zone that is an offset alone is named after it.
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return name.to_owned();
    }
    let seconds = time.offset().seconds();
    let form = Offset {
        zulu: false,
        colons: false,
        minutes: seconds % 3600 != 0,
        seconds: false,
    };
    let mut out = String::new();
    offset(seconds, form, &mut out);
    out
}

fn offset(seconds: i32, form: Offset, out: &mut String) {
    if form.zulu && seconds == 0 {
        return out.push('Z');
    }
    out.push(if seconds < 0 { '-' } else { '+' });
    let seconds = seconds.unsigned_abs();
    let colon = if form.colons { ":" } else { "" };
    let _ = write!(out, "{:02}", seconds / 3600);
    if form.minutes {
        let _ = write!(out, "{colon}{:02}", seconds / 60 % 60);
    }
    if form.seconds {
        let _ = write!(out, "{colon}{:02}", seconds % 60);
    }
}

fn fraction_of(nanos: i32, digits: usize, separator: char, trims: bool, out: &mut String) {
    let all = format!("{:09}", nanos.unsigned_abs());
    let shown = all.get(..digits.min(9)).unwrap_or(&all);
    let shown = if trims { shown.trim_end_matches('0') } else { shown };
    if shown.is_empty() {
        return;
    }
    out.push(separator);
    out.push_str(shown);
    if !trims {
        out.extend(std::iter::repeat_n('0', digits.saturating_sub(9)));
    }
}
