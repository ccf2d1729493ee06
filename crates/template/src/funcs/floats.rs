//! Fractions: sprig's chapter "Float Math Functions". Sums and products are exact in decimal, as sprig's are.

use crate::error::{Fault, Result};
use crate::funcs::convert::to_float;
use crate::function::Kind::{Any, Float, Int};
use crate::function::{Function, fixed, float, int, variadic};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("add1f", &[Any], |_, a| {
        fold(to_float(&a[0]), &[Value::from(1)], Decimal::plus, |a, b| a + b)
    }),
    variadic("addf", &[], Any, |_, a| fold(0.0, a, Decimal::plus, |a, b| a + b)),
    variadic("subf", &[Any], Any, |_, a| {
        fold(to_float(&a[0]), &a[1..], Decimal::minus, |a, b| a - b)
    }),
    variadic("mulf", &[Any], Any, |_, a| {
        fold(to_float(&a[0]), &a[1..], Decimal::times, |a, b| a * b)
    }),
    variadic("divf", &[Any], Any, |_, a| {
        if a[1..].iter().any(|v| to_float(v) == 0.0) {
            return Err(Fault::new("decimal division by 0"));
        }
        fold(to_float(&a[0]), &a[1..], Decimal::by, |a, b| a / b)
    }),
    variadic("maxf", &[Any], Any, |_, a| {
        Ok(extreme(a, |a, b| if b > a { b } else { a }))
    }),
    variadic("minf", &[Any], Any, |_, a| {
        Ok(extreme(a, |a, b| if b < a { b } else { a }))
    }),
    variadic("round", &[Any, Int], Float, |_, a| {
        let up_from = a.get(2).map_or(0.5, float);
        Ok(round(to_float(&a[0]), int(&a[1]), up_from).into())
    }),
];

fn extreme(args: &[Value], choose: fn(f64, f64) -> f64) -> Value {
    args.iter()
        .map(to_float)
        .reduce(|a, b| {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else {
                choose(a, b)
            }
        })
        .unwrap_or(0.0)
        .into()
}

fn round(number: f64, places: i64, up_from: f64) -> f64 {
    let power = 10_f64.powf(places as f64);
    let shifted = power * number;
    let rounded = if shifted.fract() >= up_from {
        shifted.ceil()
    } else {
        shifted.floor()
    };
    rounded / power
}

/// Goes on in decimal while the numbers fit, else in binary.
fn fold(
    first: f64,
    others: &[Value],
    exact: fn(Decimal, Decimal) -> Option<Decimal>,
    plain: fn(f64, f64) -> f64,
) -> Result<Value> {
    let mut result = first;
    for other in others.iter().map(to_float) {
        if !result.is_finite() || !other.is_finite() {
            return Err(Fault::new("cannot make a decimal of a number that is not finite"));
        }
        let decimal = Decimal::of(result).zip(Decimal::of(other));
        result = match decimal.and_then(|(a, b)| exact(a, b)) {
            Some(decimal) => decimal.to_float(),
            None => plain(result, other),
        };
    }
    Ok(result.into())
}

/// `digits` times ten to the power of `exponent`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

/// Digits behind the point of a quotient.
const QUOTIENT_PLACES: i32 = 16;

impl Decimal {
    /// The shortest decimal that stands for this float.
    fn of(number: f64) -> Option<Self> {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        Some(Self {
            digits: mantissa.replace('.', "").parse().ok()?,
            exponent: exponent.parse::<i32>().ok()? - i32::try_from(places).ok()?,
        })
    }

    fn to_float(self) -> f64 {
        let Self { digits, exponent } = self;
        format!("{digits}e{exponent}").parse().unwrap_or(f64::NAN)
    }

    /// Both with the smaller exponent.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let at = |d: Self| d.digits.checked_mul(ten_to(d.exponent - exponent)?);
        Some((at(self)?, at(other)?, exponent))
    }

    fn plus(self, other: Self) -> Option<Self> {
        let (a, b, exponent) = self.aligned(other)?;
        Some(Self {
            digits: a.checked_add(b)?,
            exponent,
        })
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self {
            digits: -other.digits,
            ..other
        })
    }

    fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            exponent: self.exponent + other.exponent,
        })
    }

    /// Rounded half away from zero.
    fn by(self, other: Self) -> Option<Self> {
        let scale = self.exponent - other.exponent + QUOTIENT_PLACES;
        let (dividend, divisor) = if scale >= 0 {
            (self.digits.checked_mul(ten_to(scale)?)?, other.digits)
        } else {
            (self.digits, other.digits.checked_mul(ten_to(-scale)?)?)
        };
        let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
        let up = rest.unsigned_abs().checked_mul(2)? >= divisor.unsigned_abs();
        let sign = dividend.signum() * divisor.signum();
        Some(Self {
            digits: quotient + if up { sign } else { 0 },
            exponent: -QUOTIENT_PLACES,
        })
    }
}

fn ten_to(exponent: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
}
