//! The options `mode` and `percent`, which every policy and limit has: how seriously it is taken, and for how many callers.

use serde_json::Value;

use crate::decode::{Cx, Decode, Kind};
use crate::encode::{Encode, Secrets};
use crate::node::{Node, Value as Written};
use crate::problem::{Problem, code};
use crate::shape::Shape;
use crate::word::words;

words! {
    /// How seriously a policy or limit is taken.
    Mode: "a mode" {
        /// It is not asked.
        Off = "off",
        /// It decides and is recorded; no answer changes.
        Shadow = "shadow",
        /// Its word counts.
        #[default]
        Enforce = "enforce",
    }
}

/// A share from 0 to 100 percent, with two decimals: `5`, `12.5`, `0.01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

impl Percent {
    /// 100 percent, the default.
    pub const WHOLE: Percent = Percent(10_000);

    /// Hundredths of a percent, at most 10,000.
    pub fn hundredths(self) -> u16 {
        self.0
    }

    /// Reads digits with at most two decimals.
    pub fn parse(text: &str) -> Option<Percent> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |t: &str, most: usize| (1..=most).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 3) || !digits(decimals, 2) {
            return None;
        }
        let hundredths: u16 = format!("{decimals:0<2}").parse().ok()?;
        let all = whole.parse::<u32>().ok()? * 100 + u32::from(hundredths);
        u16::try_from(all).ok().filter(|n| *n <= 10_000).map(Percent)
    }
}

impl Default for Percent {
    fn default() -> Percent {
        Percent::WHOLE
    }
}

impl Decode for Percent {
    const KIND: Kind = Kind::Scalar;

    fn fill(&mut self, node: &Node, cx: &mut Cx) {
        let Some(text) = text(node, "a percentage", cx) else {
            return;
        };
        match Percent::parse(text) {
            Some(percent) => *self = percent,
            None => {
                let message = format!("`{}` expects a percentage, found `{text}`", cx.path());
                let problem = Problem::error(code::BAD_FLOAT, node.span.clone(), message);
                cx.refuse(
                    problem.help("write a number from 0 to 100 with at most two decimals, such as `12.5`"),
                );
            }
        }
    }

    fn shape() -> Shape {
        Shape::Float
    }
}

impl Encode for Percent {
    fn encode(&self, secrets: Secrets) -> Value {
        (f64::from(self.0) / 100.0).encode(secrets)
    }
}

fn text<'a>(node: &'a Node, wanted: &str, cx: &mut Cx) -> Option<&'a str> {
    match &node.value {
        Written::Scalar(scalar) => Some(scalar.text.trim()),
        Written::Null => None,
        _ => {
            cx.wrong_type(wanted, node);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        let check = |text: &str, want: Option<u16>| {
            assert_eq!(Percent::parse(text).map(Percent::hundredths), want, "{text}");
        };
        check("0", Some(0));
        check("5", Some(500));
        check("12.5", Some(1250));
        check("0.01", Some(1));
        check("99.99", Some(9_999));
        check("100", Some(10_000));
        check("100.00", Some(10_000));
        for bad in [
            "", ".", "1.", ".5", "100.01", "101", "-1", "+1", "1.234", "1e1", "5%", "9999", "٣",
        ] {
            check(bad, None);
        }
    }
}
