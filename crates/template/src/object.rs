//! Values with methods: times, versions, certificates.

use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::funcs::semver::Version;
use crate::function::{Kind, int, text};
use crate::go::layout::{self, DAYS, MONTHS};
use crate::value::{IntKind, Value};

/// A value of a Go type that has methods.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// `time.Time`.
    Time(Zoned),
    /// `*semver.Version`.
    Version(Version),
    /// What sprig's functions for certificates return: PEM of both.
    Certificate(Certificate),
}

#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    pub cert: Arc<str>,
    pub key: Arc<str>,
}

/// The key is nobody's business.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// How `fmt` prints a time.
const TIME: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

impl Object {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Time(_) => "time.Time",
            Self::Version(_) => "*semver.Version",
            Self::Certificate(_) => "sprig.certificate",
        }
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Time(_) | Self::Certificate(_) => "struct",
            Self::Version(_) => "ptr",
        }
    }

    /// As `fmt` prints it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Time(time) => layout::format(time, TIME),
            Self::Version(version) => version.to_string(),
            Self::Certificate(c) => format!("{{{} {}}}", c.cert, c.key),
        }
    }

    /// As `encoding/json` writes it; nothing where that fails.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Time(time) => layout::format(time, "2006-01-02T15:04:05.999999999Z07:00").into(),
            Self::Version(version) => version.to_string().into(),
            Self::Certificate(c) => serde_json::json!({"Cert": &*c.cert, "Key": &*c.key}),
        }
    }

    /// A field, or a method with its arguments.
    pub(crate) fn member(&self, name: &str, args: &[Value], budget: &Budget) -> Result<Value> {
        let found = match self {
            Self::Time(time) => time_member(time, name, args, budget)?,
            Self::Version(version) => version_member(version, name, args, budget)?,
            Self::Certificate(c) => match name {
                "Cert" => Some(Value::Str(c.cert.clone())),
                "Key" => Some(Value::Str(c.key.clone())),
                _ => None,
            },
        };
        found.ok_or_else(|| {
            let of = self.type_name();
            Fault::new(format!("can't evaluate field {name} in type {of}"))
        })
    }
}

/// Checks the types of a method's arguments.
fn expect(name: &str, args: &[Value], kinds: &[Kind]) -> Result<()> {
    if args.len() != kinds.len() {
        let (want, got) = (kinds.len(), args.len());
        return Err(Fault::new(format!(
            "wrong number of args for {name}: want {want} got {got}"
        )));
    }
    for (arg, kind) in args.iter().zip(kinds) {
        if !kind.takes(arg) {
            let (want, got) = (kind.name(), arg.type_name());
            return Err(Fault::new(format!(
                "wrong type for value; expected {want}; got {got}"
            )));
        }
    }
    Ok(())
}

fn time_member(time: &Zoned, name: &str, args: &[Value], budget: &Budget) -> Result<Option<Value>> {
    let timestamp = time.timestamp();
    let number = |n: i64| Value::from(n);
    let long = |n: i64| Value::Int(n, IntKind::Int64);
    let kinds: &[Kind] = match name {
        "Format" => &[Kind::Str],
        "AddDate" => &[Kind::Int, Kind::Int, Kind::Int],
        "After" | "Before" | "Equal" => &[Kind::Time],
        _ => &[],
    };
    let other = || match args.first() {
        Some(Value::Object(object)) => match &**object {
            Object::Time(other) => other.timestamp(),
            _ => timestamp,
        },
        _ => timestamp,
    };
    let value = match name {
        "Format" if args.len() == 1 => budget.text(layout::format(time, text(&args[0])))?,
        "String" => budget.text(layout::format(time, TIME))?,
        "Year" => number(time.year().into()),
        "Month" => Value::from(MONTHS[usize::from(time.month().unsigned_abs() - 1) % 12]),
        "Day" => number(time.day().into()),
        "Hour" => number(time.hour().into()),
        "Minute" => number(time.minute().into()),
        "Second" => number(time.second().into()),
        "Nanosecond" => number(time.subsec_nanosecond().into()),
        "YearDay" => number(time.day_of_year().into()),
        "Weekday" => {
            let day = time.weekday().to_sunday_zero_offset().unsigned_abs();
            Value::from(DAYS[usize::from(day) % 7])
        }
        "Unix" => long(timestamp.as_second()),
        "UnixMilli" => long(timestamp.as_millisecond()),
        "UnixMicro" => long(timestamp.as_microsecond()),
        "UnixNano" => long(i64::try_from(timestamp.as_nanosecond()).unwrap_or_default()),
        "UTC" => time_value(timestamp.to_zoned(TimeZone::UTC)),
        "Local" => time_value(timestamp.to_zoned(TimeZone::system())),
        "IsZero" => Value::Bool(timestamp == zero_time().timestamp()),
        "After" => Value::Bool(timestamp > other()),
        "Before" => Value::Bool(timestamp < other()),
        "Equal" => Value::Bool(timestamp == other()),
        "AddDate" if args.len() == 3 => time_value(add_date(time, args)?),
        _ if kinds.is_empty() => return Ok(None),
        _ => Value::Nil,
    };
    expect(name, args, kinds)?;
    Ok(Some(value))
}

/// Years, months and days later; a day that the month does not have runs over into the next.
fn add_date(time: &Zoned, args: &[Value]) -> Result<Zoned> {
    let too_far = |_| Fault::new("the time is out of range");
    let months = int(&args[0])
        .checked_mul(12)
        .and_then(|m| m.checked_add(int(&args[1])))
        .and_then(|m| m.checked_add(i64::from(time.month()) - 1));
    let months = months.ok_or_else(|| Fault::new("the time is out of range"))?;
    let year = i64::from(time.year()) + months.div_euclid(12);
    let year = i16::try_from(year).map_err(|_| Fault::new("the time is out of range"))?;
    let month = months.rem_euclid(12) as i8 + 1;
    let days = int(&args[2]).saturating_add(i64::from(time.day()) - 1);
    let span = jiff::Span::new().try_days(days).map_err(too_far)?;
    jiff::civil::Date::new(year, month, 1)
        .and_then(|date| date.checked_add(span))
        .and_then(|date| date.to_datetime(time.time()).to_zoned(time.time_zone().clone()))
        .map_err(too_far)
}

fn version_member(version: &Version, name: &str, args: &[Value], budget: &Budget) -> Result<Option<Value>> {
    let number = |n: u64| {
        i64::try_from(n)
            .map(|n| Value::Int(n, IntKind::Uint64))
            .map_err(|_| Fault::new("the version's number is too large"))
    };
    let value = match name {
        "Compare" | "Equal" | "GreaterThan" | "LessThan" | "GreaterThanEqual" | "LessThanEqual" => {
            return compare(version, name, args).map(Some);
        }
        "Major" => number(version.major)?,
        "Minor" => number(version.minor)?,
        "Patch" => number(version.patch)?,
        "Prerelease" => budget.text(version.pre.as_str())?,
        "Metadata" => budget.text(version.metadata.as_str())?,
        "Original" => budget.text(version.original.as_str())?,
        "String" => budget.text(version.to_string())?,
        "IncMajor" => version_value(version.next_major()),
        "IncMinor" => version_value(version.next_minor()),
        "IncPatch" => version_value(version.next_patch()),
        _ => return Ok(None),
    };
    expect(name, args, &[])?;
    Ok(Some(value))
}

fn compare(version: &Version, name: &str, args: &[Value]) -> Result<Value> {
    let [Value::Object(object)] = args else {
        return Err(Fault::new(format!("{name} wants one argument, a version")));
    };
    let Object::Version(other) = &**object else {
        return Err(Fault::new(format!("{name} wants one argument, a version")));
    };
    let order = version.compare(other);
    Ok(match name {
        "Compare" => Value::from(order as i64),
        "Equal" => Value::Bool(order.is_eq()),
        "GreaterThan" => Value::Bool(order.is_gt()),
        "GreaterThanEqual" => Value::Bool(order.is_ge()),
        "LessThan" => Value::Bool(order.is_lt()),
        _ => Value::Bool(order.is_le()),
    })
}

/// `time.Time{}`: the first of January of the year 1, UTC.
pub(crate) fn zero_time() -> Zoned {
    jiff::civil::date(1, 1, 1)
        .to_zoned(TimeZone::UTC)
        .unwrap_or_default()
}

pub(crate) fn time_value(time: Zoned) -> Value {
    Value::Object(Object::Time(time).into())
}

pub(crate) fn version_value(version: Version) -> Value {
    Value::Object(Object::Version(version).into())
}
