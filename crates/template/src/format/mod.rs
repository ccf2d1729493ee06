//! How Go's `fmt` prints values.

mod printf;
mod verb;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::go::number;
use crate::limits::MAX_VALUE_DEPTH;
use crate::value::Value;

pub(crate) use printf::sprintf;

/// A value as `%v` prints it.
pub(crate) fn display(value: &Value, budget: &Budget) -> Result<String> {
    let mut printer = Printer::new(budget);
    printer.value(value, 0)?;
    Ok(printer.out)
}

/// `fmt.Sprint`: a space between two operands of which neither is a text.
pub(crate) fn sprint(args: &[Value], budget: &Budget) -> Result<String> {
    let mut printer = Printer::new(budget);
    for (index, arg) in args.iter().enumerate() {
        let text = |value: &Value| matches!(value, Value::Str(_));
        if index > 0 && !text(arg) && !text(&args[index - 1]) {
            printer.push(" ")?;
        }
        printer.value(arg, 0)?;
    }
    Ok(printer.out)
}

/// `fmt.Sprintln`: a space between all, a line's end behind them.
pub(crate) fn sprintln(args: &[Value], budget: &Budget) -> Result<String> {
    let mut printer = Printer::new(budget);
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.push(" ")?;
        }
        printer.value(arg, 0)?;
    }
    printer.push("\n")?;
    Ok(printer.out)
}

/// Text that grows as far as the budget goes.
struct Printer<'a> {
    out: String,
    budget: &'a Budget,
}

impl<'a> Printer<'a> {
    fn new(budget: &'a Budget) -> Self {
        Self {
            out: String::new(),
            budget,
        }
    }

    fn push(&mut self, text: &str) -> Result<()> {
        self.budget.charge(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        self.step(depth)?;
        match value {
            Value::Nil => self.push("<nil>"),
            Value::Bool(b) => self.push(if *b { "true" } else { "false" }),
            Value::Int(n, _) => self.push(&n.to_string()),
            Value::Float(f) => self.push(&number::general(*f, None)),
            Value::Str(text) => self.push(text),
            Value::Object(object) => self.push(&object.text()),
            Value::List(_) | Value::Dict(_) => self.group(value, |this, v| this.value(v, depth + 1)),
        }
    }

    /// A list or a dict, its elements printed by `each`.
    fn group(&mut self, value: &Value, mut each: impl FnMut(&mut Self, &Value) -> Result<()>) -> Result<()> {
        match value {
            Value::List(list) => {
                self.push("[")?;
                for (index, item) in list.items().iter().enumerate() {
                    if index > 0 {
                        self.push(" ")?;
                    }
                    each(self, item)?;
                }
            }
            Value::Dict(dict) => {
                self.push("map[")?;
                for (index, (key, value)) in dict.entries().iter().enumerate() {
                    if index > 0 {
                        self.push(" ")?;
                    }
                    each(self, &Value::Str(key.clone()))?;
                    self.push(":")?;
                    each(self, value)?;
                }
            }
            other => return each(self, other),
        }
        self.push("]")
    }

    fn step(&mut self, depth: usize) -> Result<()> {
        if depth > MAX_VALUE_DEPTH {
            return Err(Fault::new("the value is nested too deep to be printed"));
        }
        self.budget.step(1)
    }
}
