//! `time.*`: when it is, in UTC.

use super::{Fact, Facts, Namespace, Read};
use crate::value::{Failure, Kind, Value};

const fn fact(
    name: &'static str,
    doc: &'static str,
    read: for<'a> fn(&'a Facts<'a>) -> Result<Value<'a>, Failure>,
) -> Fact {
    Fact {
        name,
        kind: Kind::Number,
        doc,
        sensitive: false,
        from_caller: false,
        read: Read::Plain(read),
    }
}

const DAY: i64 = 86_400;
/// 1 January 1970 was a Thursday.
const FIRST_WEEKDAY: i64 = 4;

pub const NAMESPACE: Namespace = Namespace {
    name: "time",
    facts: &[
        fact("time.unix", "Seconds since 1970, when the request came.", |f| {
            Ok(Value::Int(f.now))
        }),
        fact("time.hour", "The hour in UTC, 0 to 23.", |f| {
            Ok(Value::Int(f.now.rem_euclid(DAY) / 3_600))
        }),
        fact("time.minute", "The minute of the hour, 0 to 59.", |f| {
            Ok(Value::Int(f.now.rem_euclid(3_600) / 60))
        }),
        fact(
            "time.weekday",
            "The day of the week in UTC, 0 (Sunday) to 6.",
            |f| {
                let days = f.now.div_euclid(DAY);
                Ok(Value::Int((days % 7 + FIRST_WEEKDAY).rem_euclid(7)))
            },
        ),
    ],
};

#[cfg(test)]
mod tests {
    use crate::fact::{Named, find};
    use crate::testing::World;

    #[test]
    fn calendar() {
        let check = |now: i64, want: &str| {
            let world = World::new("GET", "/").at(now);
            let facts = world.facts();
            let shown = |name: &str| Named::new(find(name).unwrap(), "", &[]).shown(&facts);
            let got = ["time.weekday", "time.hour", "time.minute"].map(shown).join(" ");
            assert_eq!(got, want, "{now}");
        };
        check(0, "4 0 0");
        check(-1, "3 23 59");
        check(86_400 * 3 + 3_661, "0 1 1");
        // 30 November 2026 12:34:56 was a Monday.
        check(1_796_042_096, "1 12 34");
        check(i64::MAX, "0 15 30");
    }
}
