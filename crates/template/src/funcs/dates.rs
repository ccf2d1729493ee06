//! Times: sprig's chapter "Date Functions". Layouts are Go's.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::{Any, Str, Time};
use crate::function::{Function, fixed, text};
use crate::go::duration::{self, SECOND};
use crate::go::{layout, time_parse};
use crate::object::{Object, time_value, zero_time};
use crate::value::{IntKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("now", &[], |_, _| Ok(time_value(Zoned::now()))),
    fixed("ago", &[Any], |b, a| {
        let since = nanos_since(&moment(&a[0])?);
        b.text(duration::format(round_to_second(since)))
    }),
    fixed("date", &[Str, Any], |b, a| {
        formatted(b, text(&a[0]), &a[1], "Local")
    }),
    fixed("dateInZone", &[Str, Any, Str], date_in_zone),
    fixed("date_in_zone", &[Str, Any, Str], date_in_zone),
    fixed("htmlDate", &[Any], |b, a| {
        formatted(b, "2006-01-02", &a[0], "Local")
    }),
    fixed("htmlDateInZone", &[Any, Str], |b, a| {
        formatted(b, "2006-01-02", &a[0], text(&a[1]))
    }),
    fixed("dateModify", &[Str, Time], date_modify),
    fixed("date_modify", &[Str, Time], date_modify),
    fixed("mustDateModify", &[Str, Time], must_date_modify),
    fixed("must_date_modify", &[Str, Time], must_date_modify),
    fixed("toDate", &[Str, Str], |_, a| {
        let time = time_parse::parse(text(&a[0]), text(&a[1]), &TimeZone::system());
        Ok(time_value(time.unwrap_or_else(|_| zero_time())))
    }),
    fixed("mustToDate", &[Str, Str], |_, a| {
        time_parse::parse(text(&a[0]), text(&a[1]), &TimeZone::system())
            .map(time_value)
            .map_err(Fault::new)
    }),
    fixed("unixEpoch", &[Time], |b, a| {
        b.text(moment(&a[0])?.timestamp().as_second().to_string())
    }),
    fixed("duration", &[Any], |b, a| {
        let seconds = match &a[0] {
            Value::Str(text) => text.parse().unwrap_or(0),
            // Only this type counts as a number of seconds to sprig.
            Value::Int(n, IntKind::Int64) => *n,
            _ => 0,
        };
        b.text(duration::format(seconds.wrapping_mul(SECOND)))
    }),
    fixed("durationRound", &[Any], |b, a| {
        let nanos = match &a[0] {
            Value::Str(text) => duration::parse(text).unwrap_or(0),
            Value::Int(n, IntKind::Int64) => *n,
            Value::Object(object) => match &**object {
                Object::Time(time) => nanos_since(time),
                _ => 0,
            },
            _ => 0,
        };
        b.text(rounded(nanos.unsigned_abs()))
    }),
];

/// A time, or seconds since 1970; now for anything else, as sprig has it.
fn moment(value: &Value) -> Result<Zoned> {
    let seconds = match value {
        Value::Object(object) => match &**object {
            Object::Time(time) => return Ok(time.clone()),
            _ => return Ok(Zoned::now()),
        },
        Value::Int(n, IntKind::Int | IntKind::Int64) => *n,
        _ => return Ok(Zoned::now()),
    };
    Timestamp::from_second(seconds)
        .map(|timestamp| timestamp.to_zoned(TimeZone::system()))
        .map_err(|_| Fault::new(format!("{seconds} seconds are no time that can be shown")))
}

fn date_in_zone(budget: &Budget, args: &[Value]) -> Result<Value> {
    formatted(budget, text(&args[0]), &args[1], text(&args[2]))
}

fn formatted(budget: &Budget, format: &str, value: &Value, zone: &str) -> Result<Value> {
    let time = moment(value)?.with_time_zone(location(zone));
    // An element of a layout is at most some times as long as it is written.
    budget.charge(format.len().saturating_mul(8))?;
    budget.text(layout::format(&time, format))
}

/// A time zone by name; UTC where there is none of that name.
fn location(name: &str) -> TimeZone {
    match name {
        "" | "UTC" => TimeZone::UTC,
        "Local" => TimeZone::system(),
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    }
}

fn date_modify(budget: &Budget, args: &[Value]) -> Result<Value> {
    match duration::parse(text(&args[0])) {
        Some(_) => must_date_modify(budget, args),
        None => Ok(args[1].clone()),
    }
}

fn must_date_modify(_: &Budget, args: &[Value]) -> Result<Value> {
    let by = text(&args[0]);
    let nanos = duration::parse(by).ok_or_else(|| Fault::new(format!("time: invalid duration \"{by}\"")))?;
    moment(&args[1])?
        .checked_add(SignedDuration::from_nanos(nanos))
        .map(time_value)
        .map_err(|_| Fault::new("the time is out of range"))
}

/// As a Go duration, which ends at some 292 years.
fn nanos_since(time: &Zoned) -> i64 {
    let nanos = Timestamp::now().as_nanosecond() - time.timestamp().as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// Half a second away from zero is rounded up.
fn round_to_second(nanos: i64) -> i64 {
    let rest = nanos % SECOND;
    let whole = nanos - rest;
    if rest.abs() * 2 < SECOND {
        return whole;
    }
    whole.checked_add(SECOND * rest.signum()).unwrap_or(nanos)
}

/// The largest unit that fits more than once.
fn rounded(nanos: u64) -> String {
    const HOUR: u64 = 3600 * SECOND.unsigned_abs();
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let unit = UNITS.iter().find(|(length, _)| nanos > *length);
    unit.map_or_else(
        || "0s".into(),
        |(length, name)| format!("{}{name}", nanos / length),
    )
}
