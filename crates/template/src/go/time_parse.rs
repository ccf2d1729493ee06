//! `time.ParseInLocation`: a text read by a layout.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset as ZoneOffset, TimeZone};
use jiff::{SignedDuration, Zoned};

use super::layout::{Chunk, DAYS, MONTHS, Offset, Pad, next};

/// What a text says, as far as it was read.
#[derive(Default)]
struct Parts {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: Option<String>,
}

/// Reads a text; what says nothing of a zone is in `zone`.
///
/// # Errors
/// What does not fit, as Go says it.
pub(crate) fn parse(layout: &str, text: &str, zone: &TimeZone) -> Result<Zoned, String> {
    let bad = |element: &str, rest: &str, why: &str| {
        if why.is_empty() {
            format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{rest}\" as \"{element}\"")
        } else {
            format!("parsing time \"{text}\"{why}")
        }
    };
    let mut parts = Parts::default();
    let (mut left, mut rest) = (layout, text);
    loop {
        let (literal, chunk, after) = next(left);
        rest = skip(rest, literal).ok_or_else(|| bad(literal, rest, ""))?;
        let Some(chunk) = chunk else {
            if !rest.is_empty() {
                return Err(bad("", rest, &format!(": extra text: \"{rest}\"")));
            }
            break;
        };
        let element = &left[literal.len()..left.len() - after.len()];
        rest = parts.read(chunk, rest, after).map_err(|range| match range {
            Some(what) => bad(element, rest, &format!(": {what} out of range")),
            None => bad(element, rest, ""),
        })?;
        left = after;
    }
    let out_of_range = |what: &str| bad("", "", &format!(": {what} out of range"));
    parts.finish(zone).map_err(out_of_range)
}

/// What follows a literal; a space of it stands for any number of them.
fn skip<'a>(mut text: &'a str, mut literal: &str) -> Option<&'a str> {
    while let Some(c) = literal.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return None;
            }
            literal = literal.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(c)?;
            literal = &literal[c.len_utf8()..];
        }
    }
    Some(text)
}

/// Why an element does not fit; with the name of what is out of range.
type Misfit = Option<&'static str>;

impl Parts {
    fn read<'a>(&mut self, chunk: Chunk, text: &'a str, after: &str) -> Result<&'a str, Misfit> {
        let mut rest = text;
        match chunk {
            Chunk::Year => {
                let year = digits(text, 2).ok_or(None)?;
                self.year = year as i16 + if year >= 69 { 1900 } else { 2000 };
                rest = &text[2..];
            }
            Chunk::LongYear => {
                self.year = digits(text, 4).ok_or(None)? as i16;
                rest = &text[4..];
            }
            Chunk::Month | Chunk::LongMonth => {
                let length = if chunk == Chunk::Month { 3 } else { usize::MAX };
                let (index, after) = name(&MONTHS, length, text).ok_or(None)?;
                self.month = Some(index as i8 + 1);
                rest = after;
            }
            Chunk::WeekDay | Chunk::LongDay => {
                let length = if chunk == Chunk::WeekDay { 3 } else { usize::MAX };
                rest = name(&DAYS, length, text).ok_or(None)?.1;
            }
            Chunk::MonthNumber(pad) => {
                let month = number(&mut rest, pad)?;
                if !(1..=12).contains(&month) {
                    return Err(Some("month"));
                }
                self.month = Some(month);
            }
            Chunk::Day(pad) => self.day = Some(number(&mut rest, pad)?),
            Chunk::YearDay(pad) => self.year_day = Some(year_day(&mut rest, pad)?),
            Chunk::Hour24 => self.hour = bounded(number(&mut rest, Pad::None)?, 24, "hour")?,
            Chunk::Hour12(pad) => self.hour = bounded(number(&mut rest, pad)?, 13, "hour")?,
            Chunk::Minute(pad) => self.minute = bounded(number(&mut rest, pad)?, 60, "minute")?,
            Chunk::Second(pad) => {
                self.second = bounded(number(&mut rest, pad)?, 60, "second")?;
                let follows = matches!(next(after).1, Some(Chunk::Fraction { .. }));
                if !follows && has_fraction(rest) {
                    rest = self.fraction(rest)?;
                }
            }
            Chunk::Upper | Chunk::Lower => {
                let names = if chunk == Chunk::Upper {
                    ["AM", "PM"]
                } else {
                    ["am", "pm"]
                };
                let half = names.iter().position(|n| text.starts_with(n)).ok_or(None)?;
                self.afternoon = Some(half == 1);
                rest = &text[2..];
            }
            Chunk::Offset(form) if form.zulu && text.starts_with('Z') => {
                self.utc = true;
                rest = &text[1..];
            }
            Chunk::Offset(form) => self.offset = Some(offset(&mut rest, form)?),
            Chunk::Zone => rest = self.zone(text)?,
            Chunk::Fraction {
                digits, trims: false, ..
            } => {
                let length = digits + 1;
                if text.len() < length
                    || !has_fraction(text)
                    || self::digits(&text[1..], digits.min(9)).is_none()
                {
                    return Err(None);
                }
                self.nanos = nanos(&text[1..length]);
                rest = &text[length..];
            }
            Chunk::Fraction { .. } if has_fraction(text) => rest = self.fraction(text)?,
            Chunk::Fraction { .. } => {}
        }
        Ok(rest)
    }

    fn fraction<'a>(&mut self, text: &'a str) -> Result<&'a str, Misfit> {
        let rest = text[1..].trim_start_matches(|c: char| c.is_ascii_digit());
        self.nanos = nanos(&text[1..text.len() - rest.len()]);
        Ok(rest)
    }

    /// `UTC`, an abbreviation of three to five capitals, or `GMT` with an offset.
    fn zone<'a>(&mut self, text: &'a str) -> Result<&'a str, Misfit> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.utc = true;
            return Ok(rest);
        }
        let length = match text.strip_prefix("GMT") {
            Some(hours) => 3 + signed_digits(hours),
            None => {
                let capitals = text.find(|c: char| !c.is_ascii_uppercase());
                let length = capitals.unwrap_or(text.len());
                if !(3..=5).contains(&length) {
                    return Err(None);
                }
                length
            }
        };
        let (zone, rest) = text.split_at(length);
        self.zone = Some(zone.to_owned());
        Ok(rest)
    }

    fn finish(self, zone: &TimeZone) -> Result<Zoned, &'static str> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.year_day {
            Some(day) => Date::new(self.year, 1, 1)
                .and_then(|d| d.with().day_of_year(day).build())
                .map_err(|_| "day-of-year")?,
            None => {
                Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).map_err(|_| "day")?
            }
        };
        let time = Time::new(hour, self.minute, self.second, self.nanos).map_err(|_| "hour")?;
        let civil = date.to_datetime(time);
        if self.utc {
            return at(civil, &TimeZone::UTC);
        }
        if let Some(seconds) = self.offset {
            return at_offset(civil, seconds, zone);
        }
        match self.zone {
            Some(name) => at_named(civil, &name, zone),
            None => at(civil, zone),
        }
    }
}

fn at(civil: DateTime, zone: &TimeZone) -> Result<Zoned, &'static str> {
    civil.to_zoned(zone.clone()).map_err(|_| "year")
}

/// In the local zone where that has this offset then, else in a zone that is an offset alone.
fn at_offset(civil: DateTime, seconds: i32, zone: &TimeZone) -> Result<Zoned, &'static str> {
    let utc = civil
        .checked_sub(SignedDuration::from_secs(seconds.into()))
        .map_err(|_| "year")?;
    let timestamp = at(utc, &TimeZone::UTC)?.timestamp();
    if zone.to_offset(timestamp).seconds() == seconds {
        return Ok(timestamp.to_zoned(zone.clone()));
    }
    let offset = ZoneOffset::from_seconds(seconds).map_err(|_| "time zone offset hour")?;
    Ok(timestamp.to_zoned(TimeZone::fixed(offset)))
}

/// In the local zone where that has this abbreviation then; else the time is UTC, shown in a zone of that name's offset.
fn at_named(civil: DateTime, name: &str, zone: &TimeZone) -> Result<Zoned, &'static str> {
    let local = at(civil, zone)?;
    if zone.to_offset_info(local.timestamp()).abbreviation() == name {
        return Ok(local);
    }
    let hours: i32 = name.strip_prefix("GMT").and_then(|h| h.parse().ok()).unwrap_or(0);
    let offset = ZoneOffset::from_seconds(hours * 3600).map_err(|_| "time zone offset hour")?;
    Ok(at(civil, &TimeZone::UTC)?.with_time_zone(TimeZone::fixed(offset)))
}

/// The length of a sign with digits at the start of a text; 0 where there are none.
fn signed_digits(text: &str) -> usize {
    let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
    match digits.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len() {
        0 => 0,
        count => count + 1,
    }
}

fn bounded(number: i8, end: i8, what: &'static str) -> Result<i8, Misfit> {
    if number < end { Ok(number) } else { Err(Some(what)) }
}

/// Exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i32> {
    let digits = text.get(..count)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// One or two digits; two where zeros fill up, and a space may stand before one where spaces do.
fn number(text: &mut &str, pad: Pad) -> Result<i8, Misfit> {
    if pad == Pad::Space {
        *text = text.strip_prefix(' ').unwrap_or(text);
    }
    let (found, length) = match (digits(text, 2), digits(text, 1)) {
        (Some(two), _) => (two, 2),
        (None, Some(one)) if pad != Pad::Zero => (one, 1),
        _ => return Err(None),
    };
    *text = &text[length..];
    Ok(found as i8)
}

fn year_day(text: &mut &str, pad: Pad) -> Result<i16, Misfit> {
    if pad == Pad::Space {
        *text = text.trim_start_matches(' ');
    }
    let length = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = length.min(3);
    if length == 0 || (pad == Pad::Zero && length != 3) {
        return Err(None);
    }
    let day = digits(text, length).ok_or(None)?;
    *text = &text[length..];
    if day < 1 {
        return Err(Some("day-of-year"));
    }
    Ok(day as i16)
}

/// A name in any case, cut to `length`.
fn name<'a>(names: &[&str], length: usize, text: &'a str) -> Option<(usize, &'a str)> {
    let short = |name: &str| name.len().min(length);
    let index = names.iter().position(|name| {
        text.get(..short(name))
            .is_some_and(|t| t.eq_ignore_ascii_case(&name[..short(name)]))
    })?;
    Some((index, &text[short(names[index])..]))
}

fn has_fraction(text: &str) -> bool {
    text.starts_with(['.', ',']) && text[1..].starts_with(|c: char| c.is_ascii_digit())
}

fn nanos(digits: &str) -> i32 {
    let digits = &digits[..digits.len().min(9)];
    let number: i32 = digits.parse().unwrap_or(0);
    number * 10_i32.pow(9 - digits.len() as u32)
}

fn offset(text: &mut &str, form: Offset) -> Result<i32, Misfit> {
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(None),
    };
    *text = &text[1..];
    let mut two = |separated: bool| {
        if separated && form.colons {
            *text = text.strip_prefix(':').ok_or(None)?;
        }
        let found = digits(text, 2).ok_or(None)?;
        *text = &text[2..];
        Ok::<_, Misfit>(found)
    };
    let hours = two(false)?;
    let minutes = if form.minutes { two(true)? } else { 0 };
    let seconds = if form.seconds { two(true)? } else { 0 };
    if hours > 24 {
        return Err(Some("time zone offset hour"));
    }
    if minutes > 60 {
        return Err(Some("time zone offset minute"));
    }
    Ok(sign * (hours * 3600 + minutes * 60 + seconds))
}
