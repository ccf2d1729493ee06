//! One value by one verb.

use super::Printer;
use crate::error::Result;
use crate::go::{number, quote};
use crate::value::{IntKind, Value};

/// What stands between a percent sign and its verb.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    pub sharp: bool,
    pub zero: bool,
    pub plus: bool,
    pub minus: bool,
    pub space: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

/// Prints a value by a verb.
pub(super) fn print(
    printer: &mut Printer<'_>,
    verb: char,
    flags: &Flags,
    value: &Value,
    depth: usize,
) -> Result<()> {
    printer.step(depth)?;
    match (verb, value) {
        ('T', value) => pad(printer, flags, &value.type_name()),
        ('v', value) if flags.sharp => go_syntax(printer, value, depth),
        (_, Value::List(_) | Value::Dict(_)) => {
            printer.group(value, |printer, v| print(printer, verb, flags, v, depth + 1))
        }
        ('v', Value::Nil) => pad(printer, flags, "<nil>"),
        // An element that is nil is nil by any verb.
        (_, Value::Nil) if depth > 0 => printer.push("<nil>"),
        ('t' | 'v', Value::Bool(b)) => pad(printer, flags, if *b { "true" } else { "false" }),
        ('v' | 's' | 'x' | 'X' | 'q', Value::Str(text)) => string(printer, verb, flags, text),
        ('v' | 's' | 'x' | 'X' | 'q', Value::Object(object)) => string(printer, verb, flags, &object.text()),
        (_, Value::Int(n, kind)) => integer(printer, verb, flags, *n, *kind),
        (_, Value::Float(f)) => float(printer, verb, flags, *f),
        _ => bad(printer, verb, value),
    }
}

/// A verb that the value's type does not have.
fn bad(printer: &mut Printer<'_>, verb: char, value: &Value) -> Result<()> {
    printer.push(&format!("%!{verb}("))?;
    if !matches!(value, Value::Nil) {
        printer.push(&value.type_name())?;
        printer.push("=")?;
    }
    printer.value(value, 0)?;
    printer.push(")")
}

/// Fills a text up to the width.
fn pad(printer: &mut Printer<'_>, flags: &Flags, text: &str) -> Result<()> {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return printer.push(text);
    }
    printer.budget.charge(missing)?;
    if flags.minus {
        printer.push(text)?;
        return printer.push(&" ".repeat(missing));
    }
    let filler = if flags.zero { "0" } else { " " };
    printer.push(&filler.repeat(missing))?;
    printer.push(text)
}

fn string(printer: &mut Printer<'_>, verb: char, flags: &Flags, text: &str) -> Result<()> {
    match verb {
        'x' | 'X' => {
            let text = hex(text.as_bytes(), verb == 'X', flags);
            pad(printer, flags, &text)
        }
        'q' => {
            let text = cut(text, flags.precision);
            let quoted = if flags.sharp && can_backquote(text) {
                format!("`{text}`")
            } else if flags.plus {
                quote::quote_ascii(text)
            } else {
                quote::quote(text)
            };
            pad(printer, flags, &quoted)
        }
        _ => pad(printer, flags, cut(text, flags.precision)),
    }
}

fn cut(text: &str, chars: Option<usize>) -> &str {
    let end = chars
        .and_then(|n| text.char_indices().nth(n))
        .map_or(text.len(), |(at, _)| at);
    &text[..end]
}

fn can_backquote(text: &str) -> bool {
    text.chars()
        .all(|c| (c >= ' ' || c == '\t') && c != '`' && c != '\u{7f}' && c != '\u{feff}')
}

fn hex(bytes: &[u8], upper: bool, flags: &Flags) -> String {
    let bytes = &bytes[..bytes.len().min(flags.precision.unwrap_or(usize::MAX))];
    let prefix = match (flags.sharp, upper) {
        (false, _) => "",
        (true, false) => "0x",
        (true, true) => "0X",
    };
    let each = bytes.iter().map(|b| {
        if upper {
            format!("{b:02X}")
        } else {
            format!("{b:02x}")
        }
    });
    let parts: Vec<String> = each.collect();
    if parts.is_empty() {
        String::new()
    } else if flags.space {
        format!("{prefix}{}", parts.join(&format!(" {prefix}")))
    } else {
        format!("{prefix}{}", parts.concat())
    }
}

fn integer(printer: &mut Printer<'_>, verb: char, flags: &Flags, n: i64, kind: IntKind) -> Result<()> {
    let magnitude = n.unsigned_abs();
    let (digits, prefix) = match verb {
        'v' | 'd' => (magnitude.to_string(), ""),
        'b' => (format!("{magnitude:b}"), "0b"),
        'o' => (format!("{magnitude:o}"), "0"),
        'O' => (format!("{magnitude:o}"), "0o"),
        'x' => (format!("{magnitude:x}"), "0x"),
        'X' => (format!("{magnitude:X}"), "0X"),
        'c' => return pad(printer, flags, &char_of(n).to_string()),
        'q' => return pad(printer, flags, &quote::quote_char(char_of(n))),
        'U' => return unicode(printer, flags, n),
        _ => return bad(printer, verb, &Value::Int(n, kind)),
    };
    let prefix = match verb {
        'O' => prefix,
        'o' if flags.sharp && digits.starts_with('0') => "",
        _ if flags.sharp => prefix,
        _ => "",
    };
    let sign = sign(flags, n < 0);
    let zeros = match (flags.precision, flags.width) {
        (Some(0), _) if n == 0 => return pad(printer, &blank(flags), ""),
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(sign.len()),
        _ => 0,
    };
    let zeros = zeros.saturating_sub(digits.len());
    printer.budget.charge(zeros)?;
    pad(
        printer,
        &blank(flags),
        &format!("{sign}{prefix}{}{digits}", "0".repeat(zeros)),
    )
}

/// The flags without filling up by zeros.
fn blank(flags: &Flags) -> Flags {
    Flags {
        zero: false,
        ..flags.clone()
    }
}

fn sign(flags: &Flags, negative: bool) -> &'static str {
    if negative {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    }
}

fn char_of(n: i64) -> char {
    u32::try_from(n)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or('\u{FFFD}')
}

fn unicode(printer: &mut Printer<'_>, flags: &Flags, n: i64) -> Result<()> {
    let mut text = format!("U+{n:04X}");
    let c = char_of(n);
    if flags.sharp && quote::is_print(c) {
        text.push_str(&format!(" '{c}'"));
    }
    pad(printer, &blank(flags), &text)
}

fn float(printer: &mut Printer<'_>, verb: char, flags: &Flags, f: f64) -> Result<()> {
    let precision = flags.precision;
    let text = match verb {
        'v' | 'g' => number::general(f, precision),
        'G' => number::general(f, precision).replace('e', "E"),
        'f' | 'F' => number::fixed(f, precision.unwrap_or(6)),
        'e' => number::exponential(f, precision.unwrap_or(6)),
        'E' => number::exponential(f, precision.unwrap_or(6)).replace('e', "E"),
        _ => return bad(printer, verb, &Value::Float(f)),
    };
    let negative = text.starts_with('-');
    let digits = text.trim_start_matches(['-', '+']);
    let sign = match sign(flags, negative) {
        // Infinity shows its sign always.
        "" if f == f64::INFINITY => "+",
        sign => sign,
    };
    let zeros = if flags.zero && !flags.minus && f.is_finite() {
        flags.width.unwrap_or(0).saturating_sub(sign.len() + digits.len())
    } else {
        0
    };
    printer.budget.charge(zeros)?;
    pad(
        printer,
        &blank(flags),
        &format!("{sign}{}{digits}", "0".repeat(zeros)),
    )
}

/// `%#v`: as a Go program would write the value.
fn go_syntax(printer: &mut Printer<'_>, value: &Value, depth: usize) -> Result<()> {
    printer.step(depth)?;
    match value {
        Value::Nil if depth > 0 => printer.push("interface {}(nil)"),
        Value::Str(text) => printer.push(&quote::quote(text)),
        Value::Int(n, kind) if kind.is_unsigned() => printer.push(&format!("{n:#x}")),
        Value::List(list) => {
            printer.push(&format!("{}{{", value.type_name()))?;
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    printer.push(", ")?;
                }
                go_syntax(printer, item, depth + 1)?;
            }
            printer.push("}")
        }
        Value::Dict(dict) => {
            printer.push(&format!("map[string]{}{{", dict.elem.name()))?;
            for (index, (key, value)) in dict.entries().iter().enumerate() {
                if index > 0 {
                    printer.push(", ")?;
                }
                printer.push(&format!("{}:", quote::quote(key)))?;
                go_syntax(printer, value, depth + 1)?;
            }
            printer.push("}")
        }
        other => printer.value(other, depth),
    }
}
