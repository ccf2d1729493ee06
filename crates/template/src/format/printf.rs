//! `fmt.Sprintf`: the format's verbs and which argument each takes.

use super::Printer;
use super::verb::{self, Flags};
use crate::budget::Budget;
use crate::error::Result;
use crate::value::Value;

/// Widths and precisions beyond this are refused, as in Go.
const MAX_WIDTH: i64 = 1_000_000;

/// Formats the arguments; what does not fit is said in the text, as in Go.
pub(crate) fn sprintf(format: &str, args: &[Value], budget: &Budget) -> Result<String> {
    let mut state = State {
        printer: Printer::new(budget),
        args,
        next: 0,
        reordered: false,
        good: true,
    };
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        budget.step(1)?;
        state.printer.push(&rest[..at])?;
        rest = state.directive(&rest[at + 1..])?;
    }
    state.printer.push(rest)?;
    state.extra()?;
    Ok(state.printer.out)
}

struct State<'a> {
    printer: Printer<'a>,
    args: &'a [Value],
    next: usize,
    /// An argument was chosen by its number.
    reordered: bool,
    /// The last chosen number was one.
    good: bool,
}

impl<'a> State<'a> {
    /// One directive, without its percent sign; returns what follows.
    fn directive<'t>(&mut self, text: &'t str) -> Result<&'t str> {
        let mut flags = Flags::default();
        let mut rest = flags.read(text);
        self.good = true;
        rest = self.index(rest);
        match self.number(&mut rest) {
            Ok(Some(width)) => flags.set_width(width),
            Ok(None) => {}
            Err(()) => self.printer.push("%!(BADWIDTH)")?,
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = self.index(after);
            match self.number(&mut rest) {
                Ok(number) if number.is_some_and(|n| n < 0) => self.printer.push("%!(BADPREC)")?,
                Ok(number) => flags.precision = Some(number.unwrap_or(0).unsigned_abs() as usize),
                Err(()) => self.printer.push("%!(BADPREC)")?,
            }
        }
        rest = self.index(rest);
        let Some(c) = rest.chars().next() else {
            self.printer.push("%!(NOVERB)")?;
            return Ok("");
        };
        rest = &rest[c.len_utf8()..];
        if c == '%' {
            self.printer.push("%")?;
        } else if !self.good {
            self.printer.push(&format!("%!{c}(BADINDEX)"))?;
        } else if let Some(arg) = self.args.get(self.next) {
            self.next += 1;
            // With `v` it asks for the names of fields, not for a sign.
            flags.plus &= c != 'v';
            verb::print(&mut self.printer, c, &flags, arg, 0)?;
        } else {
            self.printer.push(&format!("%!{c}(MISSING)"))?;
        }
        Ok(rest)
    }

    /// `[n]`: the number of the argument to take next.
    fn index<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(inner) = text.strip_prefix('[') else {
            return text;
        };
        self.reordered = true;
        let Some((number, rest)) = inner.split_once(']') else {
            self.good = false;
            return inner;
        };
        match number.parse::<usize>() {
            Ok(n) if (1..=self.args.len()).contains(&n) => self.next = n - 1,
            _ => self.good = false,
        }
        rest
    }

    /// A number in the format, or an argument where a star stands.
    fn number(&mut self, text: &mut &str) -> std::result::Result<Option<i64>, ()> {
        if let Some(rest) = text.strip_prefix('*') {
            *text = rest;
            let arg = self.args.get(self.next);
            self.next += 1;
            return match arg {
                Some(Value::Int(n, _)) if n.abs() <= MAX_WIDTH => Ok(Some(*n)),
                _ => Err(()),
            };
        }
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &text[..text.len() - rest.len()];
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse::<i64>() {
            Ok(n) if n <= MAX_WIDTH => {
                *text = rest;
                Ok(Some(n))
            }
            _ => {
                // Go gives up on the whole directive.
                *text = "";
                Ok(None)
            }
        }
    }

    /// Arguments that no verb took.
    fn extra(&mut self) -> Result<()> {
        if self.reordered || self.next >= self.args.len() {
            return Ok(());
        }
        self.printer.push("%!(EXTRA ")?;
        for (index, arg) in self.args[self.next..].iter().enumerate() {
            if index > 0 {
                self.printer.push(", ")?;
            }
            if matches!(arg, Value::Nil) {
                self.printer.push("<nil>")?;
                continue;
            }
            self.printer.push(&arg.type_name())?;
            self.printer.push("=")?;
            self.printer.value(arg, 0)?;
        }
        self.printer.push(")")
    }
}

impl Flags {
    /// Flags at the start of a text; returns what follows.
    fn read<'t>(&mut self, text: &'t str) -> &'t str {
        let rest = text.trim_start_matches(['#', '0', '+', '-', ' ']);
        for c in text[..text.len() - rest.len()].chars() {
            match c {
                '#' => self.sharp = true,
                '0' => self.zero = true,
                '+' => self.plus = true,
                '-' => self.minus = true,
                _ => self.space = true,
            }
        }
        rest
    }

    fn set_width(&mut self, width: i64) {
        self.minus |= width < 0;
        self.width = Some(width.unsigned_abs() as usize);
    }
}
